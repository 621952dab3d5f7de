"""The clock of the machine."""

import time

from simple_registry.clock import SystemClock


def test_now_is_the_time_since_the_epoch():
    assert abs(SystemClock().now() - time.time()) < 5


def test_its_monotonic_time_never_decreases():
    clock = SystemClock()
    times = [clock.monotonic() for _ in range(100)]
    assert times == sorted(times)
