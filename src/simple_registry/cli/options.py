"""The options of the command line, as one table, and how arguments and environment variables become text by name.

Every long option works with one or two dashes and with or without `=`: `-addr :5000`, `--addr=:5000`. What follows an
option that takes a value is that value, even when it begins with a dash, as in the Go program whose options these are.
argparse checks commands; the words are put into one form before it sees them.
"""

import argparse
import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from simple_registry.config.load import SEPARATOR, Given

COMMANDS = {
    "serve": "run the registry (the default)",
    "token": "create, list or revoke tokens",
    "uploads": "list or cancel open uploads",
    "can-i": "tell whether somebody may do something, and why",
    "policy": "check, test or compare documents about access",
    "fsck": "check the data directory, beside a running server too",
    "genhash": "ask for a password and print its bcrypt hash; -genhash is the same",
    "version": "print the version",
    "help": "print this text, or that of a command: 'help fsck', or 'fsck -help'",
}
PREFIX = "SIMPLE_REGISTRY_"
_PROGRAM = "simple-registry"


@dataclass(frozen=True, slots=True)
class Option:
    """An option that takes a value: its name, other spellings, and what the help says."""

    name: str
    metavar: str
    help: str
    aliases: tuple[str, ...] = ()
    repeatable: bool = False

    @property
    def variable(self) -> str:
        """Return the environment variable that says the same."""
        return PREFIX + self.name.upper().replace("-", "_")


OPTIONS = (
    Option("adminname", "NAME", "user who may do everything (default: admin)"),
    Option("adminpwd", "PASSWORD", "its password; every user of this machine can see it in the process list"),
    Option(
        "adminpwd-file",
        "FILE",
        "file that holds its password, or the bcrypt hash of it, on one line",
        ("adminpwdfile",),
    ),
    Option("datadir", "DIRECTORY", "where everything is kept (default: ./data)"),
    Option(
        "addr",
        "ADDRESS",
        "where to listen: host:port, [::1]:5000, :5000 or unix:/path; may be repeated (default: 0.0.0.0:5000)",
        repeatable=True,
    ),
    Option("metrics-addr", "ADDRESS", "where to tell metrics, without a login; written as -addr (default: none)"),
    Option("cert", "FILE", "TLS certificate chain, PEM, the server's own certificate first", ("certfile",)),
    Option("key", "FILE", "private key of the certificate, PEM", ("keyfile",)),
    Option("cfgdir", "DIRECTORY", "directory of YAML documents; may be given several times", repeatable=True),
    Option("workers", "NUMBER", "worker processes (default: one per core)"),
    Option("log-level", "LEVEL", "debug, info, warning or error (default: info)"),
    Option("log-format", "FORMAT", "text, json, or auto: text on a terminal (default: auto)"),
    Option("audit-log", "FILE", "file of the audit stream, or - for standard output (default: none)"),
)
SWITCHES = {"genhash": "genhash", "version": "version", "help": "help", "h": "help"}
"""Options without a value that stand for a command."""

_OF_SERVICES = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)", re.ASCII
)
"""What Kubernetes tells every container of a service that is called `simple-registry`, or begins so."""

_BY_SPELLING = {spelling: option for option in OPTIONS for spelling in (option.name, *option.aliases)}


class UsageError(Exception):
    """The command line is wrong; the sentence says how."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What the user asked for: a command, and options by name in both of their layers.

    The `topic` of `help` is the command whose text is wanted.
    """

    command: str = "serve"
    topic: str | None = None
    flags: Mapping[str, Given] = field(default_factory=dict)
    environment: Mapping[str, Given] = field(default_factory=dict)
    config_dirs: tuple[Path, ...] = ()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse_command_line(arguments: Sequence[str], environment: Mapping[str, str]) -> CommandLine:
    """Return what `arguments` and the variables of `environment` say.

    Raises:
        UsageError: an option or command is unknown, given twice, or lacks its value.

    """
    commands, words = _one_form(arguments)
    parsed = vars(parser().parse_args(words))
    command, topic = _command_and_topic([*commands, *filter(None, (parsed["command"], parsed["topic"]))])
    flags = {
        option.name: Given(SEPARATOR.join(parsed[option.name]), f"-{option.name}")
        for option in OPTIONS
        if parsed[option.name] and option.name != "cfgdir"
    }
    variables = _variables(environment)
    if "addr" in variables:
        given = variables["addr"]
        variables["addr"] = Given(SEPARATOR.join(given.text.split()), given.origin)
    return CommandLine(
        command=command,
        topic=topic,
        flags=flags,
        environment={name: given for name, given in variables.items() if name != "cfgdir"},
        config_dirs=_config_dirs(parsed["cfgdir"], variables.get("cfgdir")),
    )


def _command_and_topic(commands: Sequence[str]) -> tuple[str, str | None]:
    """Return which of the commands that were named is meant: `help` is about the other one, wherever it stands."""
    others = [command for command in dict.fromkeys(commands) if command != "help"]
    if len(others) > 1:
        raise UsageError(f"only one command can be done at a time, not {' and '.join(others)}")
    if "help" in commands:
        return "help", others[0] if others else None
    return others[0] if others else "serve", None


def require_known_variables(environment: Mapping[str, str]) -> None:
    """See that no variable is misspelt, which would be without effect, in silence.

    Raises:
        UsageError: one begins like ours and is none.

    """
    known = {option.variable for option in OPTIONS}
    for name in sorted(environment.keys() - known):
        if name.startswith(PREFIX) and _OF_SERVICES.fullmatch(name) is None:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"'{_PROGRAM} help' lists all options"
            raise UsageError(f"unknown variable {name!r}; {hint}")


def _one_form(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the commands that switches stand for, and all other words with options as `--name=value`."""
    commands: list[str] = []
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument in {"-", "--"}:
            words.append(argument)
            continue
        spelling, has_value, value = argument.removeprefix("-").removeprefix("-").partition("=")
        if spelling in SWITCHES and not has_value:
            commands.append(SWITCHES[spelling])
        elif spelling not in _BY_SPELLING:
            raise UsageError(f"unknown option {_shown(argument)}{_nearest(spelling)}")
        else:
            option = _BY_SPELLING[spelling]
            words.append(f"--{option.name}={value if has_value else _following(spelling, rest)}")
    return commands, words


def _following(spelling: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise UsageError(f"the option -{spelling} needs a value")
    return value


def _shown(argument: str) -> str:
    """Return an unknown option without its value, which may be a secret."""
    return repr(argument.partition("=")[0])


def _nearest(spelling: str) -> str:
    near = difflib.get_close_matches(spelling.lower(), [*_BY_SPELLING, *SWITCHES], 1)
    return f"; did you mean -{near[0]}?" if near else f"; '{_PROGRAM} help' lists all"


class _Append(argparse.Action):
    """Store the values of an option in the order in which they are given.

    One that may be given once is refused the second time: one of the two would be without effect, in silence.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,  # noqa: ARG002 (argparse gives it)
    ) -> None:
        """Store the value."""
        before = getattr(namespace, self.dest) or []
        if before and not _BY_SPELLING[self.dest].repeatable:
            parser.error(f"the option -{self.dest} is given twice")
        if not values:
            parser.error(f"the option -{self.dest} needs a value")
        setattr(namespace, self.dest, [*before, values])


def _command(word: str) -> str:
    if word in COMMANDS:
        return word
    near = difflib.get_close_matches(word, COMMANDS, 1)
    raise UsageError(
        f"unknown command {word!r}" + (f"; did you mean {near[0]}?" if near else f"; '{_PROGRAM} help' lists all")
    )


def parser() -> argparse.ArgumentParser:
    """Return the parser of words in one form."""
    built = _Parser(prog=_PROGRAM, add_help=False, allow_abbrev=False)
    for name in ("command", "topic"):
        built.add_argument(name, nargs="?", type=_command)
    for option in OPTIONS:
        built.add_argument(f"--{option.name}", dest=option.name, action=_Append)
    return built


_HELP = {
    "serve": f"""\
usage: {_PROGRAM} [serve] [OPTION ...]

Runs the registry until a signal ends it.

options:
{{options}}
""",
    "genhash": f"""\
usage: {_PROGRAM} genhash

Asks for a password and prints its bcrypt hash, which goes into a password file or a User document. On a terminal the
password is asked for twice, unseen; otherwise it is the first line of standard input. Standard output carries the hash
and nothing else.
""",
    "version": f"""\
usage: {_PROGRAM} version

Prints the versions of the program and of the Python that runs it.
""",
}
"""What `help` prints about the commands that have no options of their own."""


def help_text(topic: str | None = None) -> str:
    """Return what `help` prints, about everything or one of the commands in `_HELP`."""
    commands = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    options = "\n".join(f"  {f'-{option.name} {option.metavar}':<24} {option.help}" for option in OPTIONS) + (
        f"\n\nEvery option may be written with one dash or two, as -name value or -name=value, or be given as the\n"
        f"environment variable {PREFIX}<OPTION>, for example {PREFIX}ADMINPWD_FILE."
    )
    if topic is not None:
        return _HELP[topic].format(options=options)
    return (
        f"usage: {_PROGRAM} [COMMAND] [OPTION ...]\n\nA self-hosted OCI container registry.\n\n"
        f"commands:\n{commands}\n\noptions of serve:\n{options}\n"
    )


def _variables(environment: Mapping[str, str]) -> dict[str, Given]:
    """Return the options that are given as variables; an empty variable says nothing."""
    return {
        option.name: Given(environment[option.variable], option.variable)
        for option in OPTIONS
        if environment.get(option.variable)
    }


def _config_dirs(given: list[str] | None, variable: Given | None) -> tuple[Path, ...]:
    texts = given or (variable.text.split(os.pathsep) if variable else [])
    return tuple(Path(text) for text in texts if text)
