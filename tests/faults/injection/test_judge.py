"""A sync after a failed one is believed only for bytes that were written again."""

import pytest

from faults.injection.judge import acknowledged, believed
from faults.injection.shots import roles, shots, touched
from faults.scores import Scale
from faults.strace import read_trace

WRITE = 'pwrite64(3</d/up/x>, "abc", 10000, 0) = 10000'
FAILED = "fsync(3</d/up/x>) = -1 EIO (Input/output error) (INJECTED)"
SYNC = "fsync(3</d/up/x>) = 0"
LOG = 'pwrite64(6</d/r.db-wal>, "frame", 4120, {}) = 4120'
LOG_FAILED = "fdatasync(6</d/r.db-wal>) = -1 EIO (Input/output error) (INJECTED)"
LOG_SYNC = "fdatasync(6</d/r.db-wal>) = 0"


def trace(*lines):
    return read_trace(f"7 {number}.000000 {line}" for number, line in enumerate(lines))


def wrong(*lines):
    return list(believed(trace(*lines), "/d"))


def test_a_second_sync_of_the_same_bytes_proves_nothing():
    assert wrong(WRITE, FAILED, SYNC) == ["a failed sync was tried again and believed: fsync(3<up/x>) = 0"]
    assert wrong(WRITE, FAILED, 'rename("/d/up/x", "/d/blobs/x") = 0', "fsync(4</d/blobs/x>) = 0")
    assert wrong(WRITE, FAILED, 'pwrite64(3</d/up/x>, "abc", 5000, 0) = 5000', SYNC)


@pytest.mark.parametrize(
    "between",
    [
        [WRITE],
        ["ftruncate(3</d/up/x>, 0) = 0"],
        ['unlink("/d/up/x") = 0'],
        ['pwrite64(3</d/up/x>, "abc", 5000, 0) = 5000', "ftruncate(3</d/up/x>, 5000) = 0"],
    ],
)
def test_bytes_that_are_rewritten_truncated_or_unlinked_are_ignored(between):
    assert wrong(WRITE, FAILED, *between, SYNC) == []


def test_nothing_was_dropped_when_nothing_was_written_or_a_signal_came():
    assert wrong(WRITE, SYNC, FAILED, SYNC) == []
    assert wrong(WRITE, "fsync(3</d/up/x>) = -1 EINTR (Interrupted system call) (INJECTED)", SYNC) == []


def test_of_a_log_only_what_lies_before_its_new_end_matters():
    two = (LOG.format(32), LOG.format(4152))
    assert wrong(*two, LOG_FAILED, LOG.format(32), LOG_SYNC) == []
    assert wrong(*two, LOG_FAILED, LOG.format(4152), LOG_SYNC)
    assert wrong(*two, LOG_FAILED, LOG_SYNC) == []
    assert wrong(*two, LOG_FAILED, LOG_SYNC, LOG.format(8272), LOG_SYNC)


def test_a_restarted_log_has_nothing_of_the_old_one():
    anew = 'pwrite64(6</d/r.db-wal>, "header", 32, 0) = 32'
    assert wrong(LOG.format(32), LOG_FAILED, LOG_SYNC, anew, LOG.format(32), LOG_SYNC, LOG.format(4152), LOG_SYNC) == []


def test_an_acknowledgement_after_a_failed_sync_is_reported():
    lines = ('openat(AT_FDCWD</>, "/d/up/x", O_RDWR|O_CREAT, 0600) = 3</d/up/x>', WRITE, FAILED)
    assert "bytes of up/x" in acknowledged(trace(*lines), "/d", ["/d/up"], 0.0, 9.0)[0]
    assert acknowledged(trace(*lines[:2], SYNC), "/d", ["/d/up"], 0.0, 9.0) == []
    assert acknowledged(trace(*lines, WRITE, SYNC), "/d", ["/d/up"], 0.0, 9.0) == []


def test_threads_are_known_by_what_they_write():
    calls = trace(LOG.format(32)) + read_trace([f"8 1.0 {WRITE}"])
    assert roles(calls, "/d", main=5) == {7: "rows", 8: "files", 5: "loop"}


def test_shots_count_the_calls_of_each_thread_and_name_only_the_data():
    calls = trace('write(1</log>, "x", 1) = 1', WRITE, WRITE, 'pwrite64(9</tmp/y>, "abc", 3, 0) = 3', SYNC)
    planned = shots(calls, "/d", {7: "files"}, Scale.FULL)
    assert {(shot.call, shot.number) for shot in planned} == {("pwrite64", 1), ("pwrite64", 2), ("fsync", 1)}
    assert {shot.fault for shot in planned if shot.call == "fsync"} == {"EIO", "ENOSPC", "EINTR", "EIO+", "SIGKILL"}


def test_a_release_of_a_lock_gets_no_fault():
    calls = trace("flock(3</d/l>, LOCK_UN) = 0", "flock(3</d/l>, LOCK_EX) = 0")
    assert [shot.number for shot in shots(calls, "/d", {7: "rows"}, Scale.FULL) if shot.fault == "ENOLCK"] == [2]


def test_random_names_do_not_distinguish_calls():
    (call,) = trace('mkdir("/d/blobs/sha256/ab", 0700) = 0')
    assert touched(call, "/d") == "blobs/sha256/*"
    (call,) = trace("fsync(3</d/uploads/724fc206-0746-4085-a642-5fc15f332ad7>) = 0")
    assert touched(call, "/d") == "uploads/*"
    (call,) = trace("fsync(3</elsewhere/x>) = 0")
    assert touched(call, "/d") is None
