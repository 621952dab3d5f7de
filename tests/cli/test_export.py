"""`export`: to a directory, a file and a pipe, beside the server that uses the data directory."""

import io
import json
import tarfile

import pytest

from simple_registry.cli.export import export, parse_selection
from simple_registry.cli.options import UsageError
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.moving.exporting import Selection
from support.documents import CONFIG, push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

LAYER = b"layer"


@pytest.fixture
def front(tmp_path):
    """A server over the directory, with an image."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        push_image(front, "app", "v1", LAYER)
        yield front


@pytest.fixture
def run(front, tmp_path):
    def call(*words):
        stdout, stderr, pipe = io.StringIO(), io.StringIO(), io.BytesIO()
        variables = {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}
        code = export([str(word) for word in words], variables, stdout, stderr, pipe)
        return code, stdout.getvalue(), stderr.getvalue(), pipe.getvalue()

    return call


def test_a_directory_is_a_layout_and_is_continued(run, tmp_path):
    code, out, err, _ = run("app", tmp_path / "layout")
    assert (code, err) == (0, "")
    assert out.startswith("exported 1 repository, 1 tag, 1 manifest, 2 blobs of ")
    assert (tmp_path / "layout/blobs/sha256" / digest_of(CONFIG).encoded).read_bytes() == CONFIG
    code, out, _, _ = run("app:v1", tmp_path / "layout", "-json")
    assert (code, json.loads(out)["summary"]["present"]) == (0, 3)


def test_a_file_and_a_pipe_are_the_same_archive(run, tmp_path):
    assert run("app:v1", tmp_path / "a.tar")[:1] == (0,)
    code, out, err, pipe = run("app:v1", "-")
    assert (code, out) == (0, "")
    assert err.startswith("exported 1 repository")
    assert pipe == (tmp_path / "a.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(pipe)) as tar:
        assert tar.getnames()[:2] == ["oci-layout", "index.json"]


def test_damage_is_1_in_a_directory_and_ends_an_archive(run, front, tmp_path):
    front.kept.write(digest_of(LAYER), b"LAYER")
    with pytest.raises(StorageFault, match=f"cannot export app@{digest_of(LAYER)}: "):
        run("app", tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    code, out, _, _ = run("app", tmp_path / "layout")
    assert (code, out.partition(":")[0]) == (1, "app@sha256")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "usage: export REPOSITORY"),
        (("app",), "usage: export REPOSITORY"),
        (("App", "layout"), "invalid repository name"),
        (("app:none", "layout"), "manifest unknown to registry"),
        (("none", "layout"), "repository name not known to registry"),
        (("app:a b", "layout"), "invalid tag"),
        (("app@v1", "layout"), "not a supported digest"),
        (("app:", "layout"), "invalid tag"),
        (("app", "layout", "-x"), "unknown option"),
    ],
)
def test_invalid_arguments_are_refused(run, front, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    with front.unchanged(), pytest.raises(UsageError, match=said):
        run(*words)
    assert not (tmp_path / "layout/index.json").exists()


def test_a_selection_is_a_repository_with_a_tag_or_digest():
    digest = digest_of(LAYER)
    assert parse_selection("team/app") == Selection("team/app")
    assert parse_selection("team/app:v1") == Selection("team/app", "v1")
    assert parse_selection(f"team/app@{digest}") == Selection("team/app", digest)


def test_help_goes_to_standard_output(run):
    assert run("-help")[1].startswith("usage: simple-registry export")
