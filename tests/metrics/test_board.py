"""Memory that processes share: every row is seen by all, and only rows that are used are looked at."""

import os

from simple_registry.metrics.board import Board


def test_a_parent_sees_writes_of_its_child_after_the_fork():
    board = Board(rows=3, width=4)
    for number in (0, 1, 2):
        board.use(number)
    board.row(0)[3] = 1
    for number in (1, 2):
        pid = os.fork()
        if pid == 0:
            row = board.row(number)
            for _ in range(1000):
                row[3] += number
            os._exit(0)
        os.waitpid(pid, 0)
    assert board.totals() == [0, 0, 0, 3001]


def test_rows_do_not_overlap():
    board = Board(rows=5, width=3)
    for number in range(5):
        board.use(number)
        board.row(number)[:] = memoryview(b"\0" * 24).cast("d")
        for at in range(3):
            board.row(number)[at] = 10**number * (at + 1)
    assert board.totals() == [11111, 22222, 33333]


def test_unused_rows_do_not_count():
    board = Board(rows=3, width=1)
    board.row(2)[0] = 5
    assert board.totals() == [0]
    board.use(0)
    assert board.totals() == [0]
    board.use(2)
    assert board.totals() == [5]


def test_whole_numbers_stay_exact():
    board = Board(rows=1, width=1)
    board.use(0)
    board.row(0)[0] = 2**53 - 1
    board.row(0)[0] += 1
    assert board.totals() == [2**53]
