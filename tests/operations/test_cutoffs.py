"""A jump of the clock ages no row, and no row stays young forever."""

import pytest

from simple_registry.operations.cutoffs import MAX_SKEW, Cutoffs
from support.time import SettableClock

AGE = 3600.0
DAY = 24 * 3600.0


@pytest.fixture
def clock():
    return SettableClock()


def test_without_a_jump_the_wall_clock_counts(clock):
    cutoffs = Cutoffs(clock)
    for _ in range(3):
        clock.advance(DAY)
        assert cutoffs.before(AGE) == clock.now() - AGE


@pytest.mark.parametrize("jump", [2 * AGE, DAY, 50 * 365 * DAY])
def test_a_jump_forward_ages_no_row(clock, jump):
    cutoffs = Cutoffs(clock)
    clock.advance(DAY)
    touched = clock.now()
    clock.advance(AGE / 2)
    clock.jump(jump)
    assert touched >= cutoffs.before(AGE)
    clock.advance(AGE / 2 - 1)
    assert touched >= cutoffs.before(AGE)
    clock.advance(2)
    assert touched < cutoffs.before(AGE)


def test_a_row_written_after_a_jump_ages_as_usual(clock):
    cutoffs = Cutoffs(clock)
    clock.jump(DAY)
    cutoffs.before(AGE)
    touched = clock.now()
    clock.advance(AGE - 1)
    assert touched >= cutoffs.before(AGE)
    clock.advance(2)
    assert touched < cutoffs.before(AGE)


@pytest.mark.parametrize("jump", [-AGE, -DAY, -50 * 365 * DAY])
def test_a_jump_back_ages_no_row(clock, jump):
    cutoffs = Cutoffs(clock)
    touched = clock.now()
    clock.jump(jump)
    clock.advance(AGE - 1)
    assert touched >= cutoffs.before(AGE)
    assert (touched > cutoffs.future()) == (jump < -MAX_SKEW)


def test_a_jump_there_and_back_has_no_effect(clock):
    cutoffs = Cutoffs(clock)
    touched = clock.now()
    clock.jump(DAY)
    cutoffs.before(AGE)
    clock.jump(-DAY)
    clock.advance(AGE + 1)
    assert touched < cutoffs.before(AGE)


def test_two_jumps_add_up(clock):
    cutoffs = Cutoffs(clock)
    touched = clock.now()
    for _ in range(2):
        clock.jump(DAY)
        clock.advance(AGE / 2 - 1)
        assert touched >= cutoffs.before(AGE)


def test_small_corrections_do_not_count_as_a_jump(clock):
    cutoffs = Cutoffs(clock)
    clock.jump(30)
    assert cutoffs.before(AGE) == clock.now() - AGE


def test_a_process_forked_later_knows_of_an_earlier_jump(clock):
    touched = clock.now()
    clock.jump(DAY)
    assert touched >= Cutoffs(clock).before(AGE)
