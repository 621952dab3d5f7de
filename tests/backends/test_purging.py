"""What `purge` opens; the command's tests ask for the rest."""

import asyncio
from pathlib import Path

from simple_registry.backends.local import make
from simple_registry.backends.purging import purging_for_command
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.purging import RowsPurged, SnapshotsReplaced
from support.actors import ACTOR

DIGEST = digest_of(b"a secret")


def test_the_log_is_empty_afterwards_and_copies_before_upgrades_are_named(tmp_path):
    data_dir = tmp_path / "data"
    make(data_dir)
    (data_dir / "registry.db.before-9").write_bytes(b"")

    async def scenario():
        async with purging_for_command(data_dir, keep=3, interval=1.0) as purging:
            purged = await purging.rows.purge(DIGEST, RepositoryName("a"), force=False, actor=ACTOR)
            assert purged == RowsPurged((), ())
            assert await purging.copies.remove_quarantined(DIGEST) == ()
            replaced = await purging.copies.replace_snapshots(DIGEST)
            assert replaced == SnapshotsReplaced((), ("registry.db.before-9",))

    asyncio.run(scenario())
    assert Path(data_dir, "registry.db-wal").stat().st_size == 0
    assert not Path(data_dir, "snapshots").exists()
