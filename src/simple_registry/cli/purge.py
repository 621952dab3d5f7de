"""`purge`: content goes at once, with what could bring it back, whether or not a server runs.

0  purged     1  not held, needed, or held by other repositories, too     2  invalid arguments or data directory
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from simple_registry.backends.purging import purging_for_command
from simple_registry.cli.command_audit import operator, record_changes
from simple_registry.cli.data_commands import read_settings
from simple_registry.cli.images import parse_image
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.http.events import EventName
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.purge import Purge, Purged
from simple_registry.storage.purging import NeededBy, PurgedFrom

_HELP = f"""\
usage: simple-registry purge REPOSITORY@DIGEST [-everywhere] [-force] [-json]

Removes a manifest, a layer or another blob at once and for good, such as one with a secret: from the repository, from
what can be restored, and from the journal. Tags of a purged manifest go with it; its layers are purged by their own
digests. The bytes go with the last repository that holds them. Nothing of this can be undone.

A server may run meanwhile. While a backup is made, nothing is purged. Out of reach are backups made before, clients
that pulled the content, and what the file system keeps of removed files.

  -everywhere          purge it from all repositories
  -force               also what a manifest needs, which can then be pulled no longer as a whole
  -json                print JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, storage.snapshots, audit log
  -audit-log FILE      the server's audit log, or the variable {PREFIX}AUDIT_LOG (default: as the documents say)

Exit code: 0 purged, 1 not held, needed by a manifest, or still held by other repositories, 2 invalid arguments or data
directory.
"""
_UNREACHED = "out of reach: backups made before now, and clients that pulled it\n"


def purge(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `purge` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used or a backup is being made.
    """
    parser = Parser("purge", _HELP)
    parser.add_argument("image", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if asked.image is None:
        raise UsageError("usage: purge REPOSITORY@DIGEST; see 'purge -help'")
    repository, digest = parse_image(asked.image)
    if not isinstance(digest, Digest):
        raise UsageError(f"{asked.image!r} is not REPOSITORY@DIGEST; 'resolve' prints the digest of a tag")
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir, "audit-log": asked.audit_log}, environment, documents)
    outcome = asyncio.run(_purge(asked, settings, None if asked.everywhere else repository, digest))
    if isinstance(outcome, NeededBy):
        stderr.write(f"not purged: {outcome.repository}@{outcome.manifest} needs it; purge that first, or use -force\n")
        return 1
    record_changes(settings, _changes(outcome, digest), stderr)
    stdout.write(json.dumps(_document(outcome, digest), indent=2) + "\n" if asked.json else _text(outcome, digest))
    stdout.flush()
    stderr.write(_advice(outcome, asked.image))
    return 0 if outcome.found and not outcome.holders else 1


async def _purge(
    asked: argparse.Namespace, settings: Settings, repository: RepositoryName | None, digest: Digest
) -> Purged | NeededBy:
    storage = settings.storage
    opened = purging_for_command(settings.data_dir, keep=storage.snapshots, interval=storage.snapshot_interval)
    async with opened as purging:
        return await Purge(purging).purge(digest, repository, force=asked.force, actor=operator())


def _changes(purged: Purged, digest: Digest) -> Sequence[Mapping[str, object]]:
    return [change for each in purged.repositories for change in _changes_of(each, digest)]


def _changes_of(each: PurgedFrom, digest: Digest) -> Sequence[Mapping[str, object]]:
    facts = {"repository": each.repository, "digest": str(digest)}
    tags = [{"event": EventName.TAG_DELETE.value, **facts, "reference": tag} for tag in each.tags]
    return [{"event": EventName.CONTENT_PURGE.value, **facts}, *tags]


def _text(purged: Purged, digest: Digest) -> str:
    lines = []
    for each in purged.repositories:
        lines.append(f"purged {each.repository}@{digest}")
        lines += [f"removed tag {each.repository}:{tag}" for tag in each.tags]
        lines += [f"cannot be restored any more: {each.repository}@{manifest}" for manifest in each.final]
    if purged.found and not purged.holders:
        lines.append(f"removed its bytes: {purged.size}")
    lines += [f"removed {path}" for path in (*purged.quarantined, *purged.snapshots.removed)]
    return "".join(f"{line}\n" for line in lines)


def _advice(purged: Purged, image: str) -> str:
    if purged.holders:
        held = f"the bytes stay: {', '.join(purged.holders)} {'hold' if len(purged.holders) > 1 else 'holds'} them"
        return f"{held}; -everywhere purges all\n"
    if not purged.found:
        return f"nothing holds {image}, nor does the journal name it\n"
    left = "".join(f"left: {path}, a copy of the database; remove it yourself\n" for path in purged.snapshots.left)
    return f"{left}{_UNREACHED}"


def _document(purged: Purged, digest: Digest) -> Mapping[str, object]:
    return {
        "digest": str(digest),
        "purged": [
            {
                "repository": each.repository,
                "tags": list(each.tags),
                "notRestorable": [str(manifest) for manifest in each.final],
            }
            for each in purged.repositories
        ],
        "heldBy": list(purged.holders),
        "bytes": purged.size,
        "removed": [*purged.quarantined, *purged.snapshots.removed],
        "left": list(purged.snapshots.left),
    }
