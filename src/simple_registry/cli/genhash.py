"""`genhash`: the bcrypt hash of a password, for a file.

On a terminal the command prompts twice, without echo; otherwise it reads one line of standard input. Standard output
has only the hash, so that it can be redirected; messages go to standard error.
"""

import getpass
import sys
from typing import TextIO

from simple_registry.access.passwords import hash_password
from simple_registry.cli.options import UsageError


def genhash(stdin: TextIO, stdout: TextIO) -> int:
    """Read a password and print its hash.

    Raises: UsageError when the two passwords differ, or none was entered; PasswordInvalid when it cannot be hashed.
    """
    password = _ask() if stdin.isatty() else _read(stdin)
    stdout.write(hash_password(password) + "\n")
    stdout.flush()
    return 0


def _ask() -> str:
    # Prompts go to the terminal itself, so redirected output stays clean.
    try:
        first = getpass.getpass("Password: ", sys.stderr)
        second = getpass.getpass("Again: ", sys.stderr)
    except EOFError:
        raise UsageError("no password was entered") from None
    if first != second:
        raise UsageError("the two passwords differ; nothing was printed")
    return first


def _read(stdin: TextIO) -> str:
    try:
        line = stdin.readline(4096)
    except UnicodeDecodeError:
        raise UsageError("the password on standard input is not UTF-8 text") from None
    return line.removesuffix("\n").removesuffix("\r")
