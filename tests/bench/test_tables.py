import pytest

from bench import tables
from bench.goals import Goal, Limit, Verdict
from bench.results import Better, Figure, Sample
from bench.workloads import Workload

RATE = Workload("rate", "rate of {large}", "requests/s", lambda _: Sample(0))
SECONDS = Workload("seconds", "start", "s", lambda _: Sample(0), Better.LOWER)
RESULTS = {
    "rate": {"ours": Figure(12_345.6, 12_000, 13_000, 0.000_098), "theirs": Figure(1000, 900, 1100, 0.012)},
    "seconds": {"ours": Figure(0.5, 0.4, 0.6, None)},
}


def titled(title):
    return title.format(large="256 MiB")


def test_ratios_are_the_factors_of_improvement():
    text = tables.ratios([RATE, SECONDS], RESULTS, ["ours", "theirs"], titled)

    assert text == (
        "|  | ours | compared with theirs |\n"
        "| --- | ---: | ---: |\n"
        "| rate of 256 MiB | 12,346 requests/s | 12.3 × |\n"
        "| start | 0.50 s | – |\n"
    )


def test_figures_have_spread_and_cpu_time():
    text = tables.figures([RATE], RESULTS, ["ours", "theirs"], titled)

    assert "| 12,346 (12,000–13,000), 98 µs | 1,000 (900–1,100), 12 ms |" in text


@pytest.mark.parametrize(
    ("verdict", "row"),
    [
        (Verdict(Goal("a", "rate", 10, "theirs"), 12.345), "| a | theirs | ≥ 10.0 × | 12.3 × | reached |"),
        (Verdict(Goal("a", "rate", 10, "theirs"), 9.99), "| a | theirs | ≥ 10.0 × | 9.99 × | **not reached** |"),
        (Verdict(Goal("a", "rate", 0.85, against="other"), 1), "| a | other | ≥ 0.85 × | 1.00 × | reached |"),
        (Verdict(Limit("a", "seconds", 1), 0.5), "| a |  | ≤ 1.00 | 0.50 | reached |"),
        (Verdict(Limit("a", "seconds", 1), None), "| a |  | ≤ 1.00 | – | not measured |"),
    ],
)
def test_goals_have_wanted_and_measured_values(verdict, row):
    assert row in tables.goals([verdict], titled)
