"""Every finding has its sentences."""

import pytest

from simple_registry.cli import fsck_words
from simple_registry.operations.fsck.findings import Finding, Kind, Remedy, Repair
from simple_registry.operations.fsck.rows import KINDS
from simple_registry.storage.inspection import Defect

ROWS = {Kind.DANGLING, Kind.MISCOUNTED, Kind.MALFORMED}


def test_every_word_has_its_sentence():
    assert set(fsck_words.DETAILS) == set(Defect) | set(Kind) - ROWS
    assert set(fsck_words.REPAIRS) == set(Repair) - {Repair.ROWS} | set(Defect) - {
        Defect.PART_MISSING,
        Defect.MALFORMED,
    }
    assert set(fsck_words.REMEDIES) == set(Defect) | set(Remedy) - {Remedy.ROWS}


@pytest.mark.parametrize("defect", Defect)
def test_a_defect_of_rows_is_worded_by_itself(defect):
    finding = Finding(kind=KINDS[defect], defect=defect, to_do=Remedy.ROWS, part="a part", reason="text")
    assert "{" not in fsck_words.detail(finding)
    assert (fsck_words.done(finding), fsck_words.to_do(finding)) == ("", fsck_words.REMEDIES[defect])


def test_facts_are_filled_in():
    orphan = Finding(kind=Kind.ORPHAN, size=5, whole=True, done=Repair.CONDEMNED)
    assert fsck_words.detail(orphan) == "5 bytes without a row; its bytes are whole"
    short = Finding(kind=Kind.SHORT, size=4, expected=5, whole=True)
    assert fsck_words.detail(short) == "it has 4 bytes, its row says 5; its bytes are whole, so the row is wrong"


def test_a_repair_that_moved_a_file_shows_its_new_path():
    directory = Finding(kind=Kind.NOT_A_FILE, done=Repair.MARKED, moved_to="quarantine/x.1")
    assert fsck_words.done(directory) == f"{fsck_words.REPAIRS[Repair.MARKED]}; moved to quarantine/x.1"
    assert fsck_words.to_do(directory) == ""
