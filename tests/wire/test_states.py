"""The table of states, as a graph."""

import pytest

from simple_registry.wire.states import TRANSITIONS, Event, State

HANDLED = {State.BODY, State.COMPLETE, State.HALF_CLOSED, State.BROKEN}
"""States in which a request is being handled."""

OPEN = [state for state in State if state is not State.CLOSED]


def reachable(state):
    found, new = set(), {state}
    while new:
        found |= new
        new = {after for before in new for after in TRANSITIONS[before].values()} - found
    return found


def test_every_state_is_in_the_table_and_can_be_reached():
    assert set(TRANSITIONS) == set(State)
    assert reachable(State.IDLE) == set(State)


@pytest.mark.parametrize("state", OPEN, ids=lambda state: state.name)
def test_every_open_state_can_be_lost_and_leads_to_closed(state):
    assert TRANSITIONS[state][Event.LOST] is State.CLOSED
    assert State.CLOSED in reachable(state)


def test_closed_is_final():
    assert TRANSITIONS[State.CLOSED] == {}


@pytest.mark.parametrize("state", [State.BROKEN, State.REFUSED, State.LINGER], ids=lambda state: state.name)
def test_no_request_is_read_after_malformed_input(state):
    assert not reachable(state) & {State.IDLE, State.HEAD, State.BODY, State.COMPLETE}


def test_a_broken_body_never_becomes_complete():
    assert State.COMPLETE not in reachable(State.BROKEN)


def test_every_handled_request_can_be_answered():
    for state in HANDLED:
        assert Event.ANSWERED_LAST in TRANSITIONS[state]


@pytest.mark.parametrize("state", [State.BODY, State.BROKEN], ids=lambda state: state.name)
def test_an_answer_before_the_end_of_a_body_is_the_last_one(state):
    assert Event.ANSWERED not in TRANSITIONS[state]
