"""Warnings before an outage: when they begin and end, and what the log has of them."""

import asyncio
import logging

import pytest

from simple_registry.operator_warnings import INTERVAL, REMINDER, About, FreeSpace, OperatorWarnings, Warned
from simple_registry.storage.stores import DiskSpace
from support.time import SettableClock

GIB = 1024**3


@pytest.fixture
def clock():
    return SettableClock(1000.0)


@pytest.fixture
def reasons():
    """The text of each warning that there is a reason for; tests change it."""
    return {}


@pytest.fixture
def warnings(clock, reasons):
    warnings = OperatorWarnings(clock)
    for about in About:
        warnings.watch(about, lambda about=about: reasons.get(about))
    return warnings


def run_rounds(warnings, clock, number):
    """Let the background work do some rounds."""

    async def rounds():
        for _ in range(number):
            task = asyncio.create_task(warnings.run())
            await asyncio.sleep(0.01)
            task.cancel()
            clock.advance(INTERVAL)

    asyncio.run(rounds())


def test_without_a_reason_there_is_no_warning(warnings):
    assert warnings.current() == {}


def test_a_warning_is_as_old_as_its_reason_whatever_its_text(warnings, clock, reasons):
    reasons[About.SPACE] = "5 GiB"
    assert warnings.current() == {About.SPACE: Warned("5 GiB", 1000.0)}
    clock.advance(60)
    reasons[About.SPACE] = "4 GiB"
    assert warnings.current() == {About.SPACE: Warned("4 GiB", 1000.0)}


def test_a_reason_that_comes_back_is_a_new_one(warnings, clock, reasons):
    for second in (1000.0, 1060.0):
        reasons[About.RULES] = "broken"
        assert warnings.current()[About.RULES].since == second
        reasons.clear()
        assert warnings.current() == {}
        clock.advance(60)


def test_a_warning_is_logged_when_it_begins_once_a_day_and_when_it_ends(warnings, clock, reasons, caplog):
    caplog.set_level(logging.INFO, "simple_registry")
    warnings.logs = True
    reasons[About.CERTIFICATE] = "it expires in 13 days"
    run_rounds(warnings, clock, 3)
    assert caplog.messages == ["it expires in 13 days"]
    clock.advance(REMINDER)
    reasons[About.CERTIFICATE] = "it expires in 12 days"
    run_rounds(warnings, clock, 3)
    assert caplog.messages[1:] == ["it expires in 12 days"]
    reasons.clear()
    run_rounds(warnings, clock, 3)
    assert caplog.messages[2:] == ["the warning is over: certificate"]


@pytest.mark.parametrize("about", [About.RULES, About.RELOAD])
def test_what_is_logged_where_it_happens_has_only_reminders(warnings, clock, reasons, caplog, about):
    caplog.set_level(logging.INFO, "simple_registry")
    warnings.logs = True
    reasons[about] = "broken"
    run_rounds(warnings, clock, 3)
    assert caplog.messages == []
    clock.advance(REMINDER)
    run_rounds(warnings, clock, 3)
    assert caplog.messages == ["broken"]
    reasons.clear()
    run_rounds(warnings, clock, 1)
    assert caplog.messages == ["broken"]


def test_the_other_workers_log_nothing(warnings, clock, reasons, caplog):
    reasons[About.SPACE] = "5 GiB"
    run_rounds(warnings, clock, 3)
    assert warnings.current()[About.SPACE].since == 1000.0  # from their rounds on, not from the first question on
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("size", "enough", "short"), [(20 * GIB, 2 * GIB, 2 * GIB - 1), (10_000 * GIB, 50 * GIB, 50 * GIB - 1)]
)
def test_free_space_is_short_below_a_tenth_or_50_gib(size, enough, short):
    assert FreeSpace(lambda: DiskSpace(enough, size))() is None
    assert FreeSpace(lambda: DiskSpace(short, size))() is not None


def test_a_disk_at_the_bound_is_reported_once():
    free = [3 * GIB]
    check = FreeSpace(lambda: DiskSpace(free[0], 20 * GIB))
    found = []
    for free[0] in (3 * GIB, GIB, 2 * GIB + 1, 5 * GIB // 2 - 1, 5 * GIB // 2, 2 * GIB + 1):
        found.append(check() is not None)
    assert found == [False, True, True, True, False, False]


def test_the_text_says_how_much_is_left():
    assert FreeSpace(lambda: DiskSpace(GIB, 20 * GIB))() == "only 1.0 GiB of 20.0 GiB are free in the data directory"


def test_a_disk_that_does_not_answer_leaves_the_other_warnings():
    def broken():
        raise OSError(5, "Input/output error")

    assert FreeSpace(broken)() is None
