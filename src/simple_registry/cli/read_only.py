"""`read-only on | off | status`: the read-only mode of a data directory, whether or not a server runs.

0  success     2  invalid arguments or data directory
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from simple_registry.cli.command_audit import record_changes
from simple_registry.cli.data_commands import open_stores, read_settings
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.http.events import EventName
from simple_registry.operations.collection import restorable_until
from simple_registry.operations.read_only import ReadOnly
from simple_registry.server.logging import printable
from simple_registry.storage.records import ReadOnlyMode
from simple_registry.times import format_moment

MAX_REASON = 200
_HELP = f"""\
usage: simple-registry read-only on [-reason TEXT]
       simple-registry read-only off
       simple-registry read-only status [-json]

on: from now on nothing changes: pulls go on, everything else gets 503 with the reason. Collector and retention rest.
off: everything is as before. Graces went on: what was deleted long ago ends with the next collection.

Run it as the user that runs the server; no restart is needed.

  -reason TEXT         what clients are told (default: maintenance), at most {MAX_REASON} characters
  -json                print JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, garbageCollection.grace
  -audit-log FILE      the server's audit log, or the variable {PREFIX}AUDIT_LOG (default: as the documents say)

Exit code: 0 success, 2 invalid arguments or data directory.
"""


def read_only(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `read-only` with these arguments. Return the exit code.

    Raises:
        UsageError: the arguments are invalid.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory cannot be used, or not be written to.

    """
    parser = Parser("read-only", _HELP)
    parser.add_argument("action", nargs="?", choices=("on", "off", "status"))
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if asked.action is None or (asked.reason and asked.action != "on"):
        raise UsageError("usage: read-only on [-reason TEXT], read-only off or read-only status; see 'read-only -help'")
    reason = asked.reason or "maintenance"
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise UsageError(f"-reason has at most {MAX_REASON} characters, on one line")
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir, "audit-log": asked.audit_log}, environment, documents)
    before, mode, until = asyncio.run(_act(asked.action, reason, settings))
    record_changes(settings, _changes(before, mode), stderr)
    stdout.write(_json(mode, until) if asked.json else _text(mode, until))
    stdout.flush()
    return 0


async def _act(
    action: str, reason: str, settings: Settings
) -> tuple[ReadOnlyMode | None, ReadOnlyMode | None, float | None]:
    """Turn the mode on or off, or do neither. Return it before and after, and until when deletions can be undone."""
    async with open_stores(settings.data_dir) as stores:
        operations = ReadOnly(stores.rows.mode, SystemClock(), by_setting=False)
        before = await operations.find()
        if action == "on":
            await operations.begin(reason)
        elif action == "off":
            await operations.end()
        waiting = await stores.rows.garbage.waiting()
        until = restorable_until(waiting, settings.garbage_collection.grace)
        return before, await operations.find(), until


def _changes(before: ReadOnlyMode | None, mode: ReadOnlyMode | None) -> Sequence[Mapping[str, object]]:
    if mode == before:
        return ()
    return [
        {"event": EventName.READ_ONLY_OFF.value}
        if mode is None
        else {"event": EventName.READ_ONLY_ON.value, "reason": mode.reason}
    ]


def _text(mode: ReadOnlyMode | None, until: float | None) -> str:
    if mode is None:
        return "read-only mode is off\n"
    text = f"read-only mode is on since {format_moment(mode.since)}: {printable(mode.reason)}\n"
    if until is None:
        return text
    return f"{text}graces go on: the last deletion can be undone until {format_moment(until)}, after the mode\n"


def _json(mode: ReadOnlyMode | None, until: float | None) -> str:
    described = {} if mode is None else {"reason": mode.reason, "since": format_moment(mode.since)}
    if until is not None:
        described["restorableUntil"] = format_moment(until)
    return json.dumps({"readOnly": mode is not None, **described}, indent=2) + "\n"
