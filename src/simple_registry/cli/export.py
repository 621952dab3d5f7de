"""`export`: repositories, or single images, as an OCI layout, beside a running server or without one.

0  everything was exported     1  something is missing or damaged     2  invalid arguments or data directory
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import BinaryIO, TextIO

from simple_registry.backends.moving import STREAM, open_target
from simple_registry.cli.data_commands import open_stores, read_settings
from simple_registry.cli.moving import Report, build_blobs, build_manifests
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.names import parse_repository_name, parse_tag
from simple_registry.operations.moving.exporting import Exporter, Selection
from simple_registry.operations.moving.tally import said
from simple_registry.operations.tags import Tags

_HELP = f"""\
usage: simple-registry export REPOSITORY[:TAG|@DIGEST]... TARGET [-json] [-datadir DIRECTORY]

Writes images as an OCI layout, with all that they refer to and all that refers to them. A server may run meanwhile.
TARGET is a directory, a file whose name ends in .tar, or - for a tar archive on standard output. A directory may hold
an earlier export: what it has is not written again.

The entries of the layout are named by tags. If there are several repositories, they are named repository:tag.

  -json                one JSON object for each defect, and one for the summary
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory

Exit code: 0 everything was exported, 1 something is missing or damaged, 2 invalid arguments or data directory.
"""


def export(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO, pipe: BinaryIO
) -> int:
    """Run the command with the arguments after `export`, an archive going to `pipe`; return the exit code.

    Raises:
        UsageError: an argument is wrong, or names what is not there.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory or the target cannot be used.

    """
    parser = Parser("export", _HELP)
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if len(asked.words) < 2:  # noqa: PLR2004 (what, and where to)
        raise UsageError("usage: export REPOSITORY[:TAG|@DIGEST]... TARGET; see 'export -help'")
    *words, target = asked.words
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    report = Report(stderr if target == STREAM else stdout, stderr, as_json=asked.json)
    try:
        return asyncio.run(_export(settings, [parse_selection(word) for word in words], target, pipe, report))
    except RegistryError as error:
        raise UsageError(said(error)) from None


def parse_selection(text: str) -> Selection:
    """Return what `REPOSITORY[:TAG|@DIGEST]` selects.

    Raises: NameInvalid, TagInvalid, DigestInvalid.
    """
    name, at, digest = text.partition("@")
    if at:
        return Selection(parse_repository_name(name), parse_digest(digest))
    name, colon, tag = text.partition(":")
    return Selection(parse_repository_name(name), parse_tag(tag) if colon else None)


async def _export(
    settings: Settings, selections: Sequence[Selection], target: str, pipe: BinaryIO, report: Report
) -> int:
    async with open_stores(settings.data_dir) as stores, report.shown() as tally:
        rows = stores.rows
        tags = Tags(rows.tags, rows.repositories)
        exporter = Exporter(build_manifests(stores, None), rows.manifests, build_blobs(stores), tags, tally)
        async with open_target(target, pipe) as layout:
            await exporter.run(selections, layout)
    return report.finish("exported")
