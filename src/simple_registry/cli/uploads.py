"""`uploads list | cancel`: the open upload sessions of a data directory, whether or not a server runs.

    0  success     1  a session could not be ended     2  invalid arguments or data directory

A request that writes to a session is ended with it, whatever process serves it.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings, table
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.oci.errors import BlobUploadInvalid, BlobUploadUnknown
from simple_registry.operations.uploads import SessionRow, Uploads
from simple_registry.server.logging import printable
from simple_registry.services import build_uploads
from simple_registry.times import format_moment

_PAGE = 1000
_COLUMNS = ("ID", "USER", "CLIENT", "REPOSITORY", "RECEIVED", "STARTED", "TOUCHED")
_HELP = f"""\
usage: simple-registry uploads list [-user NAME] [-json]
       simple-registry uploads cancel ID...
       simple-registry uploads cancel -user NAME

Run it as the user that runs the server.

  -user NAME           only sessions of this user
  -json                list as JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory

Exit code: 0 success, 1 a session could not be ended, 2 invalid arguments or data directory.
"""


def uploads(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `uploads` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("uploads", _HELP)
    parser.add_argument("action", nargs="?", choices=("list", "cancel"))
    parser.add_argument("ids", nargs="*")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    documents = read_documents(config_directories(asked.cfgdir, environment))
    data_dir = read_settings({"datadir": asked.datadir}, environment, documents).data_dir
    if asked.action == "list" and not asked.ids:
        return asyncio.run(_list(asked, data_dir, stdout))
    if asked.action == "cancel" and bool(asked.ids) != bool(asked.user):
        return asyncio.run(_cancel(asked, data_dir, stderr))
    raise UsageError("usage: uploads list, uploads cancel ID or uploads cancel -user NAME; see 'uploads -help'")


@asynccontextmanager
async def _open(data_dir: Path) -> AsyncIterator[Uploads]:
    async with open_stores(data_dir) as stores:
        yield build_uploads(stores, SystemClock(), limit=0, share=0)  # this command starts no session


async def _list(asked: argparse.Namespace, data_dir: Path, stdout: TextIO) -> int:
    async with _open(data_dir) as operations:
        rows = await _chosen(operations, asked)
    if asked.json:
        stdout.write(json.dumps([_described(row) for row in rows], indent=2) + "\n")
    else:
        stdout.writelines(table([_COLUMNS, *map(_cells, rows)]))
    stdout.flush()
    return 0


async def _cancel(asked: argparse.Namespace, data_dir: Path, stderr: TextIO) -> int:
    ended = left = 0
    async with _open(data_dir) as operations:
        rows = await _chosen(operations, asked)
        unknown = sorted(set(asked.ids) - {row.session for row in rows})
        if unknown:
            raise UsageError(f"no such session: {' '.join(unknown)}; 'uploads list' shows the ids")
        for row in rows:
            try:
                await operations.cancel(row)
            except BlobUploadUnknown:
                continue  # its client ended it first
            except BlobUploadInvalid as error:
                stderr.write(f"session {row.session}: {error.message}\n")
                left += 1
            else:
                ended += 1
    stderr.write(f"sessions ended: {ended}\n")
    return 1 if left else 0


async def _chosen(operations: Uploads, asked: argparse.Namespace) -> Sequence[SessionRow]:
    chosen: list[SessionRow] = []
    after = ""
    while page := await operations.page(after, _PAGE):
        after = page[-1].session
        chosen += (row for row in page if _is_chosen(row, asked))
    return chosen


def _is_chosen(row: SessionRow, asked: argparse.Namespace) -> bool:
    return (not asked.user or row.identity == asked.user) and (not asked.ids or row.session in asked.ids)


def _described(row: SessionRow) -> dict[str, object]:
    return {
        "id": row.session,
        "user": row.identity,
        "client": row.client or None,
        "repository": row.repository,
        "received": row.received.size,
        "started": format_moment(row.started),
        "touched": format_moment(row.touched),
    }


def _cells(row: SessionRow) -> Sequence[str]:
    times = (format_moment(row.started), format_moment(row.touched))
    cells = (row.session, row.identity, row.client or "-", row.repository, str(row.received.size), *times)
    return [printable(cell) for cell in cells]
