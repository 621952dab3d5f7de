"""`history` and `resolve`, beside the server that uses the directory."""

import io
import json

import pytest

from simple_registry.cli.history import history, resolve
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.clock import SystemClock
from simple_registry.oci.digests import digest_of
from support.documents import push_image, push_tags
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock


@pytest.fixture
def front(tmp_path):
    """A server over the directory, an hour ago."""
    clock = SettableClock(SystemClock().now() - 3600)
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        push_tags(front, "team/app", ["v1", "v2"])
        yield front


@pytest.fixture
def environment(tmp_path):
    return {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}


@pytest.fixture
def show(environment):
    def call(*words):
        stdout = io.StringIO()
        assert history(words, environment, stdout) == 0
        return stdout.getvalue()

    return call


@pytest.fixture
def target(environment):
    def call(*words):
        stdout, stderr = io.StringIO(), io.StringIO()
        return resolve(words, environment, stdout, stderr), stdout.getvalue(), stderr.getvalue()

    return call


def test_the_history_is_a_table_or_json(front, show):
    head, second, first = show("team/app").splitlines()
    assert head.split() == ["EVENT", "TIME", "ACTION", "TAG", "FROM", "TO", "BY"]
    assert [line.split()[0] for line in (second, first)] == ["2", "1"]
    assert first.split()[2:5] == ["tag.set", "v1", "-"]
    assert first.split()[-1] == "admin"
    assert [event["tag"] for event in json.loads(show("team/app", "-json"))] == ["v2", "v1"]
    assert [event["tag"] for event in json.loads(show("team/app:v1", "--json"))] == ["v1"]
    assert len(json.loads(show("team/app", "-n", "1", "-json"))) == 1
    assert json.loads(show("none", "-json")) == []


def test_a_tag_is_resolved_now_and_then(front, target):
    old = front.get("/v2/team/app/manifests/v1").header("docker-content-digest")
    front.clock.advance(3000)
    new = str(digest_of(push_image(front, "team/app", "v1", b"new")))
    assert target("team/app:v1") == (0, f"{new}\n", "")
    assert target("team/app:v1", "-at", "30m") == (0, f"{old}\n", "")
    assert target("team/app:v1", "-at", "30m ago")[1] == f"{old}\n"
    assert json.loads(target("team/app:v1", "-json", "-at", "30m")[1])["digest"] == old
    code, out, err = target("team/app:v1", "-at", "2h")
    assert (code, out) == (1, "")
    assert "did not exist" in err
    front.run(front.kept.stores.rows.journal.prune(9e9, limit=9, restorable=0, size=9, future=9e9))
    assert "does not reach back that far" in target("team/app:v1", "-at", "2d")[2]


@pytest.mark.parametrize(
    "words",
    [[], ["a:b:c"], [f"a@{digest_of(b'')}"], ["a", "-n", "0"], ["a", "-n", "x"], ["a", "-n", "9" * 5000], ["a", "b"]],
)
def test_wrong_questions_about_history_are_refused(show, words):
    with pytest.raises(UsageError):
        show(*words)


@pytest.mark.parametrize(
    "words", [[], ["a"], ["a:v1", "-at", "yesterday"], ["a:v1", "-at", "999999999w"], ["a:v1", "b"]]
)
def test_wrong_questions_about_targets_are_refused(target, words):
    with pytest.raises(UsageError):
        target(*words)


@pytest.mark.parametrize("words", [["history", "a"], ["resolve", "a:v1"]])
def test_a_directory_without_a_registry_is_refused(tmp_path, capsys, words):
    assert main([*words, "-datadir", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["history", "resolve"])
def test_the_help_names_the_usage(capsys, command):
    assert main([command, "-help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: simple-registry {command} REPOSITORY")
