"""Scope patterns: RE2 regular expressions that look for themselves anywhere in a scope string.

RE2 is the syntax that Go programs use, so existing manifests keep their meaning, and its time is linear in the text,
so no pattern can stall the registry. This module is the only one that compiles or runs one.
"""

from dataclasses import dataclass, field
from typing import Any

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 * 1024 * 1024

LARGEST_SET = 5_000
"""Instructions of the largest pattern that is looked for as a set of one, which is several times faster than a search,
since that also tells where. A set has no other way when its automaton outgrows its memory; this size leaves it room."""


class PatternInvalid(ValueError):
    """A text that is no RE2 regular expression; the message says where it breaks."""


@dataclass(frozen=True, slots=True)
class ScopePattern:
    """A compiled pattern; equal when its text is."""

    text: str
    _occurs: object = field(init=False, repr=False, compare=False)
    _describes: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re2.compile(self.text, options=_OPTIONS)
        except (re2.error, UnicodeError) as error:
            raise PatternInvalid(_reason(error)) from None
        small = compiled.programsize <= LARGEST_SET
        object.__setattr__(self, "_occurs", _alone(re2.Set.SearchSet, self.text) if small else compiled.search)
        object.__setattr__(self, "_describes", _alone(re2.Set.FullMatchSet, self.text) if small else compiled.fullmatch)

    def matches(self, scope: str) -> bool:
        """Tell whether the pattern occurs anywhere in `scope`; anchors are the pattern's own business."""
        return self._occurs(scope) is not None  # type: ignore[operator]

    def matches_wholly(self, text: str) -> bool:
        """Tell whether the pattern describes all of `text`."""
        return self._describes(text) is not None  # type: ignore[operator]


def _alone(kind: Any, text: str) -> object:
    """Return what finds a pattern as the only one of a set, or returns `None`."""
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
