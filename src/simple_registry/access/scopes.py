"""Scope patterns: RE2 regular expressions that are searched (unanchored) in a scope string, and plain names.

RE2 is the syntax that Go programs use, so existing manifests keep their meaning, and its time is linear in the text.
It is also linear in the pattern, and so is the memory: patterns of an operator's documents may be large, those that
clients make have a budget. This module is the only one that compiles or runs a pattern.
"""

import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import re2

CLIENT_MEMORY = 64 * 1024
"""Bytes of a pattern of a client, with all that matching adds."""

MAX_CLIENT_PATTERN = 1_000
"""Instructions of a pattern of a client; one for a path needs fewer than 100. At worst, matching takes 25 ns for each
instruction and each character of the text."""

MAX_SET = 5_000
"""Instructions of a pattern that is matched as a set of one: several times faster than a search, which also locates it.
A set fails when its automaton outgrows its memory; patterns of this size leave it room."""

MAX_BEGINNING = 256
"""Bytes of a fixed prefix that is computed: the name of a repository has no more."""

_INSIDE = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:[a-z^]+:\]|[^\]\\])*\]", re.DOTALL)
"""Parts without effect on the structure of a pattern: escaped characters, and classes of characters."""
_GROUP = re.compile(r"\([^()]*\)")


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    options.never_capture = True
    return options


_OPTIONS = _options(8 * 1024 * 1024)
_CLIENT_OPTIONS = _options(CLIENT_MEMORY)


class PatternInvalid(ValueError):
    """Not an RE2 regular expression; the message says where it breaks."""


@dataclass(frozen=True, slots=True)
class ScopePattern:
    """A compiled pattern, within the budget of clients if one made it; equal when its text and its maker are."""

    text: str
    of_client: bool = False
    size: int = field(init=False, compare=False)
    """Instructions: the cost of a match, for each character of the text."""
    _occurs: object = field(init=False, repr=False, compare=False)
    _describes: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re2.compile(self.text, options=_CLIENT_OPTIONS if self.of_client else _OPTIONS)
        except (re2.error, UnicodeError) as error:
            raise PatternInvalid(_reason(error)) from None
        size = compiled.programsize
        if self.of_client and size > MAX_CLIENT_PATTERN:
            raise PatternInvalid(f"it is too large: {size} instructions, of at most {MAX_CLIENT_PATTERN}")
        # A set cannot fall back when its automaton outgrows the memory, which that of a client is too small to prevent.
        fast = size <= MAX_SET and not self.of_client
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "_occurs", _alone(re2.Set.SearchSet, self.text) if fast else compiled.search)
        object.__setattr__(self, "_describes", _alone(re2.Set.FullMatchSet, self.text) if fast else compiled.fullmatch)

    def matches(self, scope: str) -> bool:
        """Return whether the pattern occurs anywhere in `scope`; anchors are up to the pattern."""
        return self._occurs(scope) is not None  # type: ignore[operator]

    def matches_wholly(self, text: str) -> bool:
        """Return whether the pattern describes all of `text`."""
        return self._describes(text) is not None  # type: ignore[operator]

    def may_match_below(self, beginning: str) -> bool:
        """Return whether the pattern may occur in a text with this prefix; in doubt, it may."""
        fixed, whole = _fixed_beginning(self.text)
        return fixed.startswith(beginning) or (not whole and beginning.startswith(fixed))


@lru_cache(4096)
def _fixed_beginning(text: str) -> tuple[str, bool]:
    """Return the prefix of every text in which a pattern occurs, and whether it is the whole text.

    The prefix is empty if it cannot be determined.
    """
    if not _is_anchored(text):
        return "", False
    try:
        least, most = re2.compile(text, options=_OPTIONS).possiblematchrange(MAX_BEGINNING)
    except re2.error:
        return "", False
    whole = least == most and len(least) < MAX_BEGINNING and text.endswith("$") and not text.endswith("\\$")
    shared = os.path.commonprefix([least, most])  # noqa: RUF071 (of characters is what is wanted)
    return shared.decode(errors="ignore"), whole


def _is_anchored(text: str) -> bool:
    """Return whether a pattern surely matches at the beginning only: `^`, and no alternative to all that follows."""
    if not text.startswith("^") or text[1:2] in {"*", "+", "?", "{"} or "\\Q" in text:
        return False
    outside = _INSIDE.sub("", text)
    while (less := _GROUP.sub("", outside)) != outside:
        outside = less
    return "|" not in outside


@dataclass(frozen=True, slots=True)
class ScopeName:
    """The name of a repository, or of a resource of the registry, as a scope; it includes the repository's tags."""

    text: str
    size: ClassVar[int] = 0
    """It costs nothing; see `ScopePattern.size`."""

    def matches(self, scope: str) -> bool:
        """Return whether `scope` is the name itself, or a tag of it."""
        return scope == self.text or scope.startswith(f"{self.text}:")


def _alone(kind: Any, text: str) -> object:
    """Return a function that matches a pattern as the only one of a set: it returns `None` without a match."""
    patterns = kind(_OPTIONS)
    patterns.Add(text)
    patterns.Compile()
    return patterns.Match


def escape(text: str) -> str:
    """Return a pattern that matches exactly `text`."""
    return str(re2.escape(text))


def _reason(error: Exception) -> str:
    message = error.args[0] if error.args else str(error)
    return message.decode(errors="replace") if isinstance(message, bytes) else str(message)
