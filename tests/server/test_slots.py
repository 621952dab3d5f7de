import math

import pytest

from simple_registry.server.slots import (
    HANG_PAUSE,
    HANG_TIME,
    LIFE,
    SERVED_TIME,
    UNSERVED_TIME,
    Event,
    HangWatch,
    Slot,
    State,
    Worker,
)
from simple_registry.server.worker import READY
from support.sources import ROOT


def make_worker(slot=None):
    return Worker(1, slot or Slot(0), -1)


def make_serving(slot=None, since=0.0):
    worker = make_worker(slot)
    assert worker.read_report(READY, since)
    return worker


# ---------------------------------------------------------------- the life of a worker


def test_the_table_names_every_state_and_every_worker_ends():
    assert set(LIFE) == set(State)
    assert {state for state in State if Event.EXIT not in LIFE[state]} == {State.ENDED}


def test_the_table_is_in_the_documents():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    events = [event for event in Event if event is not Event.EXIT]
    for state in State:
        if state is not State.ENDED:
            cells = [LIFE[state].get(event, "\N{EN DASH}") for event in events]
            assert f"| {' | '.join([state, *cells])} |" in text


def test_an_unlisted_event_is_an_error():
    with pytest.raises(KeyError):
        make_worker().apply(Event.HANG)


def test_a_deadline_holds_only_in_states_that_have_one():
    worker = make_serving()
    worker.apply(Event.STOP, deadline=5.0)
    assert worker.due == 5.0
    worker.apply(Event.STOP, deadline=3.0)
    assert worker.due == 3.0
    worker.apply(Event.OVERDUE)
    assert worker.due == math.inf
    worker.apply(Event.STOP, deadline=9.0)
    assert (worker.state, worker.due) == (State.KILLED, math.inf)


def test_a_worker_is_ready_once_its_whole_report_has_arrived():
    worker = make_worker()
    assert not worker.read_report(READY[:2], 1.0)
    assert worker.read_report(READY[2:], 2.0)
    assert not worker.read_report(READY, 3.0)
    assert (worker.state, worker.serving_since, worker.due) == (State.SERVING, 2.0, 3.0 + HANG_TIME)


def test_a_stopping_worker_does_not_become_ready():
    worker = make_worker()
    worker.apply(Event.STOP, deadline=5.0)
    assert not worker.read_report(READY, 1.0)
    assert (worker.state, worker.due) == (State.STOPPING, 5.0)


def test_the_reason_is_its_report_or_how_it_ended():
    refused = make_worker()
    refused.read_report(b"cannot open the database", 0.0)
    assert refused.reason(1) == "cannot open the database"
    assert make_serving().reason(1) == "it ended with code 1"
    assert make_worker().reason(-9) == "killed by signal 9"


# ---------------------------------------------------------------- slots


def test_a_slot_is_refilled_twice_at_once_and_then_with_growing_delays():
    slot = Slot(0)
    delays = []
    for moment in (100.0, 101.0, 102.0, 103.0):
        slot.vacate(moment)
        delays.append(round(slot.refill_at - moment, 3))
    assert delays == [0.0, 0.0, 0.2, 0.4]
    for moment in range(104, 120):
        slot.vacate(float(moment))
        assert slot.refill_at - moment <= 5.0
    slot.vacate(1000.0)
    assert slot.refill_at == 1000.0


def test_a_worker_that_served_is_replaced_at_once_after_any_number_of_deaths():
    slot = Slot(0)
    for moment in (100.0, 101.0, 102.0, 103.0):
        slot.vacate(moment)
    slot.vacate(104.0, served=SERVED_TIME)
    assert slot.refill_at == 104.0
    slot.vacate(105.0)
    assert slot.refill_at == 105.0


def test_a_slot_is_unserved_from_the_first_death_until_a_worker_is_ready():
    slot = Slot(0)
    slot.current = make_serving(slot)
    assert not slot.is_unserved(1000.0)
    slot.vacate(100.0, served=SERVED_TIME)
    slot.vacate(101.0)
    assert not slot.is_unserved(100.0 + UNSERVED_TIME - 0.1)
    assert slot.is_unserved(100.0 + UNSERVED_TIME)
    slot.paused = True
    assert not slot.is_unserved(100.0 + UNSERVED_TIME)
    slot.current = make_serving(slot)
    assert slot.fill(slot.current) is None
    assert not slot.paused
    assert not slot.is_unserved(1000.0)


def test_a_successor_takes_the_slot_when_it_is_ready():
    slot = Slot(0)
    slot.current, slot.successor = make_serving(slot), make_worker(slot)
    before, after = slot.current, slot.successor
    assert slot.fill(after) is before
    assert (slot.current, slot.successor) == (after, None)


# ---------------------------------------------------------------- workers that hang


@pytest.fixture
def check():
    """Return a function that checks workers with these last beats: how many hang, and which one is replaced."""
    watch = HangWatch()

    def check(beats, now):
        workers = [make_serving(since=beat) for beat in beats]
        count, chosen = watch.check(workers, now)
        return count, None if chosen is None else workers.index(chosen)

    return check


def test_a_worker_without_a_beat_is_replaced(check):
    assert check([100.0, 125.0], 100.0 + HANG_TIME - 1) == (0, None)
    assert check([100.0, 125.0], 100.0 + HANG_TIME) == (1, 0)


def test_at_most_one_hung_worker_is_replaced_in_five_minutes(check):
    assert check([100.0, 100.0, 130.0], 131.0) == (2, 0)
    assert check([200.0, 430.0], 131.0 + HANG_PAUSE - 1) == (1, None)
    assert check([200.0, 431.0], 131.0 + HANG_PAUSE) == (1, 0)


def test_when_all_workers_hang_none_is_replaced(check):
    assert check([100.0, 100.0], 131.0) == (2, None)
    assert check([100.0], 131.0) == (1, None)


def test_a_hung_worker_is_reported_again_after_the_same_time():
    watch, workers = HangWatch(), [make_serving(since=100.0), make_serving(since=100.0)]
    assert watch.check(workers, 131.0) == (2, None)
    assert watch.check(workers, 132.0) == (0, None)
    assert watch.check(workers, 131.0 + HANG_TIME) == (2, None)
