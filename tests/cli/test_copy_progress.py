"""Progress of a copy: a line on a terminal, nothing elsewhere."""

import io

from simple_registry.cli import copy_progress
from simple_registry.cli.copy_progress import CopyProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def copy(stream):
    progress = CopyProgress(stream, "backup")
    progress.begin(2, 4 * 1024 * 1024)
    progress.read(1024 * 1024)
    progress.done()
    progress.read(1024 * 1024)
    return progress


def test_a_terminal_has_one_line_that_is_cleared(monkeypatch):
    times = iter(range(100))
    monkeypatch.setattr(copy_progress.time, "monotonic", lambda: float(next(times)))
    stream = Terminal()
    copy(stream).clear()
    lines = stream.getvalue().split("\r\033[K")[1:]
    assert [line.partition(" MiB, ")[0] for line in lines] == [
        "backup: 0 of 2 contents, 1.0 of 4.0",
        "backup: 1 of 2 contents, 2.0 of 4.0",
        "",
    ]


def test_the_line_is_not_written_more_often_than_it_can_be_read():
    stream = Terminal()
    progress = copy(stream)
    for _ in range(1000):
        progress.read(1)
    assert stream.getvalue().count("\r") <= 2


def test_elsewhere_nothing_is_written():
    stream = io.StringIO()
    copy(stream).clear()
    assert stream.getvalue() == ""
