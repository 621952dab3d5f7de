"""Every number has a place of its own in a row."""

from simple_registry.metrics.exposition import exposition
from simple_registry.metrics.families import ASKED, FAMILIES, RESIDENT, SAMPLED
from simple_registry.metrics.layout import Layout
from support.exposition import parse, value

LAYOUT = Layout([("get_blob", "GET")])


def test_places_are_different_and_within_the_row():
    places = list(LAYOUT.at.values())
    assert len(set(places)) == len(places)
    assert min(places) > LAYOUT.commits >= LAYOUT.requests.end
    assert max(places) == LAYOUT.width - 1


def test_gauges_are_known_since_they_end_with_their_process():
    assert LAYOUT.at[RESIDENT, ()] in LAYOUT.gauges
    counters = [at for (family, _), at in LAYOUT.at.items() if family.kind == "counter"]
    assert not set(counters) & set(LAYOUT.gauges)


def test_every_number_of_a_row_is_exported_under_its_name():
    totals = [0.0] * LAYOUT.width
    for number, at in enumerate(LAYOUT.at.values()):
        totals[at] = number + 1
    exported = parse(exposition(LAYOUT.samples(totals)).decode())
    for number, (family, series) in enumerate(LAYOUT.at):
        assert value(exported, family.name, **dict(zip(family.labels, series, strict=True))) == number + 1
    assert set(exported) == {family.name for family in FAMILIES} - {family.name for family in ASKED}
    assert {family.name for family in SAMPLED} <= set(exported)


def test_a_board_has_a_row_for_the_parent_and_many_for_each_worker():
    assert LAYOUT.board(2).rows == 33
