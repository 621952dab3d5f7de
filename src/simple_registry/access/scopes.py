"""Scope patterns: RE2 regular expressions that look for themselves anywhere in a scope string.

RE2 is the syntax that Go programs use, so existing manifests keep their meaning, and its time is linear in the text,
so no pattern can stall the registry. This module is the only one that compiles or runs one.
"""

from dataclasses import dataclass, field

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 * 1024 * 1024


class PatternInvalid(ValueError):
    """A text that is no RE2 regular expression; the message says where it breaks."""


@dataclass(frozen=True, slots=True)
class ScopePattern:
    """A compiled pattern; equal when its text is."""

    text: str
    _search: object = field(init=False, repr=False, compare=False)
    _fullmatch: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re2.compile(self.text, options=_OPTIONS)
        except (re2.error, UnicodeError) as error:
            raise PatternInvalid(_reason(error)) from None
        object.__setattr__(self, "_search", compiled.search)
        object.__setattr__(self, "_fullmatch", compiled.fullmatch)

    def matches(self, scope: str) -> bool:
        """Tell whether the pattern occurs anywhere in `scope`; anchors are the pattern's own business."""
        return self._search(scope) is not None  # type: ignore[operator]

    def matches_wholly(self, text: str) -> bool:
        """Tell whether the pattern describes all of `text`."""
        return self._fullmatch(text) is not None  # type: ignore[operator]


def escape(text: str) -> str:
    """Return a pattern that matches exactly `text`."""
    return str(re2.escape(text))


def _reason(error: Exception) -> str:
    message = error.args[0] if error.args else str(error)
    return message.decode(errors="replace") if isinstance(message, bytes) else str(message)
