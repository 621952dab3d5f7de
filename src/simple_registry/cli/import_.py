"""`import`: an OCI layout into repositories, beside a running server or without one.

0  everything was imported     1  something is missing or damaged     2  invalid arguments, layout or data directory
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from simple_registry.backends import local
from simple_registry.backends.moving import STREAM, open_layout, open_pipe
from simple_registry.cli.data_commands import open_stores, read_settings
from simple_registry.cli.moving import Report, build_intake
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.layouts import LayoutInvalid
from simple_registry.oci.names import RepositoryName, parse_repository_name
from simple_registry.operations.moving.importing import Importer
from simple_registry.operations.moving.tally import said
from simple_registry.operations.renewals import RENEWAL_INTERVAL
from simple_registry.services import REQUIRED

_HELP = f"""\
usage: simple-registry import SOURCE [REPOSITORY] [-json] [-datadir DIRECTORY]

Pushes an OCI layout into a repository: its manifests with all that they refer to, and its names as tags. A server may
run meanwhile. SOURCE is a directory, a tar file (not compressed), or - for a tar archive on standard input. What is
there already is skipped, so an import that broke off can be run again.

Without REPOSITORY, the names in the layout must be repository:tag, as 'export' writes them for several repositories.

  -json                one JSON object for each defect, and one for the summary
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data); a new one is made
  -cfgdir DIRECTORY... directory of YAML documents: data directory, and which parts of manifests may be missing

Exit code: 0 everything was imported, 1 something is missing or damaged, 2 invalid arguments, layout or data directory.
"""


def import_(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO, pipe: BinaryIO
) -> int:
    """Run the command with the arguments after `import`, an archive coming from `pipe`; return the exit code.

    Raises:
        UsageError: an argument is wrong, or the layout cannot be used.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory or the source cannot be used.

    """
    parser = Parser("import", _HELP)
    parser.add_argument("source", nargs="?")
    parser.add_argument("repository", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if not asked.source:
        raise UsageError("usage: import SOURCE [REPOSITORY]; see 'import -help'")
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    try:
        repository = parse_repository_name(asked.repository) if asked.repository else None
        return asyncio.run(
            _import(settings, asked.source, repository, pipe, Report(stdout, stderr, as_json=asked.json))
        )
    except RegistryError as error:
        raise UsageError(said(error)) from None
    except LayoutInvalid as error:
        raise UsageError(f"cannot import {asked.source}: {error}") from None


async def _import(
    settings: Settings, source: str, repository: RepositoryName | None, pipe: BinaryIO, report: Report
) -> int:
    local.make(settings.data_dir)
    async with open_stores(settings.data_dir) as stores, report.shown() as tally:
        intake = build_intake(stores, settings, REQUIRED[settings.allow_missing])
        renew_every = min(RENEWAL_INTERVAL, settings.garbage_collection.grace / 4)
        importer = Importer(intake, tally, renew_every=renew_every)
        if source == STREAM:
            await importer.receive(open_pipe(pipe), repository)
        else:
            with open_layout(Path(source)) as layout:
                await importer.run(layout, repository)
    return report.finish("imported")
