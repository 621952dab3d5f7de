"""The entry point: from arguments to an exit code.

    0  success, or stopped by a signal     1  failure while running     2  wrong usage, configuration or environment

Every expected error becomes one line on standard error; a traceback means a bug.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence

from simple_registry.access.passwords import PasswordInvalid
from simple_registry.cli.commands import COMMANDS, Console
from simple_registry.cli.genhash import genhash
from simple_registry.cli.options import CommandLine, UsageError, help_text, parse_command_line, require_known_variables
from simple_registry.config.values import ConfigError
from simple_registry.faults import StorageFault
from simple_registry.server.listeners import ListenFault
from simple_registry.server.logging import printable
from simple_registry.server.supervisor import StartFault

_WRONG = (UsageError, PasswordInvalid, ConfigError, ListenFault, StorageFault)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        require_known_variables(os.environ)
        command = COMMANDS.get(words[0]) if words else None
        if command is not None and command.code:
            return command.run(words[1:], Console())
        line = parse_command_line(words, os.environ)
        return _WITHOUT_OPTIONS.get(line.command, _too_late)(line)
    except _WRONG as error:
        return _report(error, 2)
    except StartFault as error:
        return _report(error, 1)
    except KeyboardInterrupt:
        return 1
    except BrokenPipeError:  # the reader of standard output has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _report(error: Exception, code: int) -> int:
    sys.stderr.write(f"simple-registry: {printable(str(error))}\n")
    return code


def _serve(line: CommandLine) -> int:
    # Imported here so that the other commands start fast.
    from simple_registry.cli.serve import serve  # noqa: PLC0415

    return serve(line)


def _too_late(line: CommandLine) -> int:
    raise UsageError(f"write the command first, then its options: simple-registry {line.command} ...")


def help_of(topic: str | None = None) -> str:
    """Return the help text of the program, or of a command."""
    if topic is None or not COMMANDS[topic].code:
        return help_text(topic)
    written = io.BytesIO()
    with io.TextIOWrapper(written, "utf-8") as stdout:
        COMMANDS[topic].run(["-help"], Console(stdout=stdout))
        stdout.flush()
        return written.getvalue().decode()


def _help(line: CommandLine) -> int:
    sys.stdout.write(help_of(line.topic))
    sys.stdout.flush()
    return 0


_WITHOUT_OPTIONS: dict[str, Callable[[CommandLine], int]] = {
    "serve": _serve,
    "genhash": lambda _: genhash(sys.stdin, sys.stdout),
    "version": lambda _: COMMANDS["version"].run([], Console()),  # as -version
    "help": _help,
}
"""The commands without options of their own, and those that are spelled as options."""
