"""A strict reader of Prometheus' text format 0.0.4: what is not exactly right is an error."""

import math
import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_META = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")

Labels = tuple[tuple[str, str], ...]


@dataclass
class Metric:
    """An exported metric: `samples` by the suffix of the name and the labels."""

    help: str
    kind: str = ""
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Metric]:
    """Return the metrics of a text; raise AssertionError where it is not right."""
    assert text.endswith("\n")
    metrics: dict[str, Metric] = {}
    name = ""
    for line in text[:-1].split("\n"):
        if meta := _META.fullmatch(line):
            word, named, rest = meta.groups()
            if word == "HELP":
                assert named not in metrics, f"{named} is told twice"
                name, metrics[named] = named, Metric(rest)
            else:
                assert (named, metrics[name].kind) == (name, ""), f"TYPE of {named} is out of place"
                assert rest in {"counter", "gauge", "histogram"}
                metrics[name].kind = rest
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, f"no sample: {line!r}"
        full, labels, number = sample.groups()
        assert full.startswith(name), f"{full} has no HELP and TYPE before it"
        assert metrics[name].kind, f"{full} has no TYPE before it"
        key = (full.removeprefix(name), _labels(labels or ""))
        assert key not in metrics[name].samples, f"{line!r} is told twice"
        assert _NUMBER.fullmatch(number), f"no number: {line!r}"
        metrics[name].samples[key] = float(number)
    for each, metric in metrics.items():
        _check(each, metric)
    return metrics


def value(metrics: dict[str, Metric], name: str, suffix: str = "", **labels: str) -> float:
    """Return the sum of the samples that have these labels, among others."""
    wanted = set(labels.items())
    samples = metrics[name].samples.items()
    return sum(number for (end, has), number in samples if end == suffix and wanted <= set(has))


def _labels(text: str) -> Labels:
    found = []
    while text:
        label = _LABEL.match(text)
        assert label, f"no label: {text!r}"
        found.append((label[1], label[2]))
        text = text[label.end() :]
        assert not text or text.startswith(","), f"no comma: {text!r}"
        text = text[1:]
    assert len(dict(found)) == len(found), "a label came twice"
    return tuple(found)


def _check(name: str, metric: Metric) -> None:
    suffixes = {suffix for suffix, _ in metric.samples}
    if metric.kind != "histogram":
        assert suffixes <= {""}, f"{name} is no histogram"
        assert metric.kind != "counter" or name.endswith("_total"), f"{name} is a counter"
        return
    assert suffixes <= {"_bucket", "_sum", "_count"}
    series = {tuple(label for label in labels if label[0] != "le") for _, labels in metric.samples}
    for labels in series:
        buckets = {
            float(dict(has)["le"].replace("+Inf", "inf")): number
            for (suffix, has), number in metric.samples.items()
            if suffix == "_bucket" and tuple(label for label in has if label[0] != "le") == labels
        }
        assert math.inf in buckets
        counts = [buckets[bound] for bound in sorted(buckets)]
        assert counts == sorted(counts), f"buckets of {name} do not add up"
        assert counts[-1] == metric.samples["_count", labels]
        assert ("_sum", labels) in metric.samples
