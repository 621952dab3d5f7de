"""All commands. The program, its help, completion, the man page and the documents' tests read this one table."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Console:
    """What a command reads and writes besides its arguments."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its meaning, and its code, if it has options of its own."""

    meaning: str
    code: str = ""
    """Module and function. They are imported when the command runs, so that the other commands start fast."""
    given: tuple[str, ...] = ("environment", "stdout")
    """The parts of the console that the function takes after the arguments."""

    def run(self, arguments: Sequence[str], console: Console) -> int:
        """Run the command with these arguments. Return the exit code.

        Raises: as the function.
        """
        module, _, function = self.code.partition(":")
        run = getattr(import_module(f"simple_registry.cli.{module}"), function)
        code: int = run(arguments, *(attrgetter(name)(console) for name in self.given))
        return code


_WITH_ERRORS = ("environment", "stdout", "stderr")

COMMANDS = {
    "serve": Command("run the registry (the default)"),
    "token": Command("create, list or revoke tokens", "token:token", _WITH_ERRORS),
    "uploads": Command("list or cancel open uploads", "uploads:uploads", _WITH_ERRORS),
    "can-i": Command("report whether a user may do something, and why", "can_i:can_i"),
    "policy": Command("check, test or compare documents about access", "policy:policy"),
    "config": Command("show every setting and where its value comes from, or check them", "config:config"),
    "garbage-collect": Command(
        "collect now what the server would collect later, or show it", "garbage_collect:garbage_collect", _WITH_ERRORS
    ),
    "gc": Command("explain what keeps content, or when it ends", "gc:gc"),
    "retention": Command("show or remove the tags that no rule keeps", "retention:retention", _WITH_ERRORS),
    "usage": Command("show what repositories use", "usage:usage"),
    "history": Command("list what happened to a repository or a tag", "history:history"),
    "resolve": Command("print what a tag pointed at, at a time", "history:resolve", _WITH_ERRORS),
    "rollback": Command("let a tag point at what it pointed at before", "undo:rollback", _WITH_ERRORS),
    "undelete": Command("restore a tag, a manifest or a repository that was deleted", "undo:undelete", _WITH_ERRORS),
    "purge": Command("remove content at once and for good, such as a leaked secret", "purge:purge", _WITH_ERRORS),
    "read-only": Command("refuse all changes for a while, as during a move", "read_only:read_only", _WITH_ERRORS),
    "fsck": Command("check the data directory, also while a server runs", "fsck:fsck", _WITH_ERRORS),
    "backup": Command("back up the data directory, also while a server runs", "backup:backup", _WITH_ERRORS),
    "restore": Command("make a data directory from a backup", "restore:restore", _WITH_ERRORS),
    "recover": Command("rebuild a lost or broken database", "recover:recover", _WITH_ERRORS),
    "export": Command(
        "write repositories as an OCI layout, also while a server runs",
        "export:export",
        (*_WITH_ERRORS, "stdout.buffer"),
    ),
    "import": Command(
        "push an OCI layout into a repository, also while a server runs",
        "import_:import_",
        (*_WITH_ERRORS, "stdin.buffer"),
    ),
    "adopt": Command("take over the data directory of another registry", "adopt:adopt", _WITH_ERRORS),
    "import-config": Command(
        "print the configuration of another registry as documents",
        "import_config:import_config",
        ("stdout", "stderr"),
    ),
    "doctor": Command(
        "check any registry through its public address, as clients use it",
        "doctor:doctor",
        ("environment", "stdin", "stdout", "stderr"),
    ),
    "health": Command("ask the running server whether it is ready", "health:health"),
    "reload": Command("have the running server read everything again, and wait for the result", "reload:reload"),
    "genhash": Command("ask for a password and print its bcrypt hash; -genhash is the same"),
    "completion": Command("print the completion script of a shell", "completion:completion", ("stdout",)),
    "version": Command("print the version; -version is the same", "version:version", ("stdout",)),
    "help": Command("print this text, or that of one command: 'help fsck' or 'fsck -help'"),
}
