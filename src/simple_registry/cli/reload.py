"""`reload`: has the running server read its configuration again, and waits for the result.

    read the number of reloads ─► SIGHUP ─► wait until the number is another one ─► its outcome

0  reloaded     1  refused, or no result in time; nothing was changed     2  invalid arguments, or no server
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.backends import local
from simple_registry.cli.data_commands import find_data_dir
from simple_registry.cli.options import Parser, UsageError
from simple_registry.config.rows import PREFIX
from simple_registry.server.logging import printable

TIMEOUT = 80.0
"""Seconds until the command gives up; systemd ends it after 90."""
INTERVAL = 0.05
_DONE = "reloaded"
_HELP = f"""\
usage: simple-registry reload

Has the running server read documents, password file and certificate again, and waits until its new workers serve. A
reload that fails changes nothing; its reason is printed. Run it as the user that runs the server.

  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents that name the data directory

Exit code: 0 reloaded, 1 refused or no result in {TIMEOUT:g} seconds, 2 invalid arguments or no server.
"""


def reload(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, *, timeout: float = TIMEOUT
) -> int:
    """Run `reload` with these arguments, waiting `timeout` seconds. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault.
    """
    asked = Parser("reload", _HELP).parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    data_dir = find_data_dir(asked.datadir, asked.cfgdir, environment)
    before = local.find_server(data_dir)
    if before is None:
        raise UsageError(f"no server uses {data_dir}")
    try:
        os.kill(before.pid, signal.SIGHUP)
    except ProcessLookupError:
        raise UsageError(f"the server that used {data_dir} has exited; its workers finish their requests") from None
    outcome = _outcome(data_dir, before.reloads, timeout)
    stdout.write(printable(outcome) + "\n")
    stdout.flush()
    return 0 if outcome == _DONE else 1


def _outcome(data_dir: Path, reloads: int, timeout: float) -> str:
    """Return the outcome of the reload that follows `reloads` others."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        server = local.find_server(data_dir)
        if server is None:
            return "the server exited"
        if server.reloads != reloads:
            return server.outcome
        time.sleep(INTERVAL)
    return f"no result after {timeout:g} seconds; see the log"
