"""What a finding tells, and how findings are counted."""

from threading import Thread

from simple_registry.operations.fsck.findings import Finding, Kind, Progress, Summary


def test_what_needs_nothing_more_is_repaired():
    assert not Finding(kind=Kind.MISSING, detail="", advice="push it").repaired
    assert not Finding(kind=Kind.SHORT, detail="", done="moved", advice="push it").repaired
    assert Finding(kind=Kind.ORPHAN, detail="", done="moved").repaired


def test_remarks_are_counted_apart():
    summary = Summary()
    for finding in (
        Finding(kind=Kind.MODE, detail="", advice="correct it"),
        Finding(kind=Kind.ORPHAN, detail="", done="moved"),
        Finding(kind=Kind.ORPHAN, detail="", advice="repair"),
        Finding(kind=Kind.MISSING, detail="", advice="push"),
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
