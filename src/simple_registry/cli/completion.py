"""`completion SHELL`: prints a script with which a shell completes commands and options.

The scripts are made from the commands by `make reference`; their code is in `harness/command_pages.py`.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import TextIO

from simple_registry.cli.options import Parser, UsageError

_SCRIPTS = files("simple_registry.cli") / "completions"
SHELLS = ("bash", "zsh", "fish")
_HELP = f"""\
usage: simple-registry completion {"|".join(SHELLS)}

Prints a script with which the shell completes commands and options. To use it in this shell only:

    source <(simple-registry completion bash)
    eval "$(simple-registry completion zsh)"
    simple-registry completion fish | source

To have it in every shell, write it where the shell looks for it:

    bash   ~/.local/share/bash-completion/completions/simple-registry
    zsh    _simple-registry, in a directory of $fpath
    fish   ~/.config/fish/completions/simple-registry.fish
"""


def completion(arguments: Sequence[str], stdout: TextIO) -> int:
    """Run `completion` with these arguments. Return the exit code.

    Raises: UsageError when the arguments are invalid.
    """
    parser = Parser("completion", _HELP)
    parser.add_argument("shell", nargs="?", choices=SHELLS)
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
    elif asked.shell is None:
        raise UsageError(f"usage: completion {'|'.join(SHELLS)}")
    else:
        stdout.write((_SCRIPTS / asked.shell).read_text("utf-8"))
    stdout.flush()
    return 0
