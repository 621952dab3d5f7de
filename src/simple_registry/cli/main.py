"""The entry point: from arguments to an exit code.

    0  success, or stopped by a signal     1  failure while running     2  wrong usage, configuration or environment

Every expected error becomes one line on standard error; a traceback means a bug.
"""

import os
import sys
from collections.abc import Callable, Sequence

from simple_registry.access.passwords import PasswordInvalid
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
        if words and words[0] in _WITH_OWN_OPTIONS:
            return _WITH_OWN_OPTIONS[words[0]](words[1:])
        line = parse_command_line(words, os.environ)
        return _COMMANDS[line.command](line)
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


def _token(words: Sequence[str]) -> int:
    from simple_registry.cli.token import token  # noqa: PLC0415 (as above)

    return token(words, os.environ, sys.stdout, sys.stderr)


def _can_i(words: Sequence[str]) -> int:
    from simple_registry.cli.can_i import can_i  # noqa: PLC0415 (as above)

    return can_i(words, os.environ, sys.stdout)


def _policy(words: Sequence[str]) -> int:
    from simple_registry.cli.policy import policy  # noqa: PLC0415 (as above)

    return policy(words, os.environ, sys.stdout)


def _config(words: Sequence[str]) -> int:
    from simple_registry.cli.config import config  # noqa: PLC0415 (as above)

    return config(words, os.environ, sys.stdout)


def _doctor(words: Sequence[str]) -> int:
    from simple_registry.cli.doctor import doctor  # noqa: PLC0415 (as above)

    return doctor(words, os.environ, sys.stdin, sys.stdout, sys.stderr)


def _fsck(words: Sequence[str]) -> int:
    from simple_registry.cli.fsck import fsck  # noqa: PLC0415 (as above)

    return fsck(words, os.environ, sys.stdout, sys.stderr)


def _uploads(words: Sequence[str]) -> int:
    from simple_registry.cli.uploads import uploads  # noqa: PLC0415 (as above)

    return uploads(words, os.environ, sys.stdout, sys.stderr)


def _retention(words: Sequence[str]) -> int:
    from simple_registry.cli.retention import retention  # noqa: PLC0415 (as above)

    return retention(words, os.environ, sys.stdout, sys.stderr)


def _usage(words: Sequence[str]) -> int:
    from simple_registry.cli.usage import usage  # noqa: PLC0415 (as above)

    return usage(words, os.environ, sys.stdout)


def _read_only(words: Sequence[str]) -> int:
    from simple_registry.cli.read_only import read_only  # noqa: PLC0415 (as above)

    return read_only(words, os.environ, sys.stdout, sys.stderr)


def _backup(words: Sequence[str]) -> int:
    from simple_registry.cli.backup import backup  # noqa: PLC0415 (as above)

    return backup(words, os.environ, sys.stdout, sys.stderr)


def _restore(words: Sequence[str]) -> int:
    from simple_registry.cli.restore import restore  # noqa: PLC0415 (as above)

    return restore(words, os.environ, sys.stdout, sys.stderr)


def _recover(words: Sequence[str]) -> int:
    from simple_registry.cli.recover import recover  # noqa: PLC0415 (as above)

    return recover(words, os.environ, sys.stdout, sys.stderr)


def _export(words: Sequence[str]) -> int:
    from simple_registry.cli.export import export  # noqa: PLC0415 (as above)

    return export(words, os.environ, sys.stdout, sys.stderr, sys.stdout.buffer)


def _import(words: Sequence[str]) -> int:
    from simple_registry.cli.import_ import import_  # noqa: PLC0415 (as above)

    return import_(words, os.environ, sys.stdout, sys.stderr, sys.stdin.buffer)


def _adopt(words: Sequence[str]) -> int:
    from simple_registry.cli.adopt import adopt  # noqa: PLC0415 (as above)

    return adopt(words, os.environ, sys.stdout, sys.stderr)


def _history(words: Sequence[str]) -> int:
    from simple_registry.cli.history import history  # noqa: PLC0415 (as above)

    return history(words, os.environ, sys.stdout)


def _resolve(words: Sequence[str]) -> int:
    from simple_registry.cli.history import resolve  # noqa: PLC0415 (as above)

    return resolve(words, os.environ, sys.stdout, sys.stderr)


def _rollback(words: Sequence[str]) -> int:
    from simple_registry.cli.undo import rollback  # noqa: PLC0415 (as above)

    return rollback(words, os.environ, sys.stdout, sys.stderr)


def _undelete(words: Sequence[str]) -> int:
    from simple_registry.cli.undo import undelete  # noqa: PLC0415 (as above)

    return undelete(words, os.environ, sys.stdout, sys.stderr)


def _purge(words: Sequence[str]) -> int:
    from simple_registry.cli.purge import purge  # noqa: PLC0415 (as above)

    return purge(words, os.environ, sys.stdout, sys.stderr)


def _garbage_collect(words: Sequence[str]) -> int:
    from simple_registry.cli.garbage_collect import garbage_collect  # noqa: PLC0415 (as above)

    return garbage_collect(words, os.environ, sys.stdout, sys.stderr)


def _reload(words: Sequence[str]) -> int:
    from simple_registry.cli.reload import reload  # noqa: PLC0415 (as above)

    return reload(words, os.environ, sys.stdout)


def _gc(words: Sequence[str]) -> int:
    from simple_registry.cli.gc import gc  # noqa: PLC0415 (as above)

    return gc(words, os.environ, sys.stdout)


def _version(words: Sequence[str]) -> int:
    from simple_registry.cli.version import version  # noqa: PLC0415 (as above)

    return version(words, sys.stdout)


_WITH_OWN_OPTIONS = {
    "token": _token,
    "uploads": _uploads,
    "can-i": _can_i,
    "policy": _policy,
    "config": _config,
    "retention": _retention,
    "usage": _usage,
    "history": _history,
    "resolve": _resolve,
    "rollback": _rollback,
    "undelete": _undelete,
    "purge": _purge,
    "read-only": _read_only,
    "garbage-collect": _garbage_collect,
    "gc": _gc,
    "fsck": _fsck,
    "backup": _backup,
    "restore": _restore,
    "recover": _recover,
    "export": _export,
    "import": _import,
    "adopt": _adopt,
    "doctor": _doctor,
    "reload": _reload,
    "version": _version,
}


def _too_late(line: CommandLine) -> int:
    raise UsageError(f"write the command first, then its options: simple-registry {line.command} ...")


def _help(line: CommandLine) -> int:
    if line.topic in _WITH_OWN_OPTIONS:
        return _WITH_OWN_OPTIONS[line.topic](["-help"])
    sys.stdout.write(help_text(line.topic))
    sys.stdout.flush()
    return 0


_COMMANDS: dict[str, Callable[[CommandLine], int]] = {
    "serve": _serve,
    **dict.fromkeys(_WITH_OWN_OPTIONS, _too_late),
    "genhash": lambda _: genhash(sys.stdin, sys.stdout),
    "version": lambda _: _version([]),  # as -version
    "help": _help,
}
