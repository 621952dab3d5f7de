"""`retention`: the plan and its application, beside the server that uses the data directory."""

import io
import json

import pytest

from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.retention import retention
from support.documents import push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

DOCUMENTS = """\
kind: Retention
metadata: {name: builds}
spec:
  scopes: ["^team/"]
  keep: [{newest: 1, tags: ["^v"]}]
"""


@pytest.fixture
def front(tmp_path):
    """A server over the directory, with three tags, of which two are in reach."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        for repository, tag in (("team/app", "v1"), ("team/app", "v2"), ("other", "v1")):
            push_image(front, repository, tag)
            clock.advance(60)
        front.get("/v2/team/app/manifests/v2")
        front.run(front.services.registry.pulls.write())
        yield front


@pytest.fixture
def run(tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text(DOCUMENTS)

    def call(*words):
        stdout, stderr = io.StringIO(), io.StringIO()
        environment = {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}
        assert retention([*words, "-cfgdir", str(rules)], environment, stdout, stderr) == 0
        return stdout.getvalue(), stderr.getvalue()

    return call


def tags(front):
    return front.get("/v2/team/app/tags/list").json["tags"]


def test_a_plan_shows_what_goes_and_why_the_rest_stays(front, run):
    with front.unchanged():
        stdout, stderr = run("plan")
    assert [line.split() for line in stdout.splitlines()] == [
        ["team/app"],
        ["TAG", "PUSHED", "PULLED", "RETENTION", "KEPT", "BY"],
        ["-", "v1", "2023-11-14T22:13:20Z", "-", "builds", "no", "rule"],
        ["v2", "2023-11-14T22:14:20Z", "2023-11-14T22:16:20Z", "builds", *["newest", "1", "by", "push,", "tag", "^v"]],
        [],
    ]
    assert stderr == "1 would go, 1 stay\n"


def test_a_plan_as_json(front, run):
    goes, stays = json.loads(run("plan", "-json")[0])
    assert (goes["repository"], goes["tag"], goes["goes"], goes["keptBy"]) == ("team/app", "v1", True, None)
    assert (stays["tag"], stays["goes"], stays["keptBy"]) == ("v2", False, "newest 1 by push, tag ^v")
    assert stays.keys() == {
        "repository",
        "tag",
        "digest",
        "pushed",
        "pulled",
        "retention",
        "goes",
        "keptBy",
        "goesBecause",
    }


def test_applying_removes_and_shows_what_went(front, run):
    stdout, stderr = run("apply")
    assert ("v1" in stdout, "v2" in stdout, stderr) == (True, False, "tags removed: 1\n")
    assert tags(front) == ["v2"]
    assert run("apply", "-json") == ("[]\n", "tags removed: 0\n")


def test_nothing_is_removed_in_read_only_mode(front, run, tmp_path, capsys):
    data = str(tmp_path / "data")
    assert main(["read-only", "on", "-datadir", data]) == 0
    assert main(["retention", "apply", "-datadir", data, "-cfgdir", str(tmp_path / "rules")]) == 2
    assert "read-only mode" in capsys.readouterr().err
    assert tags(front) == ["v1", "v2"]


@pytest.mark.parametrize("words", [[], ["run"], ["plan", "apply"]])
def test_wrong_arguments_change_nothing(front, run, words):
    with pytest.raises(UsageError):
        run(*words)
    assert tags(front) == ["v1", "v2"]


def test_documents_are_required_and_a_retention_among_them(front, tmp_path, capsys):
    data = str(tmp_path / "data")
    assert main(["retention", "plan", "-datadir", data]) == 2
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.yaml").write_text("kind: User\nmetadata: {name: bob}\nspec: {groups: [team]}\n")
    assert main(["retention", "plan", "-datadir", data, "-cfgdir", str(tmp_path / "empty")]) == 2
    printed = capsys.readouterr().err
    assert "-cfgdir is required" in printed
    assert "no Retention among the documents" in printed


def test_help(run):
    assert run("-help")[0].startswith("usage: simple-registry retention plan")
