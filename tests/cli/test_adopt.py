"""`adopt`: another registry's data directory, into a new one or beside a server; refused while the other runs."""

import io
import json
import os
import subprocess
import sys

import pytest

from simple_registry.cli.adopt import adopt
from simple_registry.cli.fsck import fsck
from simple_registry.cli.options import UsageError
from simple_registry.faults import StorageFault
from simple_registry.storage.sources import SourceInvalid
from support.foreign import INDEX, LAYER, SIGNATURE, distribution, layout
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock


@pytest.fixture
def links(tmp_path):
    made = distribution(tmp_path / "other")
    made.image("app")
    return made


@pytest.fixture
def run(tmp_path, links):
    def call(*words):
        stdout, stderr = io.StringIO(), io.StringIO()
        variables = {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}
        code = adopt([*map(str, words)], variables, stdout, stderr)
        return code, stdout.getvalue(), stderr.getvalue()

    return call


def test_a_new_data_directory_is_made(run, tmp_path):
    code, out, err = run(tmp_path / "other")
    assert (code, err) == (0, "")
    assert out.startswith("distribution: took 1 repository, 1 tag, 3 manifests, 2 blobs of 0.0 MiB; no defects (")
    assert fsck(["-deep", "-datadir", str(tmp_path / "data")], {}, io.StringIO(), io.StringIO()) == 0


def test_a_server_serves_what_was_taken(run, tmp_path):
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        assert run(tmp_path / "other", "-from", "distribution", "-link")[0] == 0
        assert front.get("/v2/app/manifests/v1").body == INDEX


def test_a_dry_run_makes_no_data_directory(run, tmp_path):
    code, out, _ = run(tmp_path / "other", "-dryrun", "-json")
    assert (code, json.loads(out)["summary"]["manifests"]) == (0, 3)
    assert not (tmp_path / "data").exists()


def test_what_is_broken_is_1(run, links, tmp_path):
    links.blob(SIGNATURE).unlink()
    links.blob(LAYER).write_bytes(b"A LAYER")
    assert run(tmp_path / "other", "-dryrun")[0] == 1
    code, out, _ = run(tmp_path / "other")
    assert (code, len(out.splitlines())) == (1, 4)
    assert out.splitlines()[-1].endswith(")")


def test_a_registry_that_runs_is_refused_unless_nothing_is_taken(run, tmp_path):
    words = ["registry", "-c", "import time; time.sleep(60)", "serve", str(tmp_path / "other")]
    process = subprocess.Popen(words, executable=sys.executable)
    try:
        with pytest.raises(UsageError, match=rf"is in use; stop the other registry first. process {process.pid} "):
            run(tmp_path / "other")
        assert not (tmp_path / "data").exists()
        assert run(tmp_path / "other", "-dryrun")[0] == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "usage: adopt DIRECTORY"),
        (("other", "-from", "harbor"), "-from is one of auto, distribution"),
        (("other", "-link", "-copy"), "give only one of"),
        (("other", "more"), "more"),
        (("other", "-x"), "unknown option"),
    ],
)
def test_invalid_arguments_are_refused(run, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        run(*words)
    assert not (tmp_path / "data").exists()


def test_a_directory_of_another_kind_is_refused(run, tmp_path):
    made = layout(tmp_path / "layouts" / "app").image()
    with pytest.raises(SourceInvalid):
        run(tmp_path / "layouts", "-from", "distribution")
    with pytest.raises(SourceInvalid):
        run(made.root)
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user_are_not_linked(run, links, tmp_path):
    os.chown(links.blob(LAYER), 12345, -1)
    with pytest.raises(StorageFault, match="use -copy"):
        run(tmp_path / "other", "-link")
    assert run(tmp_path / "other", "-copy")[0] == 0


def test_help_goes_to_standard_output(run):
    assert run("-help")[1].startswith("usage: simple-registry adopt")
