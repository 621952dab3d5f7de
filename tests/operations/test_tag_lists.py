"""Lists of tags by push, version and name."""

import asyncio

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.tag_lists import TagLists, TagOrder
from simple_registry.storage.records import Place, TagRow
from storage.support import manifest_of
from support.actors import ACTOR
from support.memory.rows import MemoryRows
from support.time import SettableClock

REPOSITORY = RepositoryName("team/app")
PUSHED = ["v1.10.0", "latest", "v1.9.0", "beta", "v1.10.0-rc.1"]


@pytest.fixture
def lists():
    """Return lists over tags that were pushed one after another."""
    clock = SettableClock()
    rows = MemoryRows(clock)

    async def push():
        for tag in PUSHED:
            clock.advance(1)
            await rows.put_manifest(
                REPOSITORY,
                manifest_of(b"manifest"),
                place=Place(""),
                removals=0,
                tags=[Tag(tag)],
                parts=(),
                actor=ACTOR,
            )

    asyncio.run(push())
    return TagLists(rows)


def page(lists, order, *, containing="", after=None, limit=100, visible=lambda tag: True):
    return asyncio.run(lists.page(REPOSITORY, order, containing=containing, after=after, limit=limit, visible=visible))


@pytest.mark.parametrize("order", TagOrder)
def test_a_caller_that_may_see_few_tags_causes_few_reads(order, monkeypatch):
    rows, sizes = MemoryRows(SettableClock()), []

    def counted(name):
        async def read(*_arguments, limit, **_how):
            sizes.append(limit)
            number = min(limit, max(12_000 - sum(sizes[:-1]), 0))
            return [TagRow(Tag(f"t{each}"), digest_of(b"x"), 0.0) for each in range(number)]

        monkeypatch.setattr(rows, name, read)

    counted("last_pushed_tags")
    counted("sorted_tags")
    assert names(page(TagLists(rows), order, limit=50, visible=lambda tag: False)) == []
    assert len(sizes) == 4


def names(found):
    return [row.tag for row in found.items]


ORDERED = {
    TagOrder.PUSHED: PUSHED[::-1],
    TagOrder.VERSION: ["v1.10.0", "v1.10.0-rc.1", "v1.9.0", "latest", "beta"],
    TagOrder.NAME: ["beta", "latest", "v1.10.0", "v1.10.0-rc.1", "v1.9.0"],
}


@pytest.mark.parametrize("order", TagOrder)
def test_tags_are_in_order_with_target_and_time(lists, order):
    found = page(lists, order)
    assert (names(found), found.more) == (ORDERED[order], False)
    assert {row.digest for row in found.items} == {digest_of(b"manifest")}
    assert len({row.pushed for row in found.items}) == len(PUSHED)


@pytest.mark.parametrize("order", TagOrder)
def test_pages_follow_each_other(lists, order):
    seen, after = [], None
    while True:
        found = page(lists, order, after=after, limit=2)
        seen += names(found)
        if not found.more:
            break
        after = found.items[-1].position
    assert seen == ORDERED[order]


@pytest.mark.parametrize("order", TagOrder)
def test_only_visible_tags_with_the_text_are_listed(lists, order):
    assert names(page(lists, order, containing="V1.10")) == [tag for tag in ORDERED[order] if "1.10" in tag]
    hidden = page(lists, order, visible=lambda tag: tag != "latest", limit=4)
    assert (names(hidden), hidden.more) == ([tag for tag in ORDERED[order] if tag != "latest"], False)
