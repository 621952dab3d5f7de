"""The sentences for findings of `fsck`: what is wrong, what was done, and what remains to be done, each as a table."""

from collections.abc import Mapping

from simple_registry.operations.fsck.findings import Finding, Kind, Remedy, Repair
from simple_registry.storage.inspection import Defect

_PUSH = "push it again, to any repository: that heals it in all of them"
_REPAIR = "fsck --repair repairs it"
_FROM_BYTES = "its row was restored from its bytes"
_WHOLE = {True: "its bytes are whole", False: "its bytes are not those of its name", None: "it was not read"}

DETAILS: Mapping[Kind | Defect, str] = {
    Kind.DATABASE: "{0.reason}",
    Kind.MISSING: "its row has no content",
    Kind.SHORT: "it has {0.size} bytes, its row says {0.expected}",
    Kind.LONG: "it has {0.size} bytes, its row says {0.expected}",
    Kind.FLIPPED: "its bytes hash to {0.actual}",
    Kind.NOT_A_FILE: "something that is not a file has its name",
    Kind.UNREADABLE: "{0.reason}",
    Kind.DAMAGED: "its row says that it is damaged: it is reported as absent",
    Kind.ORPHAN: "{0.size} bytes without a row",
    Kind.STRAY: "the registry does not use such a name",
    Kind.LEFTOVER: "bytes of an upload without a session",
    Kind.CUT_UPLOAD: "not all of the {0.expected} acknowledged bytes are there",
    Kind.LOST_UPLOAD: "not all of the {0.expected} acknowledged bytes are there",
    Kind.MODE: "its mode is not that of content, 0444",
    Defect.TAG_WITHOUT_MANIFEST: "the tag points at a manifest that its repository does not hold",
    Defect.PART_MISSING: "the manifest needs {0.part}, which its repository does not hold",
    Defect.BLOB_WITHOUT_CONTENT: "the repository holds a blob whose content has no row",
    Defect.MANIFEST_WITHOUT_CONTENT: "the repository holds a manifest whose content has no row",
    Defect.HOLDING_WITHOUT_REPOSITORY: "the repository holds content and has no row",
    Defect.PARTS_WITHOUT_MANIFEST: "there are rows of parts of a manifest that the repository does not hold",
    Defect.CONDEMNED_HELD: "a repository holds it, and it is condemned: it would be removed",
    Defect.WHOLE_UNHELD: "no repository holds it, and it is not condemned: it would never be removed",
    Defect.NEEDED_UNREFERRED: "it counts as needed, and no manifest refers to it",
    Defect.REFERRED_UNNEEDED: "it counts as unneeded, and a manifest refers to it",
    Defect.USAGE: "the counters of the {0.part} differ from the rows",
    Defect.TAG_MALFORMED: "the tag points at {0.reason}, which is not a digest",
    Defect.MALFORMED: "the table {0.table} has {0.reason}, which is not a digest",
}

REPAIRS: Mapping[Repair | Defect, str] = {
    Repair.NOTHING: "",
    Repair.MOVED: "moved to {0.moved_to}",
    Repair.MARKED: "marked as damaged: it is reported as absent, so that clients push it again",
    Repair.MADE_WHOLE: "its row says now that it is whole",
    Repair.MODE_SET: "it has the mode of content now",
    Repair.CONDEMNED: "left to the collector, which removes it",
    Repair.DISCARDED: "they were removed",
    Repair.ENDED: "ended, so that its client begins again",
    Defect.TAG_WITHOUT_MANIFEST: "the manifest's row was restored from its bytes",
    Defect.BLOB_WITHOUT_CONTENT: _FROM_BYTES,
    Defect.MANIFEST_WITHOUT_CONTENT: _FROM_BYTES,
    Defect.HOLDING_WITHOUT_REPOSITORY: "its row was added",
    Defect.PARTS_WITHOUT_MANIFEST: "they were removed",
    Defect.CONDEMNED_HELD: "it counts as damaged, until its bytes were read",
    Defect.WHOLE_UNHELD: "left to the collector, which removes it",
    Defect.NEEDED_UNREFERRED: "it counts as unneeded from now on",
    Defect.REFERRED_UNNEEDED: "it counts as needed",
    Defect.USAGE: "they were counted again",
    Defect.TAG_MALFORMED: "the tag was removed",
}

REMEDIES: Mapping[Remedy | Defect, str] = {
    Remedy.NOTHING: "",
    Remedy.RESTORE: "stop the server and run 'simple-registry recover', or restore registry.db from a backup; "
    "files in blobs/ alone do not show which repository holds them",
    Remedy.REPAIR: "fsck --repair repairs it",
    Remedy.CHECK_AGAIN: "it changed meanwhile; check again",
    Remedy.PUSH: _PUSH,
    Remedy.PUSH_OR_REPAIR: f"{_PUSH}; fsck --repair reads it, and marks it as whole, or as damaged so that clients do",
    Remedy.PUSH_TO_REPOSITORY: "a manifest lacks it: push it again to that manifest's repository",
    Defect.TAG_WITHOUT_MANIFEST: "push that manifest again, or delete the tag",
    Defect.PART_MISSING: "push that part to this repository again, or delete the manifest",
    Defect.BLOB_WITHOUT_CONTENT: _PUSH,
    Defect.MANIFEST_WITHOUT_CONTENT: _PUSH,
    Defect.HOLDING_WITHOUT_REPOSITORY: _REPAIR,
    Defect.PARTS_WITHOUT_MANIFEST: _REPAIR,
    Defect.CONDEMNED_HELD: _REPAIR,
    Defect.WHOLE_UNHELD: _REPAIR,
    Defect.NEEDED_UNREFERRED: _REPAIR,
    Defect.REFERRED_UNNEEDED: _REPAIR,
    Defect.USAGE: _REPAIR,
    Defect.TAG_MALFORMED: _REPAIR,
    Defect.MALFORMED: "restore it from a backup",
}


def detail(finding: Finding) -> str:
    """Return what is wrong."""
    text = DETAILS[finding.defect or finding.kind].format(finding)
    if finding.kind is Kind.ORPHAN:
        return f"{text}; {_WHOLE[finding.whole]}"
    return f"{text}; its bytes are whole, so the row is wrong" if finding.whole else text


def done(finding: Finding) -> str:
    """Return what was done; nothing is the empty text."""
    repair = finding.defect if finding.defect and finding.done is Repair.ROWS else finding.done
    moved = REPAIRS[Repair.MOVED] if finding.moved_to and repair is not Repair.MOVED else ""
    return "; ".join(text for text in (REPAIRS[repair], moved) if text).format(finding)


def to_do(finding: Finding) -> str:
    """Return what remains to be done; nothing is the empty text."""
    return REMEDIES[finding.defect if finding.defect and finding.to_do is Remedy.ROWS else finding.to_do]
