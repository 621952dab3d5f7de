"""Options of the command line and of environment variables, parsed into texts by name.

Every option works with one or two dashes and with or without `=`: `-addr :5000`, `--addr=:5000`. The word after an
option with a value is its value even if it begins with a dash, as in Go's `flag` package.
"""

import argparse
import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from simple_registry.cli.commands import COMMANDS
from simple_registry.config.configuration import Given
from simple_registry.config.rows import PREFIX, Option
from simple_registry.config.settings import ROWS

_PROGRAM = "simple-registry"

CFGDIR = Option("cfgdir", "DIRECTORY", meaning="directory of YAML documents", repeatable=True, separator=os.pathsep)
OPTIONS = (
    Option("adminname", "NAME", meaning="user with all permissions", default="admin"),
    Option(
        "adminpwd-file",
        "FILE",
        ("adminpwdfile",),
        meaning="file that holds the user's password, or its bcrypt hash, on one line",
        details="A hash begins with `$2`. A file that every user of the machine may read gets a warning.",
    ),
    Option(
        "adminpwd",
        "PASSWORD",
        meaning="the password itself; every user of this machine can see it in the process list",
        details="Prefer the file.",
    ),
    CFGDIR,
    *(row.option for row in ROWS if row.option is not None),
)
SWITCHES = {"genhash": "genhash", "version": "version", "help": "help", "h": "help"}
"""Options without a value, each with the command that it selects."""

_OF_SERVICES = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)", re.ASCII
)
"""Variables that Kubernetes sets in containers for services whose names begin with `simple-registry`."""

_DESCRIBED = re.compile(r"^  -([a-z-]+)(?: ([A-Z]+))?(\.\.\.)? +(.*(?:\n {10,}.*)*)", re.MULTILINE)
"""An option in a help text: `-json`, `-user NAME`, or `-scope SCOPE...` when it may be repeated; and its meaning."""


class UsageError(Exception):
    """An invalid command line; the message says why."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command, with its options by name, from flags and from the environment.

    `topic` is the command that `help` describes.
    """

    command: str = "serve"
    topic: str | None = None
    flags: Mapping[str, Given] = field(default_factory=dict)
    environment: Mapping[str, Given] = field(default_factory=dict)
    config_dirs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """An option as a help text describes it. A switch has an empty `value`; `several` may be given."""

    name: str
    value: str
    several: bool
    meaning: str


def described_options(text: str) -> Iterator[Described]:
    """Yield the options that a help text describes."""
    for name, value, several, meaning in _DESCRIBED.findall(text):
        yield Described(name, value, bool(several), " ".join(meaning.split()))


class Parser(argparse.ArgumentParser):
    """A parser whose attributes are text or `None`, a list of texts, or a bool.

    argparse by itself reads a value with a leading dash as an option, abbreviates options with one dash, and repeats
    values, which may be secrets, in its errors.
    """

    def __init__(self, command: str = "", described: str = "") -> None:
        """Parse the arguments of `command`: the options that its help text `described` lists, and `-help`."""
        super().__init__(prog=f"{_PROGRAM} {command}".rstrip(), add_help=False, allow_abbrev=False)
        self._takes_value: dict[str, bool] = {}
        for each in described_options(described):
            if each.value:
                self.option(each.name, many=each.several)
            else:
                self.switch(each.name)
        if described:
            self.switch("help", "h")

    def option(self, name: str, *aliases: str, many: bool = False) -> None:
        """Add an option with a value; with `many`, it may be repeated."""
        self._takes_value |= dict.fromkeys((name, *aliases), True)
        spellings = [f"--{spelling}" for spelling in (name, *aliases)]
        if many:
            self.add_argument(*spellings, dest=name.replace("-", "_"), action="append", default=[])
        else:
            self.add_argument(*spellings, dest=name.replace("-", "_"), action=_Once)

    def switch(self, name: str, *aliases: str) -> None:
        """Add an option without a value."""
        self._takes_value |= dict.fromkeys((name, *aliases), False)
        spellings = [f"--{spelling}" for spelling in (name, *aliases)]
        self.add_argument(*spellings, dest=name.replace("-", "_"), action="store_true")

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        """Return attributes and the remaining words."""
        return super().parse_known_args(list(self._one_form(args)), namespace)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see '{self.prog} -help'")

    def _one_form(self, words: Sequence[str]) -> Iterator[str]:
        """Yield options as `--name` or `--name=value`, and all other words as they are."""
        rest = iter(words)
        for word in rest:
            if not word.startswith("-") or word in {"-", "--"}:
                yield word
                continue
            spelling, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
            takes_value = self._takes_value.get(spelling)
            if takes_value is None or (equals and not takes_value):
                near = difflib.get_close_matches(spelling.lower(), self._takes_value, 1)
                shown = repr(word.partition("=")[0])  # without its value, which may be a secret
                if near:
                    raise UsageError(f"unknown option {shown}; did you mean -{near[0]}?")
                self.error(f"unknown option {shown}")
            if not takes_value:
                yield f"--{spelling}"
                continue
            following = value if equals else next(rest, None)
            if following is None:
                self.error(f"the option -{spelling} needs a value")
            yield f"--{spelling}={following}"


class _Once(argparse.Action):
    """Stores a value, and refuses a second one, because one of the two would have no effect."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the value."""
        if getattr(namespace, self.dest) is not None:
            parser.error(f"the option {(option_string or '')[1:]} is given twice")
        setattr(namespace, self.dest, values)


def parse_command_line(arguments: Sequence[str], environment: Mapping[str, str]) -> CommandLine:
    """Parse `arguments` and the variables of `environment`.

    Raises: UsageError when an option or command is unknown, given twice, or lacks its value.
    """
    parser = command_parser()
    parsed = vars(parser.parse_args(arguments))
    switched = [command for switch, command in SWITCHES.items() if parsed[switch]]
    command, topic = _command_and_topic([*switched, *filter(None, (parsed["command"], parsed["topic"]))])
    return replace(given_line(parser, parsed, environment), command=command, topic=topic)


def given_line(parser: Parser, parsed: Mapping[str, Any], environment: Mapping[str, str]) -> CommandLine:
    """Return the line of `serve` with the options that `parser` parsed, and the variables of `environment`.

    Raises: UsageError when an option has an empty value.
    """
    flags = {}
    for option in OPTIONS:
        found = parsed[option.name.replace("-", "_")]
        texts = tuple(found) if option.repeatable else () if found is None else (found,)
        if "" in texts:
            parser.error(f"the option -{option.name} needs a value")
        if texts:
            flags[option.name] = Given(f"-{option.name}", texts)
    directories = flags.pop(CFGDIR.name, None)
    return CommandLine(
        flags=flags,
        environment=variables(environment, [option for option in OPTIONS if option is not CFGDIR]),
        config_dirs=config_directories(directories.texts if directories else (), environment),
    )


def command_parser() -> Parser:
    """Return the parser of commands without options of their own."""
    parser = Parser()
    for name in ("command", "topic"):
        parser.add_argument(name, nargs="?", type=_command)
    add_options(parser)
    for name in SWITCHES:
        parser.switch(name)
    return parser


def add_options(parser: Parser) -> None:
    """Let a parser accept every option of `serve`."""
    for option in OPTIONS:
        parser.option(option.name, *option.aliases, many=option.repeatable)


def variables(environment: Mapping[str, str], options: Sequence[Option]) -> dict[str, Given]:
    """Return the options that are set by variables; an empty variable counts as unset."""
    found = {}
    for option in options:
        text = environment.get(option.variable, "")
        texts = tuple(filter(None, text.split(option.separator))) if option.repeatable else (text,)
        if text and texts:
            found[option.name] = Given(option.variable, texts)
    return found


def config_directories(given: Sequence[str], environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the directories of `-cfgdir`, or those of its variable."""
    variable = variables(environment, [CFGDIR]).get(CFGDIR.name)
    return tuple(Path(text) for text in given or (variable.texts if variable else ()) if text)


def _command_and_topic(commands: Sequence[str]) -> tuple[str, str | None]:
    """Return the command, and the topic if it is `help`, from the given commands in any order."""
    others = [command for command in dict.fromkeys(commands) if command != "help"]
    if len(others) > 1:
        raise UsageError(f"only one command can be given, not {' and '.join(others)}")
    if "help" in commands:
        return "help", others[0] if others else None
    return others[0] if others else "serve", None


def require_known_variables(environment: Mapping[str, str]) -> None:
    """Refuse a misspelt variable, which would have no effect.

    Raises: UsageError for a variable with the prefix of the program and an unknown name.
    """
    known = {option.variable for option in OPTIONS}
    for name in sorted(environment.keys() - known):
        if name.startswith(PREFIX) and _OF_SERVICES.fullmatch(name) is None:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"see '{_PROGRAM} -help'"
            raise UsageError(f"unknown variable {name!r}; {hint}")


def _command(word: str) -> str:
    if word in COMMANDS:
        return word
    near = difflib.get_close_matches(word, COMMANDS, 1)
    hint = f"did you mean {near[0]}?" if near else f"see '{_PROGRAM} -help'"
    raise UsageError(f"unknown command {word!r}; {hint}")


_HELP = {
    "serve": f"""\
usage: {_PROGRAM} [serve] [OPTION ...]

Runs the registry until a signal stops it.

options:
{{options}}
""",
    "genhash": f"""\
usage: {_PROGRAM} genhash

Prints the bcrypt hash of a password, for a password file or a User document. On a terminal it prompts twice, without
echo; otherwise it reads the first line of standard input. Standard output has only the hash.
""",
}
"""The help texts of commands without options of their own."""


def help_text(topic: str | None = None) -> str:
    """Return the help text of the program, or of a command in `_HELP`."""
    commands = "\n".join(f"  {name:<10} {command.meaning}" for name, command in COMMANDS.items())
    options = "\n".join(map(_help_line, OPTIONS)) + (
        f"\n\nEvery option may be written with one dash or two, as -name value or -name=value, or be given as the\n"
        f"environment variable {PREFIX}<OPTION>, for example {PREFIX}ADMINPWD_FILE."
    )
    if topic is not None:
        return _HELP[topic].format(options=options)
    return (
        f"usage: {_PROGRAM} [COMMAND] [OPTION ...]\n\nA self-hosted OCI container registry.\n\n"
        f"commands:\n{commands}\n\noptions of serve:\n{options}\n"
    )


def _help_line(option: Option) -> str:
    repeated = "; may be repeated" if option.repeatable else ""
    default = f" (default: {option.default})" if option.default != "none" else ""
    return f"  {f'-{option.name} {option.metavar}':<24} {option.meaning}{repeated}{default}"
