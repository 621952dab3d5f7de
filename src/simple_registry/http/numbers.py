"""Whole numbers in headers and queries: ASCII digits and nothing else, however many there are."""

import re

MAX_NUMBER = 2**63 - 1
"""In place of every larger number: no content has as many bytes, and no listing as many items."""

DIGITS = r"[0-9]+"

_DIGITS = re.compile(DIGITS, re.ASCII)
_LENGTH = len(str(MAX_NUMBER))


def parse_number(text: str) -> int | None:
    """Return the number that `text` spells, at most `MAX_NUMBER`, or `None` for other text."""
    if _DIGITS.fullmatch(text) is None:
        return None
    significant = text.lstrip("0")
    # The length is checked first: Python refuses to parse thousands of digits.
    return min(int(significant or "0"), MAX_NUMBER) if len(significant) <= _LENGTH else MAX_NUMBER
