"""`read-only`: the mode of a data directory, beside the server that uses it."""

import io
import json

import pytest

from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.read_only import MAX_REASON, read_only
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock


@pytest.fixture
def front(tmp_path):
    """A server over the directory."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        yield front


@pytest.fixture
def run(tmp_path):
    def call(*words):
        stdout = io.StringIO()
        environment = {
            "SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data"),
            "SIMPLE_REGISTRY_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        }
        assert read_only(words, environment, stdout, io.StringIO()) == 0
        return stdout.getvalue()

    return call


def test_a_running_server_refuses_changes_at_once_until_the_mode_is_off(front, run):
    digest = front.push_blob("a", b"x")
    assert run("status") == "read-only mode is off\n"
    assert run("on", "-reason", "a move").endswith(": a move\n")
    assert front.delete(f"/v2/a/blobs/{digest}").status == 503
    assert front.get(f"/v2/a/blobs/{digest}").status == 200
    assert run("off") == "read-only mode is off\n"
    assert front.delete(f"/v2/a/blobs/{digest}").status == 202


def test_the_status_as_json(front, run):
    assert json.loads(run("status", "-json")) == {"readOnly": False}
    described = json.loads(run("on", "-json"))
    assert described.keys() == {"readOnly", "reason", "since"}
    assert (described["readOnly"], described["reason"]) == (True, "maintenance")
    assert json.loads(run("status", "--json")) == described


def test_changes_of_the_mode_are_in_the_audit_log(front, run, tmp_path):
    for words in (("off",), ("status",), ("on", "-reason", "a move"), ("status",), ("off",), ("off",)):
        run(*words)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(line["event"], line.get("reason"), line["proof"]) for line in lines] == [
        ("readonly.on", "a move", "command"),
        ("readonly.off", None, "command"),
    ]


def test_it_says_until_when_deletions_can_be_undone(front, run):
    front.delete(f"/v2/a/blobs/{front.push_blob('a', b'x')}")
    until = "2023-11-15T22:13:20Z"
    said = run("on")
    assert said.endswith(f"graces go on: the last deletion can be undone until {until}, after the mode\n")
    assert run("status") == said
    assert json.loads(run("status", "-json"))["restorableUntil"] == until


def test_other_commands_are_refused_with_the_reason(front, run, tmp_path, capsys):
    run("on", "-reason", "a move")
    words = ["token", "create", "-user", "bob", "-datadir", str(tmp_path / "data")]
    assert main(words) == 2
    assert "read-only mode: a move" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["on", "off"],
        ["maybe"],
        ["off", "-reason", "x"],
        ["on", "-reason", "x" * (MAX_REASON + 1)],
        ["on", "-reason", "a\nb"],
    ],
)
def test_wrong_arguments_change_nothing(front, run, words):
    with pytest.raises(UsageError):
        run(*words)
    assert run("status") == "read-only mode is off\n"


def test_a_directory_without_a_registry_is_refused(tmp_path, capsys):
    assert main(["read-only", "status", "-datadir", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_help(run):
    assert run("-help").startswith("usage: simple-registry read-only on")
