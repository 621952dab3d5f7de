"""A server that is killed at any point loses nothing that it acknowledged and leaves no row without its file."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from simple_registry.oci.digests import digest_of, parse_digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.inspection import Defect
from simple_registry.storage.records import Received
from simple_registry.storage.sqlite.defects import QUERIES
from storage.support import ManualClock, blob_of, disk_stores, push, run

TESTS = Path(__file__).parents[1]


def crash(kind, root):
    """Return the directories of processes that were killed, one per point."""
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    subprocess.run([sys.executable, "-m", "storage.crashing", kind, str(root)], env=environment, check=True)
    killed = sorted(root.iterdir(), key=lambda path: int(path.name))
    assert (killed[-1] / "finished").exists()
    return killed


@pytest.mark.parametrize(("kind", "points"), [("disk", 40), ("rows", 30)])
def test_every_acknowledged_push_survives_a_kill_at_any_point(tmp_path, kind, points):
    killed = crash(kind, tmp_path)
    assert len(killed) > points
    for path in killed:
        with disk_stores(path / "data", ManualClock()) as stores:
            check_acknowledged(stores, path)
            check_rows(path / "data")
            run(check_leftovers(stores))


def check_acknowledged(stores, path):
    file = path / "acknowledged"
    lines = file.read_text().splitlines() if file.exists() else []
    if (path / "finished").exists():
        assert len(lines) == 4
    for line in lines:
        repository, text = line.split()
        digest = parse_digest(text)
        rows = stores.rows
        found = run(rows.blobs.find_blob(RepositoryName(repository), digest)) or run(
            rows.manifests.find_manifest(RepositoryName(repository), digest)
        )
        assert found is not None
        data = run(stores.read(found.content))
        assert data is not None
        assert digest_of(data) == digest


def check_rows(data):
    """Every row of whole content has its file, intact and read-only, and usage is what the rows say."""
    connection = apsw.Connection(str(data / "registry.db"))
    usage = QUERIES[Defect.USAGE]
    assert connection.execute(usage.sql, (*usage.begin, *[None] * 6, 9)).fetchall() == []
    for digest, size in connection.execute("SELECT digest, size FROM contents WHERE state = 'whole'").fetchall():
        algorithm, encoded = digest.split(":")
        file = data / "blobs" / algorithm / encoded[:2] / encoded
        assert file.stat().st_size == size
        assert digest_of(file.read_bytes()) == parse_digest(digest)
        assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


async def check_leftovers(stores):
    """The remains of a kill are found as abandoned, and do not block the same push."""
    for session in await stores.uploads.abandoned(stores.clock.now() + 60):
        await stores.uploads.discard(session, Received())
    for session, data in {"a": b"first" * 1000, "c": b"doomed"}.items():
        await push(stores, session, data)
        assert await stores.read(blob_of(data)) == data
    assert await stores.uploads.abandoned(stores.clock.now() + 60) == []
