"""The minimum rate of a client, over waiting time only."""

from simple_registry.wire.progress import Progress


def test_a_client_that_sends_nothing_has_one_period():
    assert Progress(period=60, rate=1000).wait(100.0) == 160.0


def test_bytes_below_the_rate_do_not_extend_the_wait():
    progress = Progress(period=60, rate=1000)
    progress.wait(100.0)
    progress.moved(59_999, 130.0)
    assert progress.wait(200.0) == 230.0


def test_enough_bytes_start_a_new_period():
    progress = Progress(period=60, rate=1000)
    progress.wait(100.0)
    progress.moved(30_000, 130.0)
    progress.wait(200.0)
    progress.moved(30_000, 210.0)
    assert progress.wait(300.0) == 360.0


def test_only_waiting_time_counts():
    progress = Progress(period=60, rate=1000)
    progress.moved(10, 0.0)
    progress.moved(10, 1_000_000.0)
    assert progress.wait(2_000_000.0) == 2_000_060.0


def test_waiting_twice_is_one_wait():
    progress = Progress(period=60, rate=1000)
    progress.wait(100.0)
    assert progress.wait(150.0) == 160.0
