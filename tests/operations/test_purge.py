"""The order of a purge: rows, then bytes, then copies; and nothing of it while bytes must stay."""

import pytest

from simple_registry.backends.purging import purging_for_command
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.purge import Purge, Purged
from simple_registry.storage.purging import PurgedFrom
from simple_registry.storage.records import ContentRecord
from support.actors import ACTOR
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

A = RepositoryName("a")
DATA = b"a secret"
DIGEST = digest_of(DATA)


@pytest.fixture
def front(tmp_path):
    clock = SettableClock()
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as front:
        front.push_blob("a", DATA)
        yield front


@pytest.fixture
def purging(tmp_path):
    return purging_for_command(tmp_path / "data", keep=0, interval=1.0)


async def purge(purging):
    return await Purge(purging).purge(DIGEST, A, force=False, actor=ACTOR)


def test_a_purge_that_was_interrupted_is_finished_by_the_next(front, purging, monkeypatch):
    async def scenario():
        async with purging as opened:
            with monkeypatch.context() as patched:

                async def fail(_record: ContentRecord) -> None:
                    raise StorageFault("remove a file", "the disk is gone")

                patched.setattr(opened.content, "remove", fail)
                with pytest.raises(StorageFault):
                    await purge(opened)
            outcome = await purge(opened)
            assert outcome == Purged((), (), len(DATA))
            assert outcome.found
            assert not (await purge(opened)).found

    front.run(scenario())
    assert front.get(f"/v2/a/blobs/{DIGEST}").status == 404


def test_a_push_after_it_stores_the_bytes_again(front, purging):
    async def scenario():
        async with purging as opened:
            assert await purge(opened) == Purged((PurgedFrom(A),), (), len(DATA))

    front.run(scenario())
    front.push_blob("a", DATA)
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == DATA
