"""Numbers of the metrics, which all workers share, for pages."""

import re
from collections.abc import Mapping

_SAMPLE = re.compile(r"(\w+)(?:\{(?:\w+=\"(\w*)\")\})? ([0-9.e+]+)", re.ASCII)


def numbers_of(text: str, family: str) -> Mapping[str, float]:
    """Return the numbers of a family of metrics by the value of its one label, empty if it has none."""
    found = (_SAMPLE.fullmatch(line) for line in text.splitlines() if line.startswith(family))
    return {match[2] or "": float(match[3]) for match in found if match is not None and match[1] == family}
