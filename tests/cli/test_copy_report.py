"""Progress of a copy: a line on a terminal, nothing elsewhere. Damaged content: what it is and what it affects."""

import io

import pytest

from simple_registry.backends.copying import Damaged
from simple_registry.cli import copy_report
from simple_registry.cli.copy_report import CopyProgress, damaged_line, described_damage
from simple_registry.oci.digests import digest_of
from simple_registry.storage.inspection import Uses


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
    monkeypatch.setattr(copy_report.time, "monotonic", lambda: float(next(times)))
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


@pytest.mark.parametrize(
    ("uses", "affected"),
    [
        (Uses(("a", "b"), ("a:v1",), part=False), "; affects a:v1"),
        (Uses(("a", "b"), (), part=False), "; affects a b"),
        (Uses((), (), part=False), ""),
    ],
)
def test_damage_names_the_tags_it_affects_or_else_the_repositories(uses, affected):
    digest = digest_of(b"x")
    damaged = Damaged(digest, "it is missing", uses)
    assert damaged_line(damaged) == f"damaged: {digest}: it is missing{affected}"
    assert described_damage(damaged) == {
        "digest": str(digest),
        "reason": "it is missing",
        "repositories": uses.repositories,
        "tags": uses.tags,
    }
