"""Traces are read as strace writes them: whole lines, calls that others come between, failures, cut-off ends."""

from faults.strace import open_on, read_trace, steps, text

TRACE = r"""
71 1795576431.100000 openat(AT_FDCWD</work>, "/d/uploads/one", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 9</d/uploads/one>
71 1795576431.200000 pwrite64(9</d/uploads/one>, "a, \"b\" <c> \n\0"..., 4096, 0 <unfinished ...>
72 1795576431.300000 rename("/d/a", "/d/b") = -1 ENOSPC (No space left on device) (INJECTED)
71 1795576431.400000 <... pwrite64 resumed>) = 4096
72 1795576431.500000 writev(26<TCP:[127.0.0.1:5000->127.0.0.1:58976]>, [{iov_base="HTTP/1.1"..., iov_len=9}], 1) = 315
72 1795576431.600000 close(8</d/registry.db-shm>(deleted)) = 0
72 1795576431.650000 fdatasync(9</d/uploads/one> <unfinished ...>
72 1795576431.660000 +++ killed by SIGKILL +++
71 17955764
""".strip().splitlines()


def test_calls_are_ordered_by_entry_and_have_their_returns():
    calls = read_trace(TRACE)
    assert [(call.name, call.entered, call.left) for call in calls] == [
        ("openat", 0, 0),
        ("pwrite64", 1, 3),
        ("rename", 2, 2),
        ("writev", 4, 4),
        ("close", 5, 5),
        ("fdatasync", 6, None),
    ]
    assert [(step, call.name, returned) for step, call, returned in steps(calls[1:3])] == [
        (1, "pwrite64", False),
        (2, "rename", False),
        (2, "rename", True),
        (3, "pwrite64", True),
    ]


def test_a_call_succeeded_only_when_it_returned_without_an_error():
    assert [call.succeeded for call in read_trace(TRACE)] == [True, True, False, True, True, False]
    failed = read_trace(TRACE)[2]
    assert (failed.error, failed.injected) == ("ENOSPC", True)


def test_arguments_are_separated_whatever_their_strings_contain():
    arguments = read_trace(TRACE)[1].split()
    assert arguments == ["9</d/uploads/one>", r'"a, \"b\" <c> \n\0"...', "4096", "0"]
    assert open_on(arguments[0]) == "/d/uploads/one"
    assert open_on(arguments[2]) == ""
    assert text(read_trace(TRACE)[0].split()[1]) == "/d/uploads/one"


def test_a_descriptor_of_a_removed_file_has_no_path():
    close = read_trace(TRACE)[4]
    assert open_on(close.split()[0]) == ""
    assert "58976]" in open_on(read_trace(TRACE)[3].split()[0])
