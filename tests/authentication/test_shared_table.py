"""Rows are found by key, by every process; a full table forgets what is oldest."""

import os

from hypothesis import given, strategies as st

from simple_registry.authentication.shared_table import KEY, SharedTable


def key(number):
    return number.to_bytes(KEY, "big")


def test_a_key_has_no_row_until_it_takes_one():
    table = SharedTable(rows=8, width=3)
    assert table.find(key(1)) is None
    table.take(key(1))[2] = 7.0
    assert table.find(key(1)).tolist() == [0, 0, 7]
    assert table.take(key(1)).tolist() == [0, 0, 7]


def test_a_process_reads_what_another_one_wrote():
    table = SharedTable(rows=8, width=1)
    child = os.fork()
    if child == 0:
        table.take(key(1))[0] = 5.0
        os._exit(0)
    os.waitpid(child, 0)
    assert table.find(key(1))[0] == 5.0


def test_a_new_key_takes_the_oldest_row_and_none_of_its_numbers():
    table = SharedTable(rows=4, width=2)
    for number in (3, 1, 2, 4):
        table.take(key(number))[:] = memoryview(bytearray(16)).cast("d")
        table.find(key(number))[0] = number
        table.find(key(number))[1] = 9
    assert table.take(key(5)).tolist() == [0, 0]
    assert [table.find(key(number)) is not None for number in (1, 2, 3, 4, 5)] == [False, True, True, True, True]


@given(st.lists(st.integers(1, 2**128 - 1), max_size=60))
def test_a_row_is_that_of_its_key_or_of_none(numbers):
    table = SharedTable(rows=16, width=2)
    for time, number in enumerate(numbers, 1):
        row = table.take(key(number))
        row[0], row[1] = time, number % 1000
    for number in numbers:
        row = table.find(key(number))
        assert row is None or row[1] == number % 1000
    assert not numbers or table.find(key(numbers[-1])) is not None
