"""The judge lets the right order pass, and names what each wrong one would lose."""

import pytest

from faults.order.judge import Window, judge
from faults.strace import read_trace

ANSWER = 'sendto(5<TCP:[127.0.0.1:80->127.0.0.1:4000]>, "HTTP/1.1 201 Created"..., 90, 0, NULL, 0) = 90'
CREATE = 'openat(AT_FDCWD</>, "/d/up/x", O_RDWR|O_CREAT, 0600) = 3</d/up/x>'
WRITE = 'pwrite64(3</d/up/x>, "abc", 3, 0) = 3'
SYNC = "fsync(3</d/up/x>) = 0"
RENAME = 'rename("/d/up/x", "/d/blobs/x") = 0'
SYNC_BLOBS = "fsync(4</d/blobs>) = 0"
COMMIT = ('pwrite64(6</d/r.db-wal>, "frame", 4096, 32) = 4096', "fdatasync(6</d/r.db-wal>) = 0")
PUSH = (CREATE, WRITE, SYNC, RENAME, SYNC_BLOBS)
EXISTING = ("/d/up", "/d/blobs", "/d/old", "/d/r.db", "/d/r.db-wal")


def verdict(*lines, removes=False, rests_on=0.0, since=0.0):
    trace = [f"7 {number}.000000 {line}" for number, line in enumerate(lines)]
    window = Window(since=since, until=1000.0, port=4000, rests_on=rests_on, removes=removes)
    return judge("/d", read_trace(trace), [window], EXISTING)[0]


def without(line, *lines):
    return [each for each in lines if each != line]


def test_the_right_order_passes():
    assert verdict(*PUSH, *COMMIT, ANSWER) == []


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        (SYNC, "bytes of blobs/x are not on disk"),
        (SYNC_BLOBS, "the name of blobs/x is not on disk"),
        (COMMIT[1], "bytes of r.db-wal are not on disk"),
    ],
)
def test_a_missing_sync_is_named(missing, what):
    found = verdict(*without(missing, *PUSH, *COMMIT), ANSWER)
    assert what in found[0]


@pytest.mark.parametrize(
    ("instead", "what"),
    [
        ("fsync(3</d/up/x>) = -1 EIO (Input/output error)", "bytes"),
        ("sync_file_range(3</d/up/x>, 0, 3, SYNC_FILE_RANGE_WRITE) = 0", "bytes"),
        ("fsync(3</d/up/y>) = 0", "bytes"),
    ],
)
def test_only_a_sync_of_the_file_counts(instead, what):
    assert what in verdict(CREATE, WRITE, instead, RENAME, SYNC_BLOBS, ANSWER)[0]


def test_bytes_written_while_the_sync_was_under_way_are_not_on_disk():
    trace = [
        "7 0.0 fsync(3</d/old> <unfinished ...>",
        '8 1.0 pwrite64(3</d/old>, "abc", 3, 0) = 3',
        "7 2.0 <... fsync resumed>) = 0",
        f"7 3.0 {ANSWER}",
    ]
    assert judge("/d", read_trace(trace), [Window(0.0, 9.0, 4000, 0.0)], EXISTING)[0]


def test_a_name_needs_the_sync_after_it_and_so_does_a_new_parent():
    assert "name of blobs/x" in verdict(CREATE, WRITE, SYNC, SYNC_BLOBS, RENAME, ANSWER)[0]
    made = ('mkdir("/d/blobs/ab", 0700) = 0', CREATE, WRITE, SYNC, 'rename("/d/up/x", "/d/blobs/ab/x") = 0')
    synced = "fsync(4</d/blobs/ab>) = 0"
    assert verdict(*made, synced, ANSWER)[0].startswith("the name of blobs/ab is not on disk")
    assert verdict(*made, synced, SYNC_BLOBS, ANSWER) == []


def test_a_file_that_is_gone_again_owes_nothing():
    assert verdict(CREATE, WRITE, 'unlink("/d/up/x") = 0', *COMMIT, ANSWER) == []


def test_a_file_that_is_only_locked_holds_nothing_but_an_empty_one_that_was_named_does():
    assert verdict(CREATE, *COMMIT, ANSWER) == []
    assert verdict(CREATE, *COMMIT, "fsync(4</d/up>) = 0", ANSWER) == []
    assert "the name of blobs/x is not on disk" in verdict(CREATE, SYNC, RENAME, *COMMIT, ANSWER)[0]


def test_a_removed_name_counts_only_when_a_deletion_is_answered():
    gone = ('unlinkat(4</d>, "old", 0) = 0', *COMMIT)
    assert verdict(*gone, ANSWER) == []
    assert "the removal of old is not on disk" in verdict(*gone, ANSWER, removes=True)[0]
    assert verdict(*gone, "fsync(4</d>) = 0", ANSWER, removes=True) == []


def test_the_target_of_a_mount_must_be_on_disk_even_if_it_is_older():
    trace = (CREATE, WRITE, RENAME, SYNC_BLOBS, *COMMIT, ANSWER)
    assert verdict(*trace, since=4.0, rests_on=4.0) == []
    assert "bytes of blobs/x" in verdict(*trace, since=4.0, rests_on=0.0)[0]


def test_pages_of_a_database_rest_on_its_log_while_that_stands():
    page = 'pwrite64(6</d/r.db>, "page", 4096, 0) = 4096'
    anew = 'pwrite64(6</d/r.db-wal>, "header", 32, 0) = 32'
    synced = "fdatasync(6</d/r.db>) = 0"
    assert verdict(*COMMIT, page, ANSWER) == []
    assert "r.db-wal ends before the pages that it holds" in verdict(*COMMIT, page, anew, COMMIT[1], ANSWER)[0]
    assert verdict(*COMMIT, page, synced, anew, COMMIT[1], ANSWER) == []
    assert verdict(*COMMIT, page, 'unlink("/d/r.db-wal") = 0', ANSWER)


def test_a_row_before_its_file_is_out_of_turn():
    found = verdict(CREATE, WRITE, SYNC, *COMMIT, RENAME, SYNC_BLOBS, ANSWER)
    assert found == ["the name of blobs/x came to disk only after the last commit began"]


def test_an_answer_in_advance_is_seen():
    assert "after the answer: pwrite64(6<r.db-wal>" in verdict(*PUSH, ANSWER, *COMMIT)[0]
    assert verdict(ANSWER) == ["nothing came to disk before the answer"]
    assert verdict(*PUSH, ANSWER.replace("4000", "4001")) == ["its answer is not in the trace"]


def test_a_commit_that_waits_for_the_next_does_not_count_as_its_beginning():
    early = COMMIT[0].replace("32", "0")
    assert verdict(early, *PUSH, *COMMIT, ANSWER) == []
    assert (
        "only after the last commit began" in verdict(early, CREATE, WRITE, COMMIT[0], *PUSH[2:], COMMIT[1], ANSWER)[0]
    )


def test_a_durable_file_may_be_replaced_after_its_row():
    replace = RENAME.replace("/d/blobs/x", "/d/old")
    assert verdict(CREATE, WRITE, *COMMIT, SYNC, replace, "fsync(4</d>) = 0", ANSWER) == []
    assert verdict(CREATE, WRITE, *COMMIT, SYNC, RENAME, SYNC_BLOBS, ANSWER) != []


def test_room_that_is_reserved_holds_no_bytes():
    assert verdict(*PUSH, *COMMIT, "fallocate(6</d/r.db-wal>, FALLOC_FL_KEEP_SIZE, 0, 8388608) = 0", ANSWER) == []
