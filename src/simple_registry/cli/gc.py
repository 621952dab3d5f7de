"""`gc explain`: what keeps content, or when it ends; what a repository keeps, and when the rest of it ends.

Works whether or not a server runs.

0  it is held     1  nothing holds it     2  invalid arguments or data directory
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings, table
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.names import parse_repository_name, parse_tag
from simple_registry.operations.explanations import Contained, Explained, Explanations
from simple_registry.sizes import readable
from simple_registry.storage.life import HoldingState
from simple_registry.storage.records import HeldTogether, Part
from simple_registry.times import format_moment

_ALONE = "without a manifest"
"""Blobs that were pushed, and to which no manifest has referred since."""
_STATES = (HoldingState.NEEDED.value, _ALONE, HoldingState.UNNEEDED.value, HoldingState.DELETED.value)
_COLUMNS: tuple[str, ...] = ("STATE", "MANIFESTS", "BLOBS", "SIZE", "FIRST ENDS", "LAST ENDS")
_HELP = f"""\
usage: simple-registry gc explain DIGEST
       simple-registry gc explain REPOSITORY:TAG
       simple-registry gc explain REPOSITORY@DIGEST
       simple-registry gc explain REPOSITORY

Shows what keeps content, in each repository that holds it: the path from a tag. Or since when it is unneeded or
deleted, and when it ends. 'garbage-collect' collects.

Of a repository: what is needed, what was pushed and no manifest refers to yet, what is unneeded, what was deleted and
can be restored until it ends; and when the first and the last of each end. Blobs that no manifest refers to count for
quotas, and end later if a client asks for them.

  -json                print a JSON list
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, garbageCollection.grace

Exit code: 0 it is held, 1 nothing holds it, 2 invalid arguments or data directory.
"""


def gc(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> int:
    """Run `gc` with these arguments. Return the exit code.

    Raises:
        UsageError: the arguments are invalid.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory cannot be used.

    """
    parser = Parser("gc", _HELP)
    parser.add_argument("action", nargs="?", choices=("explain",))
    parser.add_argument("content", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if asked.content is None:
        raise UsageError("usage: gc explain DIGEST, REPOSITORY:TAG, REPOSITORY@DIGEST or REPOSITORY; see 'gc -help'")
    settings = read_settings(
        {"datadir": asked.datadir}, environment, read_documents(config_directories(asked.cfgdir, environment))
    )
    explained = asyncio.run(_explain(asked.content, settings.data_dir))
    grace = settings.garbage_collection.grace
    if isinstance(explained, Contained):
        entries, lines = _entries(explained, grace), _table(asked.content, explained, grace)
    else:
        entries, lines = [_described(each, grace) for each in explained], [_line(each, grace) for each in explained]
    stdout.writelines([json.dumps(entries, indent=2) + "\n"] if asked.json else lines)
    stdout.flush()
    return 0 if entries else 1


async def _explain(text: str, data_dir: Path) -> Sequence[Explained] | Contained:
    async with open_stores(data_dir) as stores:
        explanations = Explanations(stores.rows.keepers, stores.rows.usage)
        try:
            if "@" not in text and ":" not in text:
                return await explanations.summarize(parse_repository_name(text))
            name, at, digest = text.rpartition("@")
            if at or not _is_tagged(text):
                return await explanations.explain(parse_digest(digest), parse_repository_name(name) if at else None)
            name, _, tag = text.rpartition(":")
            repository = parse_repository_name(name)
            found = await stores.rows.manifests.find_tagged(repository, parse_tag(tag))
        except RegistryError as error:
            raise UsageError(f"{text[:300]!r} is not content: {error.message}") from error
        return [] if found is None else await explanations.explain(found.digest, repository)


def _is_tagged(text: str) -> bool:
    try:
        parse_digest(text)
    except RegistryError:
        return ":" in text
    return False


def _groups(contained: Contained) -> Mapping[str, Sequence[HeldTogether]]:
    """Return what is held, by the words for its state."""
    groups: dict[str, list[HeldTogether]] = {}
    for each in contained.held:
        alone = each.state is HoldingState.UNNEEDED and each.counts
        groups.setdefault(_ALONE if alone else each.state.value, []).append(each)
    return {name: groups[name] for name in _STATES if name in groups}


def _ends(held: Sequence[HeldTogether], grace: float) -> Sequence[str | None]:
    """Return when the first and the last of these end, which are in one state; nothing for needed ones."""
    if held[0].state is HoldingState.NEEDED:
        return (None, None)
    return tuple(format_moment(since + grace) for since in (min(e.first for e in held), max(e.last for e in held)))


def _numbers(held: Sequence[HeldTogether]) -> tuple[int, int, int]:
    """Return the numbers of manifests and blobs, and their bytes."""
    counts = [sum(each.space.count for each in held if each.part is part) for part in (Part.CHILD, Part.BLOB)]
    return counts[0], counts[1], sum(each.space.size for each in held)


def _table(repository: str, contained: Contained, grace: float) -> Sequence[str]:
    rows = [_COLUMNS]
    for name, held in _groups(contained).items():
        manifests, blobs, size = _numbers(held)
        rows.append((name, str(manifests), str(blobs), readable(size), *(end or "-" for end in _ends(held, grace))))
    return [f"{repository}: tags: {contained.tags}\n", *table(rows)] if contained.held else []


def _entries(contained: Contained, grace: float) -> Sequence[Mapping[str, object]]:
    entries: list[Mapping[str, object]] = []
    for name, held in _groups(contained).items():
        (manifests, blobs, size), (first, last) = _numbers(held), _ends(held, grace)
        sizes = {"manifests": manifests, "blobs": blobs, "bytes": size}
        entries.append({"state": name, **sizes, "firstEnds": first, "lastEnds": last})
    return entries


def _line(each: Explained, grace: float) -> str:
    repository, holding = each.held.repository, each.held.holding
    kind = "blob" if each.held.part is Part.BLOB else "manifest"
    if holding.state is not HoldingState.NEEDED:
        times = f"since {format_moment(holding.since)}, ends {format_moment(holding.since + grace)}"
        return f"{repository}: the {kind} is {holding.state} {times}\n"
    begin = f"the tag {each.tag}" if each.tag else "a manifest without a tag"
    return f"{repository}: the {kind} is needed by {begin}: {' -> '.join(map(str, each.path))}\n"


def _described(each: Explained, grace: float) -> dict[str, object]:
    holding = each.held.holding
    needed = holding.state is HoldingState.NEEDED
    return {
        "repository": each.held.repository,
        "as": "blob" if each.held.part is Part.BLOB else "manifest",
        "state": holding.state,
        "since": None if needed else format_moment(holding.since),
        "ends": None if needed else format_moment(holding.since + grace),
        "tag": each.tag,
        "path": [str(digest) for digest in each.path],
    }
