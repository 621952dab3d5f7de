"""`recover`: rebuild a lost or broken database from its newest copy and the content, while no server runs.

0  recovered, or nothing to recover     1  recovered without some content     2  not recovered
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from simple_registry.backends.recovery import Recovered, Recovery, Unassigned
from simple_registry.cli.copy_report import damaged_line, described_damage
from simple_registry.cli.data_commands import read_settings
from simple_registry.cli.options import Parser, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.server.logging import printable
from simple_registry.sizes import counted
from simple_registry.times import format_moment

_HELP = f"""\
usage: simple-registry recover [-datadir DIRECTORY]

Rebuilds registry.db, where it is lost or broken, from the newest sound copy beside it (snapshots/ and
registry.db.before-*), and compares it with the content. The broken one is moved aside. Stop the server first.

  -json                report as one JSON object
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory

Exit code: 0 recovered or nothing to recover, 1 recovered, some content is missing or has no row, 2 not recovered.
"""
_LOST = (
    "tags, pushes and deletions after it",
    "tokens issued after it, which are gone, and revoked after it, which are valid again: see 'token list'",
)
_NO_COPY = (
    "there is no sound copy of the database, so nothing shows which repository held what: restore a backup, "
    "or start with another -datadir and push again; the files in blobs/ stay as they are"
)


def recover(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `recover`; return the exit code.

    Raises:
        UsageError: an argument is wrong.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory cannot be used.

    """
    asked = Parser("recover", _HELP).parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    documents = read_documents(config_directories(asked.cfgdir, environment))
    data_dir = read_settings({"datadir": asked.datadir}, environment, documents).data_dir
    recovered = Recovery(data_dir, SystemClock()).run()
    if asked.json:
        stdout.write(json.dumps(_described(recovered)) + "\n")
    else:
        stdout.writelines(printable(line) + "\n" for line in _lines(recovered))
    stdout.flush()
    if recovered is None:
        return 0
    if recovered.copy is None:
        stderr.write(f"simple-registry: not recovered: {_NO_COPY}\n")
        return 2
    return 1 if recovered.damaged or recovered.unassigned else 0


def _lines(recovered: Recovered | None) -> Iterator[str]:
    if recovered is None:
        yield "registry.db is sound; nothing to recover"
        return
    yield f"registry.db: {recovered.damage}"
    for path, reason in recovered.skipped.items():
        yield f"not used: {path}: {reason}"
    for damaged in recovered.damaged:
        yield damaged_line(damaged)
    manifests, others = _kinds(recovered)
    for each in manifests:
        yield f"without a row: manifest {each.digest}, {each.size} bytes, {each.media_type}"
    if others:
        size = sum(each.size for each in others)
        yield f"without a row: {counted(len(others), 'blob')}, {size} bytes; -json lists them"
    if recovered.copy is not None:
        yield from _outcome(recovered)


def _outcome(recovered: Recovered) -> Iterator[str]:
    if recovered.moved_to:
        yield f"moved aside: {recovered.moved_to}"
    yield f"recovered from {recovered.copy}, of {format_moment(recovered.taken)}. Not known: {'; '.join(_LOST)}"
    if recovered.unassigned:
        yield (
            "content without a row is not served, since no repository is known to hold it: push those images again. "
            "'fsck --repair' would hand it to the collector"
        )


def _kinds(recovered: Recovered) -> tuple[Sequence[Unassigned], Sequence[Unassigned]]:
    """Return the manifests without a row, and the other content without one."""
    manifests = [each for each in recovered.unassigned if each.media_type]
    return manifests, [each for each in recovered.unassigned if not each.media_type]


def _described(recovered: Recovered | None) -> dict[str, object]:
    if recovered is None:
        return {"damage": None}
    manifests, others = _kinds(recovered)
    return {
        "damage": recovered.damage,
        "recoveredFrom": recovered.copy,
        "taken": format_moment(recovered.taken) if recovered.copy else None,
        "movedTo": recovered.moved_to,
        "notUsed": recovered.skipped,
        "damaged": [described_damage(each) for each in recovered.damaged],
        "manifestsWithoutRow": [
            {"digest": str(each.digest), "size": each.size, "mediaType": each.media_type} for each in manifests
        ],
        "contentWithoutRow": [{"digest": str(each.digest), "size": each.size} for each in others],
    }
