"""The counters by which processes balance a shared queue."""

from simple_registry.wire.queue import SharedQueue, shared_counts


def test_the_process_with_more_connections_waits():
    counts = shared_counts(3)
    first, second, _third = (SharedQueue(counts, number) for number in range(3))
    assert not first.should_wait()
    first.publish(1)
    assert first.should_wait()
    assert not second.should_wait()


def test_equal_processes_do_not_wait():
    counts = shared_counts(2)
    for queue in (SharedQueue(counts, 0), SharedQueue(counts, 1)):
        queue.publish(5)
    assert list(counts) == [5, 5]
    assert not SharedQueue(shared_counts(1), 0).should_wait()


def test_a_process_starts_without_connections():
    counts = shared_counts(2)
    SharedQueue(counts, 0).publish(7)
    SharedQueue(counts, 0)
    assert list(counts) == [0, 0]
