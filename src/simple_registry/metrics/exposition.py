"""The text format 0.0.4 of Prometheus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from simple_registry.metrics.families import Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Series = tuple[str, ...]
"""Values of the labels of a metric, in order."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of the buckets, the last of which is unbounded, and the sum of the observed values."""

    counts: Sequence[float]
    total: float


@dataclass(frozen=True, slots=True)
class Samples:
    """The values of a metric at one moment."""

    family: Family
    values: Mapping[Series, float | Histogram]


def exposition(samples: Iterable[Samples]) -> bytes:
    """Return the samples as text."""
    return "".join(line for each in samples for line in _lines(each)).encode()


def _lines(samples: Samples) -> Iterator[str]:
    family = samples.family
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    for series, value in samples.values.items():
        labels = list(zip(family.labels, series, strict=True))
        if not isinstance(value, Histogram):
            yield f"{family.name}{_braces(labels)} {_number(value)}\n"
            continue
        bounds = (*map(_number, family.bounds), "+Inf")
        for bound, count in zip(bounds, accumulate(value.counts), strict=True):
            yield f"{family.name}_bucket{_braces([*labels, ('le', bound)])} {_number(count)}\n"
        yield f"{family.name}_sum{_braces(labels)} {_number(value.total)}\n"
        yield f"{family.name}_count{_braces(labels)} {_number(sum(value.counts))}\n"


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
