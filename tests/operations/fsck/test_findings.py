"""Findings as values, and how they are counted."""

from threading import Thread

from simple_registry.operations.fsck.findings import Finding, Kind, Progress, Remedy, Repair, Summary


def test_a_finding_is_repaired_when_nothing_remains_to_be_done():
    assert not Finding(kind=Kind.MISSING, to_do=Remedy.PUSH).repaired
    assert not Finding(kind=Kind.SHORT, done=Repair.MOVED, to_do=Remedy.PUSH).repaired
    assert Finding(kind=Kind.ORPHAN, done=Repair.MOVED).repaired


def test_remarks_are_counted_separately():
    summary = Summary()
    for finding in (
        Finding(kind=Kind.MODE, to_do=Remedy.PUSH),
        Finding(kind=Kind.ORPHAN, done=Repair.MOVED),
        Finding(kind=Kind.ORPHAN, to_do=Remedy.PUSH),
        Finding(kind=Kind.MISSING, to_do=Remedy.PUSH),
    ):
        summary.count(finding)
    assert summary.found == {Kind.ORPHAN: 2, Kind.MISSING: 1}
    assert (summary.repaired, summary.remaining, summary.remarks) == (1, 2, 1)


def test_bytes_read_in_several_threads_are_all_counted():
    progress = Progress()
    threads = [Thread(target=lambda: [progress.read(1) for _ in range(10_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.bytes_read == 40_000
