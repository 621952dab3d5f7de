"""Whatever is done to rows, the store in memory and the one in SQLite answer alike."""

import asyncio
from functools import partial

from hypothesis import HealthCheck, given, settings, strategies as st

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.quotas import Allowance, Measure, OfIdentity, OfRepositories, OfRepository
from simple_registry.storage.records import Actor, ContentRecord, DescribedPart, JournalAction, Part, Place, TokenRow
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate
from storage.support import ManualClock, manifest_of, mark_damaged
from support.actors import ACTOR
from support.memory.rows import MemoryRows

REPOSITORIES = st.sampled_from([RepositoryName(name) for name in ("a", "a/b", "b")])
DATA = [b"0", b"1", b"2", b"3"]
DIGESTS = st.sampled_from([digest_of(data) for data in DATA])
BLOBS = st.sampled_from([ContentRecord(digest_of(data), len(data)) for data in DATA])
TAGS = st.sampled_from([Tag(tag) for tag in ("A", "a", "b")])
MANIFESTS = st.builds(
    manifest_of,
    st.sampled_from(DATA),
    subject=st.none() | DIGESTS,
    artifact_type=st.sampled_from([None, "application/x", "application/y"]),
    children=st.lists(DIGESTS, max_size=2).map(tuple),
)
PARTS = st.lists(
    st.builds(
        DescribedPart,
        st.sampled_from(Part),
        st.builds(ContentRecord, DIGESTS, st.sampled_from([1, 1, 1, 2])),
        st.booleans(),
    ),
    max_size=2,
)
PRECONDITIONS = st.just(UNCONDITIONAL) | st.builds(
    Precondition,
    exists=st.booleans(),
    one_of=st.none() | st.frozensets(DIGESTS, max_size=2),
    absent=st.booleans(),
    none_of=st.frozensets(DIGESTS, max_size=1),
)
TOKENS = st.builds(
    lambda number, owner, expires: TokenRow(f"{number}", bytes([number]), owner, "", 1.0, expires, None),
    st.integers(0, 3),
    st.sampled_from(["alice", "bob"]),
    st.sampled_from([None, 1.0, 2.0]),
)
REMOVALS = st.sampled_from([0, 0, 1, None])
EVENTS = st.sampled_from([HoldingEvent.ASKED, HoldingEvent.SEEN, HoldingEvent.RESTORED])

OWNERS = st.sampled_from(["alice", "bob"])
LIMITS = st.dictionaries(st.sampled_from(Measure), st.integers(0, 3))
ACCOUNTS = (
    st.builds(OfRepository, REPOSITORIES)
    | st.builds(OfIdentity, OWNERS)
    | st.just(OfRepositories("all of a", lambda name: name.startswith("a")))
)
ALLOWANCES = st.just([]) | st.lists(st.builds(Allowance, st.just("team"), ACCOUNTS, LIMITS), max_size=2)

STEPS = st.one_of(
    st.tuples(st.just("add_blob"), REPOSITORIES, BLOBS, REMOVALS, OWNERS, ALLOWANCES),
    st.tuples(st.just("mount_blob"), REPOSITORIES, DIGESTS, REPOSITORIES, OWNERS, ALLOWANCES),
    st.tuples(st.just("remove_blob"), REPOSITORIES, DIGESTS, PRECONDITIONS),
    st.tuples(
        st.just("put_manifest"),
        REPOSITORIES,
        MANIFESTS,
        st.lists(TAGS, max_size=2),
        PARTS,
        REMOVALS,
        PRECONDITIONS,
        OWNERS,
        ALLOWANCES,
    ),
    st.tuples(st.just("point_tag"), REPOSITORIES, TAGS, DIGESTS, PRECONDITIONS),
    st.tuples(
        st.just("restore"), REPOSITORIES, st.lists(DIGESTS, max_size=2), st.dictionaries(TAGS, DIGESTS, max_size=2)
    ),
    st.tuples(st.just("remove_repository"), REPOSITORIES),
    st.tuples(st.just("restore_repository"), REPOSITORIES),
    st.tuples(st.just("remove_manifest"), REPOSITORIES, DIGESTS, st.none() | st.lists(TAGS, max_size=2), PRECONDITIONS),
    st.tuples(st.just("remove_tag"), REPOSITORIES, TAGS, PRECONDITIONS),
    st.tuples(st.just("renew_blob"), REPOSITORIES, DIGESTS, EVENTS),
    st.tuples(st.just("mark_damaged"), BLOBS),
    st.tuples(st.just("end_holdings"), st.integers(-2, 2)),
    st.tuples(st.just("forget")),
    st.tuples(st.just("add_token"), TOKENS),
    st.tuples(st.just("remove_token"), st.sampled_from("0123")),
    st.tuples(st.just("touch_token"), st.sampled_from("0123"), st.sampled_from([1.0, 2.0])),
    st.tuples(st.just("remove_expired_tokens"), st.sampled_from([1.5, 2.5])),
)

STORES = {
    "remove_tag": "tags",
    "mount_blob": "blobs",
    **dict.fromkeys(("remove_blob", "renew_blob"), "blobs"),
    **dict.fromkeys(("remove_token", "touch_token", "remove_expired_tokens"), "tokens"),
}


async def counted(store, removals):
    """Return the number of removals, or an earlier one."""
    return await store.contents.removals() - (removals or 0)


async def point_tag(store, repository, tag, digest, precondition):
    action = JournalAction.TAG_ROLLBACK
    return await store.undo.point_tag(repository, tag, digest, action=action, actor=ACTOR, precondition=precondition)


async def restore(store, repository, digests, tags):
    deletions = [await store.undo.find_deletion(repository, digest) for digest in digests]
    known = [deletion for deletion in deletions if deletion is not None]
    return known and await store.undo.restore(repository, digests, tags, deletion=known[0], actor=ACTOR)


async def remove_repository(store, repository):
    return await store.undo.remove_repository(
        repository, tags=await store.tags.page_tags(repository, None, 9), actor=ACTOR
    )


async def restore_repository(store, repository):
    deletion = await store.undo.find_deletion(repository, None)
    if deletion is None:
        return None
    events = await store.undo.find_parts_of(deletion)
    tags = {event.tag: event.before for event in events if event.tag}
    digests = [event.before for event in events if not event.tag]
    return await store.undo.restore(repository, digests, tags, deletion=deletion, actor=ACTOR)


UNDO = {
    "point_tag": point_tag,
    "restore": restore,
    "remove_repository": remove_repository,
    "restore_repository": restore_repository,
}


async def take(store, step, clock):
    name, *arguments = step
    if name == "add_blob":
        repository, blob, removals, owner, allowances = arguments
        return await store.blobs.add_blob(
            repository, blob, removals=await counted(store, removals), actor=Actor(owner), allowances=allowances
        )
    if name == "put_manifest":
        repository, manifest, tags, parts, removals, precondition, owner, allowances = arguments
        return await store.manifests.put_manifest(
            repository,
            manifest,
            place=None if removals is None else Place(""),
            removals=await counted(store, removals),
            tags=tags,
            parts=parts,
            precondition=precondition,
            actor=Actor(owner),
            allowances=allowances,
        )
    if name in {"remove_tag", "remove_blob"}:
        repository, reference, precondition = arguments
        remove = getattr(getattr(store, STORES[name]), name)
        return await remove(repository, reference, precondition=precondition, actor=ACTOR)
    if name == "remove_manifest":
        repository, digest, tags, precondition = arguments
        given = await store.tags.tags_of(repository, digest) if tags is None else tags
        return await store.manifests.remove_manifest(
            repository, digest, tags=given, precondition=precondition, actor=ACTOR
        )
    if name == "add_token":
        (row,) = arguments
        return await store.tokens.find_token_by_id(row.token_id) is None and await store.tokens.add_token(row, limit=2)
    if name == "end_holdings":
        return await store.garbage.end_holdings(clock.time - arguments[0], 9)
    if name == "forget":
        return await store.garbage.forget(await store.garbage.page_condemned(None, 1))
    of_store = UNDO | {"mark_damaged": mark_damaged}
    act = partial(of_store[name], store) if name in of_store else getattr(getattr(store, STORES[name]), name)
    if name == "mount_blob":
        *arguments, owner, allowances = arguments
        act = partial(act, actor=Actor(owner), allowances=allowances)
    return await act(*arguments)


async def everything(store, clock):
    """Everything that can be read."""
    repositories = ["a", "a/b", "b"]
    digests = [digest_of(data) for data in DATA]
    return {
        "repositories": list(await store.repositories.page_repositories(None, 9)),
        "listed": [await store.repositories.is_listed(name) for name in repositories],
        "contents": [await store.contents.find_content(digest) for digest in digests],
        "condemned": sorted(await store.garbage.page_condemned(None, 99), key=lambda record: record.digest),
        "journal": list(await store.journal.page_events(0, 999)),
        "dated": [await store.garbage.is_dated_after(clock.time - age) for age in range(1, 4)],
        "usage": await store.usage.page_usage(None, 9),
        "largest": await store.usage.largest_usage(2),
        "total": await store.usage.total_usage(),
        "identities": [await store.usage.amounts(OfIdentity(name)) for name in ("alice", "bob")],
        "held": [await store.keepers.held_by(name) for name in repositories],
        "tokens": [list(await store.tokens.page_tokens(owner, None, 9)) for owner in (None, "alice", "bob")],
        "holders": [list(await store.blobs.page_holders(digest, None, 9)) for digest in digests],
        "tags": [list(await store.tags.page_tags(name, None, 9)) for name in repositories],
        "blobs": [await store.blobs.find_blob(name, digest) for name in repositories for digest in digests],
        "manifests": [await store.manifests.find_manifest(name, digest) for name in repositories for digest in digests],
        "tags of": [list(await store.tags.tags_of(name, digest)) for name in repositories for digest in digests],
        "referrers": [
            await store.manifests.page_referrers(name, digest, artifact_type=kind, after=None, size=9999)
            for name in repositories
            for digest in digests
            for kind in (None, "application/x")
        ],
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_both_stores_answer_alike(tmp_path_factory, steps):
    path = str(tmp_path_factory.mktemp("rows") / "registry.db")
    migrate(path)
    clock = ManualClock()

    async def scenario():
        memory, sqlite = MemoryRows(clock).rows, rows_of(Database(path), clock)
        try:
            for step in steps:
                clock.time += 1
                assert await take(memory, step, clock) == await take(sqlite, step, clock)
                assert await everything(memory, clock) == await everything(sqlite, clock)
        finally:
            await sqlite.close()

    asyncio.run(scenario())
