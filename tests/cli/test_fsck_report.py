"""Findings as lines for people and for programs, and progress."""

import io
import json
from dataclasses import replace

import pytest

from simple_registry.cli.fsck_report import JsonReport, ProgressLine, TextReport, progress_text
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair, Summary
from simple_registry.storage.inspection import Defect

FINDING = Finding(
    kind=Kind.DANGLING,
    defect=Defect.PART_MISSING,
    to_do=Remedy.ROWS,
    digest="sha256:abc",
    repository="team/app",
    tag="v1",
    part="sha256:def",
    repositories=("team/app", "other"),
    tags=("team/app:v1",),
)
MOVED = Finding(kind=Kind.STRAY, path="x", done=Repair.MOVED, moved_to="quarantine/x.1")


def text(finding):
    stream = io.StringIO()
    TextReport(stream).finding(finding)
    return stream.getvalue()


def test_a_finding_is_one_line_for_people():
    assert text(FINDING) == (
        "dangling: team/app:v1@sha256:abc: affects team/app:v1 other: the manifest needs sha256:def, which its "
        "repository does not hold; to do: push that part to this repository again, or delete the manifest\n"
    )
    assert text(replace(MOVED, path="blobs/x\ny")) == (
        "stray: blobs/x\\ny: the registry does not use such a name; done: moved to quarantine/x.1\n"
    )


def test_json_leaves_out_what_does_not_apply():
    stream = io.StringIO()
    JsonReport(stream).finding(MOVED)
    assert json.loads(stream.getvalue()) == {
        "finding": "stray",
        "path": "x",
        "detail": "the registry does not use such a name",
        "done": "moved to quarantine/x.1",
        "repaired": True,
        "remark": False,
    }


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([], "nothing is wrong"),
        ([Kind.MODE], "nothing is wrong; 1 remark"),
        ([Kind.SHORT, Kind.SHORT, Kind.LONG], "1 long, 2 short; 0 repaired, 3 remaining"),
    ],
)
def test_a_summary_reports_whether_anything_is_wrong(kinds, said):
    summary, stream = Summary(), io.StringIO()
    for kind in kinds:
        summary.count(Finding(kind=kind, to_do=Remedy.PUSH))
    TextReport(stream).summary(summary, Progress(), Mode(deep=True), 1.25)
    assert stream.getvalue() == f"0 contents checked, 0.0 MiB read in 1.2 s: {said}\n"


def test_progress_shows_the_rate_and_the_time_to_go():
    progress = Progress()
    progress.contents, progress.bytes, progress.contents_checked, progress.step = 100, 10 << 20, 25, "content"
    progress.read(5 << 20)
    assert (
        progress_text(progress, 2.0, deep=True) == "content: 25 of 100 contents, 5.0 of 10.0 MiB, 2.5 MiB/s, 2 s to go"
    )
    assert progress_text(progress, 2.0, deep=False) == "content: 25 of 100 contents, 12/s, 6 s to go"
    assert progress_text(Progress(), 0.0, deep=True) == ": 0 of 0 contents, 0.0 of 0.0 MiB"


def test_elsewhere_than_on_a_terminal_every_line_stays():
    stream = io.StringIO()
    line = ProgressLine(stream, deep=False)
    line.show(Progress())
    line.clear()
    line.show(Progress())
    assert stream.getvalue().count("\n") == 2
    assert "\r" not in stream.getvalue()
