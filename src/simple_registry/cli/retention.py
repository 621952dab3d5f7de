"""`retention plan | apply`: which tags the `Retention` documents keep, and the removal of the others.

    0  success     2  invalid arguments, documents or data directory

Both work with and without a running server.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from simple_registry.access.retention import Verdict
from simple_registry.access.rules import AccessRules
from simple_registry.cli.can_i import required_directories
from simple_registry.cli.data_commands import open_stores, read_settings, table
from simple_registry.cli.options import CFGDIR, Parser, UsageError
from simple_registry.clock import SystemClock
from simple_registry.config.load import load_access, read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.operations.retention import Judged, described_tag
from simple_registry.server.logging import printable
from simple_registry.services import build_retention
from simple_registry.storage.records import TagRow
from simple_registry.times import format_moment

_COLUMNS = ("", "TAG", "PUSHED", "PULLED", "RETENTION", "KEPT BY")
_HELP = f"""\
usage: simple-registry retention plan -cfgdir DIRECTORY... [-json]
       simple-registry retention apply -cfgdir DIRECTORY... [-json]

plan: shows which tags would go, and why each other one stays. Changes nothing.
apply: removes the tags that go, and shows them. Manifests stay; 'undelete' brings a tag back.

Tags that no Retention reaches are not shown. Run it as the user that runs the server, which may run meanwhile.

  -json                print a JSON list
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents, or the variable {CFGDIR.variable}

Exit code: 0 success, 2 invalid arguments, documents or data directory.
"""


def retention(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `retention` with these arguments. Return the exit code.

    Raises:
        UsageError: the arguments are invalid.
        ConfigError: a document is wrong.
        StorageFault: the data directory cannot be used, or not be written to.

    """
    parser = Parser("retention", _HELP)
    parser.add_argument("action", nargs="?", choices=("plan", "apply"))
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if asked.action is None:
        raise UsageError("usage: retention plan or retention apply; see 'retention -help'")
    directories = required_directories(asked.cfgdir, environment)
    rules = load_access(directories)
    if not rules.retentions:
        raise UsageError("no Retention among the documents")
    settings = read_settings({"datadir": asked.datadir}, environment, read_documents(directories))
    return asyncio.run(_run(asked, settings, rules, stdout, stderr))


async def _run(
    asked: argparse.Namespace, settings: Settings, rules: AccessRules, stdout: TextIO, stderr: TextIO
) -> int:
    entries: list[dict[str, object]] = []
    goes = stays = 0
    async with open_stores(settings.data_dir) as stores:
        operations = build_retention(stores, SystemClock(), lambda: rules)
        async for judged in operations.plan() if asked.action == "plan" else operations.apply():
            going = sum(verdict.reason is None for _, verdict in judged.tags)
            goes, stays = goes + going, stays + len(judged.tags) - going
            if asked.json:
                entries += [described_tag(judged.repository, *each) for each in judged.tags]
            else:
                stdout.writelines(_lines(judged))
    if asked.json:
        stdout.write(json.dumps(entries, indent=2) + "\n")
    stdout.flush()
    stderr.write(f"{goes} would go, {stays} stay\n" if asked.action == "plan" else f"tags removed: {goes}\n")
    return 0


def _lines(judged: Judged) -> Sequence[str]:
    return [f"{printable(judged.repository)}\n", *table([_COLUMNS, *(_cells(*each) for each in judged.tags)]), "\n"]


def _cells(row: TagRow, verdict: Verdict) -> Sequence[str]:
    pulled = "-" if row.pulled is None else format_moment(row.pulled)
    mark, reason = ("-", verdict.cause) if verdict.reason is None else ("", verdict.reason)
    return (mark, row.tag, format_moment(row.pushed), pulled, printable(verdict.retention), printable(reason))
