"""`import`: from a directory, a file and a pipe, beside a server, or into a new data directory."""

import io
import json

import pytest

from simple_registry.cli.export import export
from simple_registry.cli.import_ import import_
from simple_registry.cli.options import UsageError
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.oci.layouts import blob_path
from support.foreign import INDEX, LAYER, layout
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
    def call(*words, pipe=b"", data="data"):
        stdout, stderr = io.StringIO(), io.StringIO()
        variables = {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / data)}
        code = import_([str(word) for word in words], variables, stdout, stderr, io.BytesIO(pipe))
        return code, stdout.getvalue(), stderr.getvalue()

    return call


def exported(tmp_path, *words, data="data"):
    pipe = io.BytesIO()
    arguments = [*map(str, words), "-datadir", str(tmp_path / data)]
    assert export(arguments, {}, io.StringIO(), io.StringIO(), pipe) == 0
    return pipe.getvalue()


def test_a_server_serves_what_was_imported(front, run, tmp_path):
    made = layout(tmp_path / "layout").image()
    code, out, err = run(made.root, "team/app")
    assert (code, err) == (0, "")
    assert out.startswith("imported 1 repository, 1 tag, 3 manifests, 2 blobs of ")
    assert front.get("/v2/team/app/manifests/v1").body == INDEX


def test_what_is_exported_is_imported(front, run, tmp_path):
    made = layout(tmp_path / "layout").image()
    run(made.root, "team/a")
    run(made.root, "b")
    exported(tmp_path, "team/a", "b", tmp_path / "several.tar")
    exported(tmp_path, "team/a", "b", tmp_path / "several")
    for number, source in enumerate(("several.tar", "several")):
        assert run(tmp_path / source, data=f"new-{number}")[0] == 0
        again = exported(tmp_path, "team/a", "b", "-", data=f"new-{number}")
        assert again == (tmp_path / "several.tar").read_bytes()
    pipe = exported(tmp_path, "b", "-")
    assert run("-", "c", pipe=pipe, data="piped")[0] == 0
    assert exported(tmp_path, "c", "-", data="piped") == pipe


def test_what_is_damaged_is_1_and_named(front, run, tmp_path):
    made = layout(tmp_path / "layout").image()
    made.blob(LAYER).write_bytes(b"A LAYER")
    code, out, _ = run(made.root, "app", "-json")
    first, *_, summary = map(json.loads, out.splitlines())
    assert (code, first["defect"]["path"], summary["summary"]["defects"]) == (1, blob_path(digest_of(LAYER)), 3)


def test_parts_may_be_missing_where_the_configuration_allows_it(front, run, tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/a.yaml").write_text(
        "kind: Configuration\nmetadata: {name: a}\nspec: {manifests: {allowMissing: all}}\n"
    )
    made = layout(tmp_path / "layout").image()
    made.blob(LAYER).unlink()
    assert run(made.root, "app", "-cfgdir", tmp_path / "documents")[0] == 0
    assert front.get("/v2/app/manifests/v1").body == INDEX


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "usage: import SOURCE"),
        (("layout", "App"), "invalid repository name"),
        (("layout",), "cannot import layout: index.json: the name of sha256:.* has no repository; give one"),
        (("-",), "cannot import -: it is no OCI layout"),
        (("layout", "app", "more"), "more"),
    ],
)
def test_invalid_arguments_are_refused(front, run, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    layout(tmp_path / "layout").image()
    with front.unchanged(), pytest.raises(UsageError, match=said):
        run(*words)


@pytest.mark.parametrize("name", ["none", "other", "other/file"])
def test_what_is_no_layout_is_refused(front, run, tmp_path, name):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    with front.unchanged(), pytest.raises(StorageFault):
        run(tmp_path / name, "app")


def test_help_goes_to_standard_output(run):
    assert run("-help")[1].startswith("usage: simple-registry import")
