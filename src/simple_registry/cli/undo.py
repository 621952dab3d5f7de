"""`rollback` and `undelete`: earlier targets of tags, and what was deleted, come back; beside a running server, too.

0  success     1  nothing to restore, or not all of it     2  invalid arguments or data directory
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from simple_registry.cli.command_audit import operator, record_changes
from simple_registry.cli.data_commands import open_stores, read_settings
from simple_registry.cli.images import parse_image, parse_tagged
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.http.events import EventName
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, RegistryError
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.operations.undo import Restored, RolledBack
from simple_registry.services import build_undo

_OPTIONS = f"""\
  -json                print JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory
  -audit-log FILE      the server's audit log, or the variable {PREFIX}AUDIT_LOG (default: as the documents say)
"""
_ROLLBACK_HELP = f"""\
usage: simple-registry rollback REPOSITORY:TAG [-to EVENT|DIGEST] [-json]

Lets a tag point at what it pointed at before its last change, or at another manifest of the repository, even one that
was deleted and can be restored. Run it as the user that runs the server; rules that protect tags do not hold for it.

  -to EVENT            what the tag pointed at after this event of 'history', or a digest
{_OPTIONS}
Exit code: 0 success, 1 that cannot be restored any more, 2 invalid arguments or data directory.
"""
_UNDELETE_HELP = f"""\
usage: simple-registry undelete REPOSITORY[:TAG|@DIGEST] [-json]

Restores a tag, a manifest with its tags, or all that the last deletion of a repository deleted, as long as the grace
lasts. A tag that points elsewhere now is not changed. Run it as the user that runs the server.

{_OPTIONS}
Exit code: 0 success, 1 nothing, or not all, can be restored, 2 invalid arguments or data directory.
"""


def rollback(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `rollback` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("rollback", _ROLLBACK_HELP)
    parser.add_argument("image", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_ROLLBACK_HELP)
        return 0
    if asked.image is None:
        raise UsageError("usage: rollback REPOSITORY:TAG [-to EVENT|DIGEST]; see 'rollback -help'")
    repository, tag = parse_tagged(asked.image)
    to, settings = _event_or_digest(asked.to), _settings(asked, environment)
    try:
        done = asyncio.run(_roll_back(settings, repository, tag, to))
    except RegistryError as error:
        return _report(error, stderr)
    previous = None if done.previous is None else str(done.previous)
    facts = {"repository": repository, "reference": tag, "digest": str(done.digest), "previous": previous}
    record_changes(settings, [{"event": EventName.TAG_ROLLBACK.value, **facts}], stderr)
    document = {"name": repository, "tag": tag, "digest": str(done.digest), "previous": previous}
    before = f"before: {previous}" if previous else "it did not exist"
    text = f"{repository}:{tag} points at {done.digest} again ({before})"
    stdout.write(f"{json.dumps(document, indent=2) if asked.json else text}\n")
    stdout.flush()
    return 0


def undelete(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `undelete` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("undelete", _UNDELETE_HELP)
    parser.add_argument("image", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_UNDELETE_HELP)
        return 0
    if asked.image is None:
        raise UsageError("usage: undelete REPOSITORY[:TAG|@DIGEST]; see 'undelete -help'")
    repository, reference = parse_image(asked.image)
    settings = _settings(asked, environment)
    try:
        restored = asyncio.run(_restore(settings, repository, reference))
    except RegistryError as error:
        return _report(error, stderr)
    record_changes(settings, _changes(repository, reference, restored), stderr)
    stdout.write(json.dumps(_document(repository, restored), indent=2) + "\n" if asked.json else _text(restored))
    stdout.flush()
    stderr.writelines(f"not restored: {repository}:{tag} points elsewhere now\n" for tag in restored.elsewhere)
    stderr.writelines(f"cannot be restored any more: {digest}\n" for digest in restored.gone)
    return 1 if restored.elsewhere or restored.gone else 0


def _settings(asked: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    documents = read_documents(config_directories(asked.cfgdir, environment))
    return read_settings({"datadir": asked.datadir, "audit-log": asked.audit_log}, environment, documents)


async def _roll_back(settings: Settings, repository: RepositoryName, tag: Tag, to: int | Digest | None) -> RolledBack:
    async with open_stores(settings.data_dir) as stores:
        return await build_undo(stores).roll_back(repository, tag, to, actor=operator(), any_target=True)


async def _restore(settings: Settings, repository: RepositoryName, reference: Reference | None) -> Restored:
    async with open_stores(settings.data_dir) as stores:
        undo, actor = build_undo(stores), operator()
        if reference is None:
            return await undo.restore_repository(repository, authorize=_allowed, actor=actor)
        if isinstance(reference, Digest):
            return await undo.restore_manifest(repository, reference, authorize=_allowed, actor=actor)
        return await undo.restore_tag(repository, reference, actor=actor)


def _allowed(_tag: Tag) -> None:
    """Refuse nothing: a command has no caller."""


def _event_or_digest(text: str | None) -> int | Digest | None:
    if text is None or (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 (as SQLite counts)
        return None if text is None else int(text)
    try:
        return parse_digest(text)
    except DigestInvalid:
        raise UsageError(f"-to: {text[:100]!r} is neither the number of an event nor a digest") from None


def _changes(
    repository: RepositoryName, reference: Reference | None, restored: Restored
) -> Sequence[Mapping[str, object]]:
    if reference is None:
        return [{"event": EventName.REPOSITORY_RESTORE.value, "repository": repository}]
    manifests = [
        {"event": EventName.MANIFEST_RESTORE.value, "repository": repository, "digest": str(digest)}
        for digest in restored.manifests
    ]
    tags = [{"event": EventName.TAG_RESTORE.value, "repository": repository, "reference": tag} for tag in restored.tags]
    return [*manifests, *tags]


def _document(repository: RepositoryName, restored: Restored) -> Mapping[str, object]:
    return {
        "name": repository,
        "manifests": [str(digest) for digest in restored.manifests],
        "tags": list(restored.tags),
        "elsewhere": list(restored.elsewhere),
        "gone": [str(digest) for digest in restored.gone],
    }


def _text(restored: Restored) -> str:
    lines = [f"restored manifest {digest}\n" for digest in restored.manifests]
    return "".join([*lines, *(f"restored tag {tag}\n" for tag in restored.tags)]) or "nothing had to be restored\n"


def _report(error: RegistryError, stderr: TextIO) -> int:
    reason = error.facts.get("reason")
    stderr.write(f"{error.message}: {reason}\n" if reason else f"{error.message}\n")
    return 1
