import shutil

import pytest

from bench.command import main
from bench.loading import MIB, Size

TINY = Size(tags=20, repositories=10, referrers=4, large=MIB)


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed: apt install wrk")
def test_one_short_round_of_a_pull_and_a_push_gives_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("faults.subjects.peers", list)
    monkeypatch.setattr("bench.command.QUICK", TINY)
    monkeypatch.setattr("os.sync", lambda: None)  # waits for whatever else this machine writes

    code = main(
        [
            "--subjects",
            "simple-registry",
            "--workloads",
            "blob HEAD",
            "tags first 100",
            "push 1 KiB, POST, PUT",
            "--rounds",
            "1",
            "--folder",
            str(tmp_path),
        ]
    )

    table = capsys.readouterr().out
    assert code == 0
    assert "| blob HEAD | " in table
    assert "| tags, first page of 100 of 20 | " in table
    assert "| push 1 KiB, POST, PUT | " in table


def test_what_there_is_can_be_listed(capsys, monkeypatch):
    monkeypatch.setattr("faults.subjects.peers", list)

    assert main(["--list"]) == 0
    assert "manifest by tag, Basic" in capsys.readouterr().out
