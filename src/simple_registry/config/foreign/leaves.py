"""The values of another registry's configuration, each of which is translated or has a remark.

    config.yml, config.json, variables ──► leaves by path ──► what they became, or a remark ──► nothing is left out

Values are never shown: some are passwords.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from simple_registry.config.documents import Entry, Place, read_file, roots
from simple_registry.config.values import ConfigError

Keys = tuple[str, ...]

MAX_LEAVES = 100_000
"""Aliases of YAML can make a few lines mean millions of values."""

VARIABLES = "REGISTRY_"
_NULL = "tag:yaml.org,2002:null"
_TRUE = frozenset({"true", "yes", "on"})
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)
_UNKNOWN = "not a key that is known here; look up what it does"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value without inner values; an empty list or mapping, too. `path` is as written."""

    path: Keys
    text: str
    place: Place

    @property
    def name(self) -> str:
        """The path as text."""
        return ".".join(self.path)


@dataclass
class Leaves:
    """The values of a configuration, and what became of each."""

    found: Mapping[Keys, Leaf]
    """By path, in lower case if the registry does not distinguish it."""
    became: dict[Leaf, str] = field(default_factory=dict)
    """What values were translated into."""
    remarks: dict[Leaf, str] = field(default_factory=dict)
    """Why values were not translated, and what to do."""

    def find(self, *path: str) -> Leaf | None:
        """Return the value at a path."""
        return self.found.get(path)

    def text(self, *path: str) -> str | None:
        """Return the text at a path; `None` if there is none."""
        leaf = self.find(*path)
        return leaf.text if leaf else None

    def is_true(self, *path: str) -> bool:
        """Return whether the value at a path is `true`."""
        return (self.text(*path) or "").lower() in _TRUE

    def keys(self, *path: str) -> list[str]:
        """Return the keys below a path; those of a list are numbers."""
        length = len(path)
        return list(dict.fromkeys(each[length] for each in self.found if each[:length] == path and len(each) > length))

    def below(self, *path: str) -> list[Leaf]:
        """Return the values at a path and below it."""
        return [leaf for each, leaf in self.found.items() if each[: len(path)] == path]

    def texts(self, *path: str) -> list[str]:
        """Return the texts of a list, or the only one."""
        return [leaf.text for leaf in self.below(*path) if leaf.text]

    def take(self, became: str, *path: str) -> None:
        """Note that the values at a path and below it were translated."""
        self.became |= dict.fromkeys(self.below(*path), became)

    def take_one(self, became: str, *path: str) -> None:
        """Note that the value at a path, but not those below it, was translated."""
        if leaf := self.find(*path):
            self.became[leaf] = became

    def remark(self, text: str, *path: str) -> None:
        """Note why the values at a path and below it were not translated."""
        self.remarks |= dict.fromkeys(self.below(*path), text)

    def remark_rest(self, remarks: Mapping[Keys, str]) -> None:
        """Give each value without a note the remark of the longest of some paths above it."""
        for path, leaf in self.found.items():
            if leaf not in self.became and leaf not in self.remarks:
                above = (remarks.get(path[:length]) for length in range(len(path), 0, -1))
                self.remarks[leaf] = next(filter(None, above), _UNKNOWN)


def combined(leaves: Mapping[Keys, Leaf], variables: Mapping[Keys, Leaf]) -> Leaves:
    """Return the values of a file, with those of variables in place of its own."""
    replaced = {path: variable for path in leaves for at, variable in variables.items() if path[: len(at)] == at}
    kept = {path: leaf for path, leaf in leaves.items() if path not in replaced}
    remarks = {leaves[path]: f"replaced by the variable {variable.path[0]}" for path, variable in replaced.items()}
    return Leaves(kept | dict(variables), remarks=remarks)


def read_leaves(file: Path) -> dict[Keys, Leaf]:
    """Return the values of a YAML or JSON file by their paths.

    Raises: ConfigError.
    """
    content = read_file(file, regular=False)
    if content.lstrip().startswith(b"{"):
        content = content.replace(b"\t", b" ")  # between JSON values, where YAML has none; strings have no tabs
    entries = list(roots(file, content))
    if len(entries) != 1 or not isinstance(entries[0].node, yaml.MappingNode):
        raise ConfigError(f"{file}: not the configuration of a registry")
    return _gathered(_flat(entries[0], (), frozenset()))


def read_variables(file: Path) -> dict[Keys, Leaf]:
    """Return the values that a file of variables sets, one a line, by their paths; those of `REGISTRY_A_B` by `a`, `b`.

    Raises: ConfigError.
    """
    found: dict[Keys, Leaf] = {}
    for number, line in enumerate(read_file(file, regular=False).decode(errors="replace").splitlines(), 1):
        text = line.strip()
        match = _ASSIGNMENT.fullmatch(text)
        if match:
            found |= _variable(Place(file, number), match[1], match[2].strip("'\""))
        elif text and not text.startswith("#"):
            raise ConfigError(f"{Place(file, number)}: not a line of the form NAME=value")
    return found


def _variable(place: Place, name: str, text: str) -> dict[Keys, Leaf]:
    of_registry = name.startswith(VARIABLES)
    path = tuple(name.removeprefix(VARIABLES).lower().split("_")) if of_registry else (name,)
    entries = list(roots(place.file, text.encode()))
    inner = _gathered(_flat(entries[0], (), frozenset())) if entries else {(): Leaf((), "", place)}
    return {(*path, *keys): Leaf((name, *keys), leaf.text, place) for keys, leaf in inner.items()}


def _flat(entry: Entry, path: Keys, above: frozenset[int]) -> Iterator[Leaf]:
    node = entry.node
    if id(node) in above:
        raise entry.error("contains itself")
    match node:
        case yaml.MappingNode() if node.value:
            inner = entry.any_fields().items()
        case yaml.SequenceNode() if node.value:
            inner = {str(number): each for number, each in enumerate(entry.items())}.items()
        case _:
            given = isinstance(node, yaml.ScalarNode) and node.tag != _NULL
            yield Leaf(path, str(node.value) if given else "", entry.place)
            return
    for key, each in inner:
        yield from _flat(each, (*path, key), above | {id(node)})


def _gathered(leaves: Iterable[Leaf]) -> dict[Keys, Leaf]:
    found: dict[Keys, Leaf] = {}
    for leaf in leaves:
        if len(found) == MAX_LEAVES:
            raise ConfigError(f"{leaf.place.file}: has more than {MAX_LEAVES} values")
        found[leaf.path] = leaf
    return found
