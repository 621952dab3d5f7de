import shutil

import pytest

from bench.command import WORKLOADS, main
from bench.loading import MIB, Size
from bench.pushes import AS_DOCKER

TINY = Size(tags=20, repositories=10, referrers=4, large=MIB)


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed: apt install wrk")
def test_one_short_round_of_a_pull_and_a_push_gives_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("harness.subjects.peers", list)
    monkeypatch.setattr("bench.command.QUICK", TINY)
    monkeypatch.setattr("os.sync", lambda: None)  # would wait for other writes of this machine

    code = main(
        [
            "--subjects",
            "simple-registry",
            "--workloads",
            "blob HEAD",
            "tags first 100",
            "push 1 KiB, POST, PUT",
            "push 64 MiB as docker pushes",
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
    assert "| push 64 MiB as docker pushes | " in table


def test_subjects_and_workloads_can_be_listed(capsys, monkeypatch):
    monkeypatch.setattr("harness.subjects.peers", list)

    assert main(["--list"]) == 0
    assert "manifest by tag, Basic" in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed: apt install wrk")
def test_a_checkout_without_an_environment_ends_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("harness.subjects.peers", list)

    assert main(["--before", str(tmp_path), "--list"]) == 1
    assert "is missing" in capsys.readouterr().err


def test_the_quick_set_includes_the_push_as_docker():
    assert [workload.quick for workload in WORKLOADS if workload.name == AS_DOCKER] == [True]
