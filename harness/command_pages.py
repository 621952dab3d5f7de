"""The completion scripts of shells and the man page, made from the help texts of all commands.

    Python:  completion_scripts() → text by shell, man_page() → text
    shell:   make reference                    (into src/simple_registry/cli/completions and packaging/man)

A help text is what a command's own parser is made from, so these know the options that it takes and no others. The
libraries want an argparse parser with one parser for each command, which is built here for them alone.
"""

import argparse
import re
from collections.abc import Mapping

import shtab
from argparse_manpage.manpage import Manpage

from simple_registry.cli.commands import COMMANDS
from simple_registry.cli.completion import SHELLS
from simple_registry.cli.main import help_of
from simple_registry.cli.options import Described, described_options

_PROGRAM = "simple-registry"
_SUMMARY = "a self-hosted OCI container registry"
_PATHS = {"DIRECTORY": shtab.DIRECTORY, "FILE": shtab.FILE}
_ACTIONS = re.compile(rf"{_PROGRAM} [a-z-]+ ([a-z][a-z-]*(?:\|[a-z-]+)*)(?= |$)", re.MULTILINE)
"""The words from which a command's first argument is chosen, in its lines of usage: `list`, or `bash|zsh|fish`."""
_VALUES = re.compile(r"-[a-z-]+ [A-Z]+")
"""Options with their values, in lines of usage."""
_FILES = re.compile(r"\b(?:DIRECTORY|FILE|ARCHIVE|BACKUP|SOURCE|TARGET|OLD|NEW)\b")
"""Arguments that are files, in lines of usage."""
_OPTION_LINES = re.compile(r"^  -[a-z].*\n(?: {10,}.*\n)*", re.MULTILINE)


def completion_scripts() -> Mapping[str, str]:
    """Return the completion script of each shell."""
    return {shell: _completion_script(shell) for shell in SHELLS}


def _completion_script(shell: str) -> str:
    script = shtab.complete(_parser(for_shell=True), shell)
    if shell == "fish":  # for which `-s` is an option of one letter, and `-o` a longer one with one dash
        script = re.sub(r"(?<= )-s (?=[a-z][a-z-])", "-o ", script)
    return "".join(f"{line.rstrip()}\n" for line in script.splitlines())


def man_page() -> str:
    """Return the man page."""
    page = Manpage(_parser(for_shell=False))
    page.description, page.manual, page.source, page.date = _SUMMARY, "Simple Registry", "Simple Registry", ""
    # A line of text that begins with a quote or a point would be a request to the formatter.
    return re.sub(r"^(?='|\.(?!TH|SH|SS|TP|B |RS|RE))", r"\\&", str(page), flags=re.MULTILINE)


def _parser(*, for_shell: bool) -> argparse.ArgumentParser:
    """Return a parser of all commands. A shell gets both spellings of options, and arguments."""
    root = argparse.ArgumentParser(
        _PROGRAM,
        usage=f"{_PROGRAM} [COMMAND] [OPTION ...]",
        description=f"{_prose(help_of())}\n\n{_prose(help_of('serve'))}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    _add_options(root, help_of("serve"), for_shell=for_shell)
    words = "|".join(COMMANDS) if for_shell else "[COMMAND]"
    commands = root.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in COMMANDS.items():
        text = f"usage: {_PROGRAM} help {words}\n" if name == "help" else help_of(name)
        parser = commands.add_parser(
            name,
            help=command.meaning,
            usage=text.partition("\n\n")[0].removeprefix("usage: ").strip().replace("%", "%%"),
            description=command.meaning if for_shell else _prose(text),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
        )
        _add_options(parser, text, for_shell=for_shell)
        if for_shell:
            _add_arguments(parser, text.partition("\n\n")[0])
    return root


def _prose(text: str) -> str:
    """Return what a help text says besides usage, options, and the list of commands; each `label:` is a paragraph."""
    text = text.partition("\n\n")[2].partition("\n\ncommands:\n")[0]
    text = re.sub(r"^(?=[a-z]+: )", "\n", _OPTION_LINES.sub("", text).replace("options:\n", ""), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _add_options(parser: argparse.ArgumentParser, text: str, *, for_shell: bool) -> None:
    for option in (*described_options(text), Described("help", "", several=False, meaning="print this text")):
        spellings = [f"-{option.name}", *([f"--{option.name}"] if for_shell else [])]
        meaning = option.meaning.replace("%", "%%")
        if option.value:
            action = "append" if option.several else "store"
            added = parser.add_argument(*spellings, action=action, metavar=option.value, help=meaning)
            if option.value in _PATHS:
                added.complete = _PATHS[option.value]  # type: ignore[attr-defined] # where shtab reads it
        else:
            parser.add_argument(*spellings, action="store_true", help=meaning)


def _add_arguments(parser: argparse.ArgumentParser, usage: str) -> None:
    words = [word for found in _ACTIONS.findall(usage) for word in found.split("|")]
    if words:
        parser.add_argument("action", choices=list(dict.fromkeys(words)))
    if _FILES.search(_VALUES.sub("", usage)):
        added = parser.add_argument("file", nargs="*")
        added.complete = shtab.FILE  # type: ignore[attr-defined] # as above
