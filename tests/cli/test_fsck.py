"""`fsck`: exit codes, output, and directories that cannot be checked."""

import asyncio
import io
import json
import os

import pytest

from simple_registry.backends import local
from simple_registry.cli import fsck_report
from simple_registry.cli.fsck import fsck
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.clock import SystemClock
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import ContentRecord, Place
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from support.actors import ACTOR
from support.documents import encode, image

LAYER = b"layer"
DIGEST = digest_of(LAYER)


async def hold(layout, data):
    rows = rows_of(Database(layout.database), SystemClock())
    await rows.blobs.add_blob("team/app", ContentRecord(digest_of(data), len(data)), removals=0, actor=ACTOR)
    await rows.close()


@pytest.fixture
def data_dir(tmp_path):
    """A directory that a server uses at the moment, with one blob."""
    claim = local.claim(tmp_path / "data")
    directory = tmp_path / "data" / "blobs" / "sha256" / DIGEST.encoded[:2]
    directory.mkdir()
    (directory / DIGEST.encoded).write_bytes(LAYER)
    (directory / DIGEST.encoded).chmod(0o444)
    asyncio.run(hold(claim.layout, LAYER))
    yield tmp_path / "data"
    claim.release()


@pytest.fixture
def file(data_dir):
    return data_dir / "blobs" / "sha256" / DIGEST.encoded[:2] / DIGEST.encoded


@pytest.fixture
def run(tmp_path):
    def call(*words):
        stdout, stderr = io.StringIO(), io.StringIO()
        code = fsck(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout, stderr)
        return code, stdout.getvalue(), stderr.getvalue()

    return call


@pytest.mark.parametrize("words", [[], ["-deep"], ["--deep", "--repair"]])
def test_a_sound_directory_is_0(data_dir, run, words):
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.startswith("1 content checked")
    assert out.endswith(": nothing is wrong\n")


@pytest.mark.parametrize("dashes", ["-", "--"])
def test_damage_is_1_and_one_line(file, run, dashes):
    file.chmod(0o644)
    file.write_bytes(b"LAYER")
    file.chmod(0o444)
    assert run()[0] == 0
    code, out, _ = run(f"{dashes}deep")
    assert code == 1
    line, summary = out.splitlines()
    assert line.startswith(f"flipped: {DIGEST}: affects team/app: its bytes hash to sha256:")
    assert summary.endswith("1 flipped; 0 repaired, 1 remaining")
    assert run(f"{dashes}deep", f"{dashes}repair")[0] == 1
    assert file.read_bytes() == b"LAYER"
    code, out, _ = run()
    assert (code, out.partition(":")[0]) == (1, "damaged")


def test_json_is_one_object_a_line(file, run):
    file.chmod(0o644)
    file.write_bytes(LAYER[1:])
    code, out, _ = run("--json")
    finding, summary = map(json.loads, out.splitlines())
    assert code == 1
    assert finding | {"detail": "", "advice": ""} == {
        "finding": "short",
        "digest": str(DIGEST),
        "path": f"blobs/sha256/{DIGEST.encoded[:2]}/{DIGEST.encoded}",
        "repositories": ["team/app"],
        "detail": "",
        "advice": "",
        "repaired": False,
        "remark": False,
    }
    assert summary["summary"] | {"seconds": 0} == {
        "contents": 1,
        "bytesRead": 0,
        "deep": False,
        "repair": False,
        "seconds": 0,
        "found": {"short": 1},
        "repaired": 0,
        "remaining": 1,
        "remarks": 0,
    }


def test_all_repaired_is_0(data_dir, run):
    stray = data_dir / "blobs" / "stray"
    stray.touch()
    os.utime(stray)
    assert run()[0] == 0  # young
    assert stray.exists()


@pytest.mark.parametrize("damage", ["missing", "empty", "broken"])
def test_a_file_that_is_not_a_database_is_reported_with_a_remedy_and_unchanged(data_dir, run, damage):
    database = data_dir / "registry.db"
    for name in ("registry.db-wal", "registry.db-shm"):
        (data_dir / name).unlink(missing_ok=True)
    database.unlink()
    if damage != "missing":
        database.write_bytes(b"" if damage == "empty" else b"no database" * 1000)
    code, out, _ = run("--json", "--deep", "--repair")
    finding, summary = map(json.loads, out.splitlines())
    assert code == 1
    assert (finding["finding"], finding["path"]) == ("database", "registry.db")
    assert "restore registry.db from a backup" in finding["advice"]
    assert summary["summary"]["remaining"] == 1
    assert database.exists() is (damage != "missing")


def test_parts_may_be_missing_if_configured(data_dir, tmp_path, run):
    manifest = encode(image(b"absent"))
    layout = Layout(data_dir)

    async def put():
        from simple_registry.oci.manifests import parse_manifest
        from simple_registry.operations.manifests import manifest_row
        from simple_registry.storage.filesystem.content_store import FilesystemContentStore
        from simple_registry.storage.filesystem.disk import Disk
        from simple_registry.storage.filesystem.threads import Threads

        threads = Threads(1)
        await FilesystemContentStore(layout, Disk(), threads).put(digest_of(manifest), manifest)
        threads.close()
        rows = rows_of(Database(layout.database), SystemClock())
        row = manifest_row(digest_of(manifest), len(manifest), parse_manifest(manifest, None))
        await rows.manifests.put_manifest(
            "team/app", row, tags=["v1"], parts=(), place=Place(""), removals=0, actor=ACTOR
        )
        await rows.close()

    asyncio.run(put())
    code, out, _ = run()
    assert (code, out.count("dangling:")) == (1, 2)
    (tmp_path / "configuration.yaml").write_text(
        "kind: Configuration\nmetadata: {name: c}\nspec: {manifests: {allowMissing: all}}\n"
    )
    assert run("-cfgdir", str(tmp_path))[0] == 0


def test_a_foreign_directory_is_exit_code_2(tmp_path, capsys):
    assert main(["fsck", "-datadir", str(tmp_path)]) == 2
    assert "not a data directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_and_mistakes(run):
    code, out, _ = run("--help")
    assert (code, out.partition(" [")[0]) == (0, "usage: simple-registry fsck")
    for words in (["--unknown"], ["stray"]):
        with pytest.raises(UsageError):
            run(*words)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_and_taken_off_before_a_finding(file, data_dir, monkeypatch):
    monkeypatch.setattr(fsck_report, "TERMINAL_SECONDS", 0.0)
    file.unlink()
    terminal = Terminal()
    fsck(["-datadir", str(data_dir)], {}, io.StringIO(), terminal)
    assert "content: 0 of 1 content" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")
