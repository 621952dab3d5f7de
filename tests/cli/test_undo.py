"""`rollback` and `undelete`, beside the server that uses the directory."""

import io
import json

import pytest

from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.undo import rollback, undelete
from simple_registry.oci.digests import digest_of
from support.documents import push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

APP = "/v2/team/app/manifests"


@pytest.fixture
def front(tmp_path):
    """A server over the directory."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        yield front


@pytest.fixture
def old(front):
    """The digest of an image at v1 and main."""
    data = push_image(front, "team/app", "v1", b"old")
    front.push_manifest("team/app", "main", data)
    return str(digest_of(data))


@pytest.fixture
def new(front, old):
    return str(digest_of(push_image(front, "team/app", "v1", b"new")))


@pytest.fixture
def run(tmp_path):
    def call(command, *words):
        stdout, stderr = io.StringIO(), io.StringIO()
        environment = {
            "SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data"),
            "SIMPLE_REGISTRY_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        }
        return command(words, environment, stdout, stderr), stdout.getvalue(), stderr.getvalue()

    return call


@pytest.fixture
def audited(tmp_path):
    def lines():
        text = (tmp_path / "audit.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    return lines


def target(front, tag="v1"):
    return front.get(f"{APP}/{tag}").header("docker-content-digest")


def test_a_tag_is_rolled_back(front, old, new, run, audited):
    code, out, err = run(rollback, "team/app:v1")
    assert (code, out, err) == (0, f"team/app:v1 points at {old} again (before: {new})\n", "")
    assert target(front) == old
    assert json.loads(run(rollback, "team/app:v1", "-to", new, "-json")[1])["previous"] == old
    assert run(rollback, "team/app:v1", "-to", "1")[0] == 0
    assert target(front) == old
    line = audited()[0]
    assert (line["event"], line["proof"], line["repository"], line["reference"], line["digest"], line["previous"]) == (
        "tag.rollback",
        "command",
        "team/app",
        "v1",
        old,
        new,
    )
    last = front.run(front.kept.stores.rows.journal.page_history("team/app", None, None, 1))[0]
    assert last.actor.identity == "operator"


def test_what_was_deleted_comes_back(front, old, run, audited):
    front.delete(f"{APP}/v1")
    assert run(undelete, "team/app:v1") == (0, "restored tag v1\n", "")
    front.delete(f"{APP}/{old}")
    expected = f"restored manifest {old}\nrestored tag main\nrestored tag v1\n"
    assert run(undelete, f"team/app@{old}") == (0, expected, "")
    front.delete("/api/v1/repositories/team/app")
    document = json.loads(run(undelete, "team/app", "-json")[1])
    assert document == {"name": "team/app", "manifests": [old], "tags": ["main", "v1"], "elsewhere": [], "gone": []}
    assert target(front) == target(front, "main") == old
    assert [line["event"] for line in audited()] == [
        "tag.restore",
        "manifest.restore",
        "tag.restore",
        "tag.restore",
        "repository.restore",
    ]


def test_a_tag_that_points_elsewhere_is_reported(front, old, run):
    front.delete(f"{APP}/{old}")
    other = push_image(front, "team/app", "v1", b"other")
    code, out, err = run(undelete, f"team/app@{old}")
    assert (code, out) == (1, f"restored manifest {old}\nrestored tag main\n")
    assert err == "not restored: team/app:v1 points elsewhere now\n"
    assert target(front) == str(digest_of(other))


def test_what_cannot_be_restored_is_said_with_the_reason(front, old, run, tmp_path):
    with front.unchanged():
        for command, word in ((undelete, "team/app:v1"), (undelete, f"team/app@{old}"), (undelete, "team/app")):
            code, out, err = run(command, word)
            assert (code, out) == (1, "")
            assert err.startswith("there is nothing to restore: ")
        assert run(rollback, "team/app:none")[0] == 1
    assert not (tmp_path / "audit.jsonl").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (rollback, []),
        (rollback, ["team/app"]),
        (rollback, ["team/app:v1", "-to", "yesterday"]),
        (undelete, []),
        (undelete, ["a:b:c"]),
    ],
)
def test_wrong_arguments_change_nothing(front, old, run, command, words):
    with front.unchanged(), pytest.raises(UsageError):
        run(command, *words)


def test_read_only_mode_refuses_with_the_reason(front, old, tmp_path, capsys):
    front.delete(f"{APP}/v1")
    assert main(["read-only", "on", "-reason", "a move", "-datadir", str(tmp_path / "data")]) == 0
    assert main(["undelete", "team/app:v1", "-datadir", str(tmp_path / "data")]) == 2
    assert "read-only mode: a move" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rollback", "undelete"])
def test_the_help_names_the_usage(capsys, command):
    assert main([command, "-help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: simple-registry {command} REPOSITORY")
