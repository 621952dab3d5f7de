"""Versions that tags name, and ranges of versions: `>=1.2 <3 || 5`.

The order is that of Semantic Versioning 2.0.0, section 11. A tag may begin with `v`, and may leave out numbers (`v1`,
`1.2`), which are 0 then. What follows a `_` (or `+`, which no tag has) is build metadata, which has no order; Helm
writes it so.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Any

# Without all three numbers there is no prerelease: `2024-01-05` and `1.27-alpine` are no versions.
_VERSION = re.compile(
    r"v?([0-9]{1,18})(?:\.([0-9]{1,18})(?:\.([0-9]{1,18})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?)?)?"
    r"(?:[_+][0-9A-Za-z._-]*)?",
    re.ASCII,
)
_COMPARATOR = re.compile(r"(>=|<=|>|<|=)?\s*([^\s<>=]+)\s*", re.ASCII)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt, "=": eq}

_Identifier = tuple[int, int, str]

MAX_CACHED = 65_536
"""Tags whose keys each process caches: a page sorts all tags of its repository."""

_WIDTH = 18
"""Digits of the largest number in a version."""


class RangeInvalid(ValueError):
    """Not a range of versions; the message shows an example."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version: those of its three numbers that were written, and its prerelease (empty for a release)."""

    written: tuple[int, ...]
    prerelease: tuple[_Identifier, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """All three numbers."""
        return (*self.written, 0, 0)[:3]

    @property
    def precedence(self) -> tuple[tuple[int, ...], bool, tuple[_Identifier, ...]]:
        """The key by which versions are ordered: a prerelease comes before its release."""
        return self.numbers, not self.prerelease, self.prerelease


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A range: of the alternatives, one has only comparators that a version meets."""

    text: str
    alternatives: tuple[tuple[tuple[str, Version], ...], ...]

    def includes(self, version: Version) -> bool:
        """Return whether a version lies in the range."""
        return any(all(_meets(version, *each) for each in comparators) for comparators in self.alternatives)


def find_version(text: str) -> Version | None:
    """Return the version that a tag names, if it names one."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    written = tuple(int(number) for number in match.groups()[:3] if number is not None)
    return Version(written, tuple(_identifier(each) for each in match[4].split(".")) if match[4] else ())


def parse_range(text: str) -> VersionRange:
    """Return the range that a text describes: comparators that all hold, and alternatives between `||`.

    Raises: RangeInvalid.
    """
    return VersionRange(text, tuple(_comparators(part.strip(), text) for part in text.split("||")))


@lru_cache(MAX_CACHED)
def version_key(tag: str) -> str:
    """Return a text by which tags are in the order of their versions, those that name none before all others.

    Versions of the same precedence, such as `v1.2` and `1.2.0`, follow each other in ASCII order, as other tags do.
    """
    version = find_version(tag)
    if version is None:
        return f"0{tag}"
    numbers = "".join(f"{number:0{_WIDTH}}" for number in version.numbers)
    # A release comes after its prereleases. Identifiers end with a character that is less than any in them.
    identifiers = "".join(_identifier_key(*each) for each in version.prerelease)
    return f"1{numbers}{'-' if version.prerelease else '~'}{identifiers}\x00{tag}"


def _comparators(part: str, whole: str) -> tuple[tuple[str, Version], ...]:
    found: list[tuple[str, Version]] = []
    at = 0
    while match := _COMPARATOR.match(part, at):
        version = find_version(match[2])
        if version is None:
            break
        found.append((match[1] or "=", version))
        at = match.end()
    if at < len(part) or not found:
        raise RangeInvalid(f"{whole[:80]!r} is not a range of versions; write for example '>=1.2 <3' or '1.4 || 2'")
    return tuple(found)


def _meets(version: Version, operator: str, bound: Version) -> bool:
    """Return whether a version meets a comparator.

    A bound that leaves out numbers means all versions that begin with it: `1.2` is any 1.2.x, and `<3` ends before the
    prereleases of 3.0.0.
    """
    written = len(bound.written)
    if written < len(bound.numbers):
        return _OPERATORS[operator](version.numbers[:written], bound.written)
    return _OPERATORS[operator](version.precedence, bound.precedence)


def _identifier(text: str) -> _Identifier:
    """Return the key of an identifier of a prerelease: numbers come before texts."""
    return (0, int(text), "") if text.isdecimal() and len(text) <= 18 else (1, 0, text)  # noqa: PLR2004 (as above)


def _identifier_key(is_text: int, number: int, text: str) -> str:
    return f"1{text}\x01" if is_text else f"0{number:0{_WIDTH}}\x01"
