"""`backup`: what it reports, and beside a server under load, that nothing acknowledged is missing."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simple_registry.cli.backup import backup
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.faults import DataDirectoryRefused
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.layout import Layout
from support.documents import push_image
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

LAYER = b"layer" * 100


@pytest.fixture
def front(tmp_path):
    """A server over the directory."""
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        push_image(front, "team/app", "v1", LAYER)
        yield front


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        stdout, stderr = io.StringIO(), io.StringIO()
        assert backup(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout, stderr) == code
        return stdout.getvalue(), stderr.getvalue()

    return call


def flip(front):
    path = Path(front.kept.layout.blob(digest_of(LAYER)))
    path.chmod(0o600)
    path.write_bytes(b"x" * len(LAYER))


def test_the_report_is_one_line(front, run, tmp_path):
    out, err = run(str(tmp_path / "backups"))
    (made,) = (tmp_path / "backups").iterdir()
    assert re.fullmatch(rf"{made}: 3 contents, 0\.0 MiB, in [0-9.]+ s\n", out)
    assert err == ""


def test_damage_is_1_and_a_line_with_what_it_affects(front, run, tmp_path):
    flip(front)
    out, _ = run(str(tmp_path / "backups"), code=1)
    damaged, summary = out.splitlines()
    actual = digest_of(b"x" * len(LAYER))
    assert damaged == f"damaged: {digest_of(LAYER)}: its bytes hash to {actual}; affects team/app:v1"
    assert summary.endswith("; 1 damaged and left out, see 'fsck --deep'")


def test_content_that_was_linked_and_not_read_is_the_last_line(front, run, tmp_path):
    directory = tmp_path / "backups"
    run(str(directory))
    for year, words in enumerate([(), ("-json",)], start=2020):
        (newest,) = set(directory.iterdir()) - set(directory.glob("202[01]0101*"))
        newest.rename(directory / f"{year}0101T000000Z")
        out, _ = run(str(directory), *words)
        if words:
            assert json.loads(out)["linked"] == 3
        else:
            assert out.splitlines()[1:] == [
                "3 contents linked from the previous backup, not read; 'fsck --deep' checks them"
            ]


def test_json_is_one_object(front, run, tmp_path):
    flip(front)
    facts = json.loads(run("-json", str(tmp_path / "x.tar"), code=1)[0])
    (damaged,) = facts.pop("damaged")
    assert damaged["digest"] == str(digest_of(LAYER))
    assert (damaged["tags"], damaged["repositories"]) == (["team/app:v1"], ["team/app"])
    assert facts | {"bytes": 0, "seconds": 0} == {
        "backup": str(tmp_path / "x.tar"),
        "contents": 3,
        "bytes": 0,
        "linked": 0,
        "seconds": 0,
    }


def test_documents_are_those_below_the_given_directories(front, run, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "team").mkdir(parents=True)
        (tmp_path / name / "team" / f"{name}.yaml").write_text(
            f"kind: User\nmetadata: {{name: {name}}}\nspec: {{groups: [a]}}\n"
        )
    words = ("-cfgdir", str(tmp_path / "one"), "-cfgdir", str(tmp_path / "two"))
    run(str(tmp_path / "without"), *words)
    run(str(tmp_path / "with"), "-documents", *words)
    found = {str(path.relative_to(tmp_path)).split("/", 2)[2] for path in tmp_path.glob("with*/*/documents/**/*.yaml")}
    assert found == {"documents/team/one.yaml", "documents/team/two.yaml"}
    (tmp_path / "two" / "team" / "two.yaml").rename(tmp_path / "two" / "team" / "one.yaml")
    with pytest.raises(UsageError, match=r"team/one\.yaml"):
        run(str(tmp_path / "again"), "-documents", *words)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "-deep"]])
def test_wrong_arguments_are_refused(front, run, words):
    with pytest.raises(UsageError):
        run(*words)


def test_a_directory_that_no_server_made_is_refused(run, tmp_path):
    with pytest.raises(DataDirectoryRefused):
        run(str(tmp_path / "backups"))
    assert not (tmp_path / "backups").exists()


def test_help_is_0(capsys):
    assert main(["backup", "-help"]) == 0
    assert capsys.readouterr().out.startswith("usage: simple-registry backup DIRECTORY")


def test_an_archive_on_standard_output_is_all_that_is_there(front, tmp_path):
    command = [sys.executable, "-m", "simple_registry", "backup", "-", "-datadir", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b": 3 contents" in done.stderr
    (tmp_path / "x").mkdir()
    subprocess.run(["tar", "-x", "-C", tmp_path / "x"], input=done.stdout, check=True)
    assert Path(Layout(tmp_path / "x").blob(digest_of(LAYER))).read_bytes() == LAYER


def test_a_reader_that_exits_is_2(front, tmp_path):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "simple_registry", "backup", "-", "-datadir", str(tmp_path / "data")]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 2
    assert done.stderr == "simple-registry: cannot write the archive: [Errno 32] Broken pipe\n"


def test_all_that_was_acknowledged_before_it_began_can_be_pulled_after_a_restore(front, tmp_path):
    """The server pushes, moves tags, deletes and collects all the while, in another process."""
    kept = [push_image(front, "team/app", f"v{number}", layer(number)) for number in range(20)]
    churned = [push_image(front, "team/app", f"w{number}", layer(100 + number)) for number in range(20)]
    words = ["-m", "simple_registry", "backup", str(tmp_path / "backups"), "-datadir", str(tmp_path / "data")]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE) as making:
        number = 0
        while making.poll() is None:
            old = digest_of(churned[number % 20])
            churned[number % 20] = push_image(front, "team/app", f"w{number % 20}", layer(200 + number))
            assert front.delete(f"/v2/team/app/manifests/{old}").status == 202
            front.clock.advance(3601)
            front.run(front.services.garbage.collect())
            number += 1
    assert (making.returncode, number > 0) == (0, True)
    (made,) = (tmp_path / "backups").iterdir()
    assert main(["fsck", "-deep", "-datadir", str(made)]) == 0
    assert main(["restore", str(made), "-datadir", str(tmp_path / "new")]) == 0
    assert main(["fsck", "-deep", "-datadir", str(tmp_path / "new")]) == 0
    clock = SettableClock()
    with on_disk(tmp_path / "new", clock) as stores, Front(stores, clock) as restored:
        assert [restored.get(f"/v2/team/app/manifests/v{each}").body for each in range(20)] == kept
        for tag in restored.get("/v2/team/app/tags/list").json["tags"]:
            for each in restored.get(f"/v2/team/app/manifests/{tag}").json["layers"]:
                assert restored.get(f"/v2/team/app/blobs/{each['digest']}").status == 200


def layer(number):
    return b"%d" % number * 9000
