"""Example texts that a scope pattern matches, to show what it means and to compare policies without a registry.

It reads the part of RE2's syntax that is common in scopes. Each example is tried on the real pattern, so an unknown
construct costs examples, not correctness.
"""

from collections.abc import Sequence
from itertools import product

from simple_registry.access.scopes import PatternInvalid, ScopePattern
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.names import parse_repository_name, parse_tag

MAX_SAMPLES = 64
"""Examples kept at each step, so that nested alternatives stay few."""

_ANY = "example"
_CLASSES = {"d": "1", "w": "a", "s": "", "D": "a", "W": "-", "S": "a", "b": "", "B": "", "A": "", "z": ""}
_CANDIDATES = "a1b2cxyzv/:.-_ABC "


def samples(pattern: ScopePattern) -> Sequence[str]:
    """Return some texts that the pattern matches, shortest first; perhaps none."""
    try:
        found = _Reader(pattern.text).alternatives()
    except (IndexError, PatternInvalid, RecursionError, ValueError):
        return ()
    return sorted({text for text in found if pattern.matches(text)}, key=lambda text: (len(text), text))


def sample_scopes(pattern: ScopePattern) -> Sequence[str]:
    """Return those examples that are scope strings of a repository or of a tag."""
    return [text for text in samples(pattern) if _is_scope(text)]


def _is_scope(text: str) -> bool:
    repository, colon, tag = text.partition(":")
    try:
        parse_repository_name(repository)
        parse_tag(tag if colon else "latest")
    except RegistryError:
        return False
    return True


class _Reader:
    """Reads a pattern from left to right; every method returns the examples of what it read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def alternatives(self) -> list[str]:
        found = self._sequence()
        while self._next("|"):
            found += self._sequence()
        return found[:MAX_SAMPLES]

    def _sequence(self) -> list[str]:
        found = [""]
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            found = [head + tail for head, tail in product(found, self._repeated())][:MAX_SAMPLES]
        return found

    def _repeated(self) -> list[str]:
        wild, once = self._one()
        least, most = self._times()
        if wild and most > 1:
            once = [_ANY]
            least, most = min(least, 1), 1
        found = [""] if least == 0 else []
        if most:
            found += [each * max(least, 1) for each in once]
        return found

    def _one(self) -> tuple[bool, list[str]]:
        """Return whether one element can be any of many characters, and its examples."""
        char = self._take()
        if char in "^$":
            return False, [""]
        if char == ".":
            return True, ["a"]
        if char == "(":
            return False, self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            escaped = self._take()
            return escaped in "wS", [_CLASSES.get(escaped, escaped)]
        return False, [char]

    def _group(self) -> list[str]:
        if self._next("?"):
            while self._take() not in ":>":  # flags, or the name of the group
                pass
        found = self.alternatives()
        if self._take() != ")":
            raise ValueError
        return found

    def _set(self) -> tuple[bool, list[str]]:
        end = self._text.index("]", self._at + (2 if self._text[self._at] == "^" else 1))
        while self._text[end - 1] == "\\":
            end = self._text.index("]", end + 1)
        pattern = ScopePattern(f"^[{self._text[self._at : end]}]$")
        self._at = end + 1
        fitting = [char for char in _CANDIDATES if pattern.matches(char)]
        return all(pattern.matches(char) for char in _ANY), fitting[:1]

    def _times(self) -> tuple[int, int]:
        least, most = 1, 1
        if self._next("?"):
            least, most = 0, 1
        elif self._next("*"):
            least, most = 0, 2
        elif self._next("+"):
            least, most = 1, 2
        elif self._at < len(self._text) and self._text[self._at] == "{":
            end = self._text.index("}", self._at)
            low, comma, high = self._text[self._at + 1 : end].partition(",")
            least, most = int(low), int(high) if high else int(low) + bool(comma)
            self._at = end + 1
        self._next("?")  # lazy
        return least, most

    def _take(self) -> str:
        char = self._text[self._at]
        self._at += 1
        return char

    def _next(self, char: str) -> bool:
        if self._at < len(self._text) and self._text[self._at] == char:
            self._at += 1
            return True
        return False
