"""The contract of the journal: one event for each change, in the transaction of the change."""

from dataclasses import replace

import pytest

from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition
from simple_registry.storage.records import Actor, ContentRecord, JournalAction, JournalEvent, Place
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, run
from support.actors import ACTOR

OLD, NEW = manifest_of(b"old"), manifest_of(b"new")
V1, V2 = Tag("v1"), Tag("v2")
EVE = Actor("eve", "token ci", "r-2")
NOTHING = Precondition(absent=True)


@pytest.fixture
def rows(stores):
    return stores.rows


async def push(rows, manifest, *tags, repository=REPOSITORY, actor=ACTOR, precondition=UNCONDITIONAL):
    return await rows.manifests.put_manifest(
        repository,
        manifest,
        place=Place(""),
        removals=await rows.contents.removals(),
        tags=tags,
        parts=(),
        actor=actor,
        precondition=precondition,
    )


async def told(rows):
    """Return all events without ids and times."""
    return [
        (each.action.value, each.repository, each.tag, each.before, each.after, each.cause)
        for each in await rows.journal.page_events(0, 100)
    ]


def test_a_tag_that_is_set_or_moved_is_an_event(rows, clock):
    async def scenario():
        await push(rows, OLD, V1)
        clock.time += 5
        await push(rows, NEW, V1, V2, actor=EVE)
        set_v1 = JournalEvent(
            1,
            round(clock.time - 5, 3),
            JournalAction.TAG_SET,
            REPOSITORY,
            V1,
            before=None,
            after=OLD.digest,
            actor=ACTOR,
        )
        moved = replace(set_v1, id=2, time=round(clock.time, 3), before=OLD.digest, after=NEW.digest, actor=EVE)
        assert await rows.journal.page_events(0, 9) == [set_v1, moved, replace(moved, id=3, tag=V2, before=None)]
        assert await rows.journal.find_event(2) == moved
        assert await rows.journal.find_event(9) is None

    run(scenario())


def test_a_push_that_changes_no_tag_is_no_event(rows):
    async def scenario():
        await push(rows, OLD, V1)
        await push(rows, OLD, V1)
        await push(rows, NEW)
        assert len(await told(rows)) == 1

    run(scenario())


def test_a_refused_change_is_no_event(rows):
    async def scenario():
        await push(rows, OLD, V1)
        before = await told(rows)
        await push(rows, NEW, V1, precondition=NOTHING)
        await rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR, precondition=NOTHING)
        await rows.tags.remove_tag(REPOSITORY, V2, actor=ACTOR)
        await rows.manifests.remove_manifest(REPOSITORY, OLD.digest, tags=[V2], actor=ACTOR)
        await rows.blobs.remove_blob(REPOSITORY, OLD.digest, actor=ACTOR)
        assert await told(rows) == before

    run(scenario())


def test_deletions_are_events_and_those_of_tags_name_that_of_their_manifest(rows):
    blob = blob_of(b"a blob")

    async def scenario():
        await push(rows, OLD, V1, V2)
        await push(rows, NEW, Tag("new"))
        await rows.blobs.add_blob(REPOSITORY, ContentRecord(blob.digest, blob.size), removals=0, actor=ACTOR)
        start = len(await told(rows))
        await rows.manifests.remove_manifest(REPOSITORY, OLD.digest, tags=[V2, V1], actor=ACTOR)
        await rows.tags.remove_tag(REPOSITORY, Tag("new"), actor=ACTOR)
        await rows.blobs.remove_blob(REPOSITORY, blob.digest, actor=ACTOR)
        assert (await told(rows))[start:] == [
            ("manifest.delete", REPOSITORY, None, OLD.digest, None, None),
            ("tag.delete", REPOSITORY, V1, OLD.digest, None, start + 1),
            ("tag.delete", REPOSITORY, V2, OLD.digest, None, start + 1),
            ("tag.delete", REPOSITORY, "new", NEW.digest, None, None),
            ("blob.delete", REPOSITORY, None, blob.digest, None, None),
        ]

    run(scenario())


@pytest.fixture
def history(rows, clock):
    """Return the events of three pushes, ten seconds apart, to two repositories."""

    async def fill():
        for manifest, tag, repository in ((OLD, V1, REPOSITORY), (NEW, V1, OTHER), (NEW, V1, REPOSITORY)):
            await push(rows, manifest, tag, repository=repository)
            clock.time += 10
        await push(rows, OLD, V2)
        return await rows.journal.page_events(0, 9)

    return run(fill())


def test_events_are_paged(rows, history):
    first, other, second, last = history

    async def scenario():
        assert await rows.journal.page_events(1, 2) == [other, second]
        assert await rows.journal.page_history(REPOSITORY, None, None, 2) == [last, second]
        assert await rows.journal.page_history(REPOSITORY, None, second.id, 2) == [first]
        assert await rows.journal.page_history(REPOSITORY, V1, None, 9) == [second, first]
        assert await rows.journal.page_history(RepositoryName("none"), None, None, 9) == []
        assert await rows.journal.page_history(None, None, None, 9) == [*await rows.journal.page_events(0, 9)][::-1]
        assert [event.id for event in await rows.journal.page_history(None, None, second.id, 1)] == [second.id - 1]

    run(scenario())


def test_the_event_of_a_time_is_found(rows, history):
    first, _other, second, _last = history

    async def scenario():
        assert await rows.journal.find_last(REPOSITORY, V1, first.time - 1) is None
        assert await rows.journal.find_last(REPOSITORY, V1, first.time) == first
        assert await rows.journal.find_last(REPOSITORY, V1, second.time - 1) == first
        assert await rows.journal.find_last(REPOSITORY, V1, second.time + 99) == second
        assert await rows.journal.find_first(REPOSITORY, V1) == first
        assert await rows.journal.find_first(REPOSITORY, Tag("none")) is None

    run(scenario())


def test_events_are_removed_by_age(rows, history):
    async def scenario():
        assert await rows.journal.begins() is None
        assert await rows.journal.prune(history[2].time, limit=1, restorable=0, size=99, future=9e9) == 1
        assert await rows.journal.prune(history[2].time, limit=9, restorable=0, size=99, future=9e9) == 1
        assert await rows.journal.page_events(0, 9) == history[2:]
        assert await rows.journal.begins() == history[2].time

    run(scenario())


def test_events_are_removed_by_number_unless_they_can_be_undone(rows, history):
    async def scenario():
        assert await rows.journal.prune(0, limit=9, restorable=history[1].time, size=1, future=9e9) == 1
        assert await rows.journal.prune(0, limit=9, restorable=history[3].time + 9, size=2, future=9e9) == 1
        assert await rows.journal.page_events(0, 9) == history[2:]

    run(scenario())


def test_events_of_a_clock_that_was_ahead_are_removed_in_their_turn(rows, clock):
    async def scenario():
        now = clock.time
        for tag, ahead in ((V1, 10**9), (V2, 10**9), (Tag("v3"), 0), (Tag("v4"), 0)):
            clock.time = now + ahead
            await push(rows, OLD, tag)
        kept = {"limit": 2, "restorable": 0, "size": 99}
        assert await rows.journal.prune(now + 50, future=now + 60, **kept) == 0
        assert [event.time for event in await rows.journal.page_events(0, 2)] == [now + 60] * 2
        assert await rows.journal.prune(now + 70, future=now + 120, **kept) == 2
        assert await rows.journal.prune(now + 70, future=now + 120, **kept) == 1

    run(scenario())


def test_the_newest_event_stays_and_no_id_comes_again(rows, history):
    async def scenario():
        assert (
            await rows.journal.prune(history[3].time + 9, limit=9, restorable=history[3].time + 9, size=0, future=9e9)
            == 3
        )
        await push(rows, NEW, V2)
        assert [event.id for event in await rows.journal.page_events(0, 9)] == [4, 5]

    run(scenario())
