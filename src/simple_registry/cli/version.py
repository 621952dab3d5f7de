"""`version [-json]`: the versions of the program and of Python."""

import json
import platform
from collections.abc import Sequence
from typing import TextIO

from simple_registry import __version__
from simple_registry.cli.options import Parser

_HELP = """\
usage: simple-registry version [-json]

Prints the versions of the program and of Python.

  -json                print JSON
"""


def version(arguments: Sequence[str], stdout: TextIO) -> int:
    """Run `version` with these arguments. Return the exit code.

    Raises: UsageError when the arguments are invalid.
    """
    asked = Parser("version", _HELP).parse_args(arguments)
    implementation, python = platform.python_implementation(), platform.python_version()
    if asked.help:
        stdout.write(_HELP)
    elif asked.json:
        found = {"version": __version__, "python": python, "implementation": implementation}
        stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        stdout.write(f"simple-registry {__version__} ({implementation} {python})\n")
    stdout.flush()
    return 0
