"""The numbers by which processes share a queue."""

from simple_registry.wire.queue import SharedQueue, counts_of


def test_the_process_with_more_connections_waits():
    counts = counts_of(3)
    first, second, _third = (SharedQueue(counts, number) for number in range(3))
    assert not first.should_wait()
    first.note(1)
    assert first.should_wait()
    assert not second.should_wait()


def test_equal_processes_do_not_wait():
    counts = counts_of(2)
    for queue in (SharedQueue(counts, 0), SharedQueue(counts, 1)):
        queue.note(5)
    assert list(counts) == [5, 5]
    assert not SharedQueue(counts_of(1), 0).should_wait()


def test_a_process_begins_without_connections():
    counts = counts_of(2)
    SharedQueue(counts, 0).note(7)
    SharedQueue(counts, 0)
    assert list(counts) == [0, 0]
