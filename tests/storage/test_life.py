"""The tables of the life of content are complete, and every state can be reached."""

import pytest

from simple_registry.storage.life import CONTENTS, HOLDINGS, ContentEvent, ContentState, HoldingEvent, HoldingState

LIVES = [(HOLDINGS, HoldingState, HoldingEvent), (CONTENTS, ContentState, ContentEvent)]


@pytest.mark.parametrize(("life", "states", "events"), LIVES)
def test_every_state_has_a_row_and_every_event_a_place(life, states, events):
    assert set(life) == set(states)
    assert {event for row in life.values() for event in row} == set(events)


@pytest.mark.parametrize(("life", "states", "_events"), LIVES)
def test_every_state_is_reached_from_absence_and_leads_back_to_it(life, states, _events):
    def reached(start):
        found = {start}
        while more := {after for state in found for after in life[state].values()} - found:
            found |= more
        return found

    absent = next(iter(states))
    assert reached(absent) == set(states)
    assert all(absent in reached(state) for state in states)
