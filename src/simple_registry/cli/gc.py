"""`gc explain`: what keeps content, or when it ends, in a data directory, whether or not a server runs.

0  it is held     1  nothing holds it     2  invalid arguments or data directory
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.names import parse_repository_name, parse_tag
from simple_registry.operations.explanations import Explained, Explanations
from simple_registry.storage.life import HoldingState
from simple_registry.storage.records import Part
from simple_registry.times import format_moment

_HELP = f"""\
usage: simple-registry gc explain DIGEST
       simple-registry gc explain REPOSITORY:TAG
       simple-registry gc explain REPOSITORY@DIGEST

Shows what keeps content, in each repository that holds it: the path from a tag. Or since when it is unneeded or
deleted, and when it ends. 'garbage-collect' collects.

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
        raise UsageError("usage: gc explain DIGEST, REPOSITORY:TAG or REPOSITORY@DIGEST; see 'gc -help'")
    settings = read_settings(
        {"datadir": asked.datadir}, environment, read_documents(config_directories(asked.cfgdir, environment))
    )
    explained = asyncio.run(_explain(asked.content, settings.data_dir))
    grace = settings.garbage_collection.grace
    if asked.json:
        stdout.write(json.dumps([_described(each, grace) for each in explained], indent=2) + "\n")
    else:
        stdout.writelines(_line(each, grace) for each in explained)
    stdout.flush()
    return 0 if explained else 1


async def _explain(text: str, data_dir: Path) -> Sequence[Explained]:
    async with open_stores(data_dir) as stores:
        explanations = Explanations(stores.rows.keepers)
        try:
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
