"""The tables say what the scores say."""

import pytest

from faults.planted.bugs import BUGS
from faults.scorecard import ENTRIES, catch_table, table
from faults.scores import Score
from harness import ROOT

FOUND = [
    Score("kills", "ours", "200 kills, 0 lost", []),
    Score("kills", "theirs", "20 kills", ["lost <a>|b\nsecond line", "more"]),
    Score("fsck", "ours", "12 found", []),
]


def test_a_table_has_a_row_for_each_campaign_and_a_column_for_each_registry():
    assert table(FOUND).splitlines() == [
        "| campaign | ours | theirs |",
        "|---|---|---|",
        r"| kills | **passed**: 200 kills, 0 lost | 2 faults: 20 kills. First: lost &lt;a>\|b |",
        "| fsck | **passed**: 12 found | not asked |",
    ]


def test_a_bug_that_was_not_caught_is_shown():
    text = catch_table([("a-bug", Score("kills", "x", "", [])), ("b-bug", Score("kills", "x", "", ["seen"]))])
    assert "| `a-bug` | kills | **not caught** |" in text
    assert "| `b-bug` | kills | seen |" in text


def test_an_example_does_not_show_local_paths():
    told = f'mkdirat(AT_FDCWD<{ROOT}>, "docker") in "/cut/off/src/simple_registry/app.py" of {ROOT}/tests'
    text = catch_table([("a-bug", Score("kills", "x", "", [told]))])
    assert '| mkdirat(AT_FDCWD, "docker") in simple_registry/app.py" of tests |' in text


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_every_planted_bug_has_a_campaign_that_is_to_catch_it(bug):
    assert any(bug in entry.bugs for entry in ENTRIES.values())


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_every_campaign_names_only_bugs_that_exist(name):
    assert set(ENTRIES[name].bugs) <= BUGS.keys()
