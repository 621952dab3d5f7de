"""What `export`, `import` and `adopt` say."""

import asyncio
import io
import json

import pytest

from simple_registry.cli.moving import Report


class Terminal(io.StringIO):
    def isatty(self):
        return True


def report(*, as_json=False, stderr=None):
    stream = io.StringIO()
    made = Report(stream, io.StringIO() if stderr is None else stderr, as_json=as_json)
    made.tally.repositories, made.tally.tags, made.tally.manifests = 1, 2, 3
    made.tally.count_blob(1024 * 1024)
    return made, stream


def test_the_summary_is_one_line():
    made, stream = report()
    assert made.finish("took") == 0
    line = stream.getvalue()
    assert line.startswith("took 1 repository, 2 tags, 3 manifests, 1 blob of 1.0 MiB; no defects (")


def test_defects_are_lines_and_decide_the_exit_code():
    made, stream = report()
    made.tally.defect("a\nb", "broken")
    made.tally.count_blob(None)
    made.tally.uploads = 4
    assert made.finish("took") == 1
    first, last = stream.getvalue().splitlines()
    assert first == "a\\nb: broken"
    assert "; there already: 1 content; 4 unfinished uploads left behind; 1 defect (" in last


def test_json_is_one_object_a_line():
    made, stream = report(as_json=True)
    made.tally.defect("a", "broken")
    assert made.finish("took") == 1
    defect, summary = map(json.loads, stream.getvalue().splitlines())
    assert defect == {"defect": {"path": "a", "reason": "broken"}}
    assert summary["summary"].pop("seconds") >= 0
    assert summary["summary"] == {
        "repositories": 1,
        "tags": 2,
        "manifests": 3,
        "blobs": 1,
        "bytes": 1024 * 1024,
        "present": 0,
        "uploads": 0,
        "defects": 1,
    }


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(monkeypatch, terminal):
    monkeypatch.setattr("simple_registry.cli.fsck_report.TERMINAL_SECONDS", 0.001)
    stderr = Terminal() if terminal else io.StringIO()
    made, stream = report(stderr=stderr)

    async def work():
        async with made.shown() as tally:
            await asyncio.sleep(0.05)
            tally.defect("a", "broken")

    asyncio.run(work())
    assert ("\r\033[K1 repository, 2 tags, 3 manifests" in stderr.getvalue()) is terminal
    assert stderr.getvalue().endswith("\r\033[K" if terminal else "")
    assert stream.getvalue() == "a: broken\n"
