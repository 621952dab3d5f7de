"""Durations as Go programs write them: `168h`, `1h30m`, `100ms`."""

import re

from simple_registry.config.values import ConfigError
from simple_registry.times import format_duration

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def translate_duration(text: str) -> str:
    """Return the text of the same duration in documents.

    Raises: ConfigError.
    """
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise ConfigError(f"{text[:40]!r} is not a duration such as 168h")
    return format_duration(round(sum(float(number) * _SECONDS[unit] for number, unit in parts), 6))
