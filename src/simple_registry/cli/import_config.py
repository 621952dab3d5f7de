"""`import-config`: the configuration of another registry as documents.

0  printed     2  invalid arguments, or a file that cannot be read or translated
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.cli.options import Parser, UsageError
from simple_registry.config.foreign.leaves import Leaf
from simple_registry.config.foreign.reading import translate
from simple_registry.config.foreign.translation import Translation
from simple_registry.server.logging import printable

_HELP = """\
usage: simple-registry import-config [FILE] [-env FILE] [-htpasswd FILE]

Prints the configuration of another registry as documents of this one: settings, users, groups, roles and bindings.
FILE is config.yml of docker-registry or distribution, or config.json of zot. Comments say where each document comes
from, and name every value that has no counterpart, with what to do. Passwords and other secrets of FILE are not shown;
the hashes of passwords are in the documents.

  -env FILE            variables of distribution (REGISTRY_HTTP_ADDR=...), one a line; FILE may then be left out
  -htpasswd FILE       the users; without it, the file that the configuration names, if it is there

Exit code: 0 success, 2 invalid arguments, or a file that cannot be read or translated.
"""


def import_config(arguments: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `import-config`; return the exit code.

    Raises: UsageError, ConfigError.
    """
    parser = Parser("import-config", _HELP)
    parser.add_argument("file", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if not asked.file and not asked.env:
        raise UsageError("usage: import-config FILE, or import-config -env FILE; see 'import-config -help'")
    file, variables, passwords = (Path(text) if text else None for text in (asked.file, asked.env, asked.htpasswd))
    found = translate(file, variables=variables, passwords=passwords)
    stdout.writelines(f"{line}\n" for line in _lines(found))
    stderr.write(
        f"{found.registry}: {len(found.leaves.became)} values translated, {len(found.leaves.remarks)} without a "
        "counterpart: see the comments\n"
    )
    return 0


def _lines(found: Translation) -> Iterator[str]:
    yield f"# Made by 'simple-registry import-config' from the configuration of {found.registry}."
    without = _by_text(found.leaves.remarks) | {text: [] for text in found.remarks}
    yield from _listed("Without a counterpart", without)
    yield from _listed("Translated", _by_text(found.leaves.became))
    for document in found.documents:
        yield "---"
        yield from map(_comment, document.comments)
        yield document.yaml.rstrip("\n")


def _by_text(notes: Mapping[Leaf, str]) -> dict[str, list[Leaf]]:
    found: dict[str, list[Leaf]] = {}
    for leaf, text in notes.items():
        found.setdefault(text, []).append(leaf)
    return found


def _listed(title: str, notes: Mapping[str, Sequence[Leaf]]) -> Iterator[str]:
    if notes:
        yield from ("#", f"# {title}:")
    for text, leaves in notes.items():
        yield _comment(f"- {text}")
        yield from (_comment(f"    {leaf.name} ({leaf.place})") for leaf in leaves)


def _comment(text: str) -> str:
    return f"# {printable(text)}"
