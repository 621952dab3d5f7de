"""`usage`: beside the server that uses the data directory."""

import io
import json

import pytest

from simple_registry.cli.options import UsageError
from simple_registry.cli.usage import usage
from simple_registry.oci.digests import digest_of
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock


@pytest.fixture
def front(tmp_path):
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        front.push_blob("a", bytes(2048))
        front.push_blob("b", bytes(2048))
        front.push_blob("b", b"x")
        yield front


@pytest.fixture
def run(tmp_path):
    def call(*words):
        stdout = io.StringIO()
        assert usage(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout) == 0
        return stdout.getvalue()

    return call


@pytest.mark.usefixtures("front")
def test_all_repositories_are_shown_with_the_total(run):
    lines = run().splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["REPOSITORY", "a", "b"]
    assert lines[1].split()[1:] == ["0", "0", "1", "2.0", "KiB", "0", "B", "0", "B"]
    assert lines[4:] == [
        "2 repositories, 0 tags, 0 manifests",
        "held: 4.0 KiB, of which shared: 2.0 KiB",
        "restorable until the grace ends: 0 B",
        "on the disk: 2.0 KiB in 2 contents; being removed: 0 B",
        "last collection: none yet",
    ]


def test_the_last_collection_and_the_time_for_undoing_are_shown(run, front):
    front.delete(f"/v2/a/blobs/{digest_of(bytes(2048))}")
    front.run(front.services.garbage.collect())
    assert run().splitlines()[8:] == [
        "last collection: 2023-11-14T22:13:20Z, by the server: 0 B in 0 contents removed",
        "deletions can be undone until 2023-11-15T22:13:20Z at the latest",
    ]
    collection = json.loads(run("-json"))["collection"]
    assert collection["last"][0]["origin"] == "schedule"
    assert collection["restorable"]["bytes"] == 2048


@pytest.mark.usefixtures("front")
def test_json_has_bytes(run):
    found = json.loads(run("-json"))
    assert [each["bytes"] for each in found["repositories"]] == [2048, 2049]
    assert found["total"]["shared_bytes"] == 2048
    assert json.loads(run("b", "--json")) == {"repositories": [found["repositories"][1]]}


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize("name", ["c", "A"])
def test_an_unknown_repository_is_a_mistake(run, name):
    with pytest.raises(UsageError, match=f"no such repository: {name}"):
        run(name)


def test_the_help_needs_no_data_directory(run):
    assert run("-help").startswith("usage: simple-registry usage [REPOSITORY...]")
