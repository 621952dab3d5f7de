"""The collector: it removes what nothing needs after the grace, and nothing else."""

import pytest

from simple_registry.access.scopes import ScopePattern
from simple_registry.config.settings import GarbageCollection, Settings
from simple_registry.oci.digests import digest_of
from simple_registry.operations import collection as module
from simple_registry.operations.collection import EARLIEST, Swept
from simple_registry.operations.garbage import UNKNOWN_SESSION_LIFE, Collected
from simple_registry.storage.records import ContentRecord, Received
from support.access import READWRITE, binding, rules
from support.documents import CONFIG, encode, image, push_image
from support.streams import stream_of

HOUR = 3600.0
GRACE = 24 * HOUR
DATA = b"some content"
DIGEST = digest_of(DATA)


@pytest.fixture
def collect(front):
    return lambda: front.run(front.services.garbage.collect())


def kept(front, data):
    return front.run(front.kept.stores.content.has(ContentRecord(digest_of(data), len(data))))


def test_content_without_holdings_is_removed_after_the_grace_and_not_before(front, collect, clock):
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{DIGEST}")
    clock.advance(GRACE - 1)
    assert collect().contents == 0
    assert kept(front, DATA)
    clock.advance(2)
    assert collect().contents == 1
    assert not kept(front, DATA)


def test_short_space_ends_nothing_within_an_hour(front, collect, clock, monkeypatch):
    monkeypatch.setattr(front.services.garbage._collection, "_lacks_space", lambda: True)
    front.push_blob("a", DATA)
    clock.advance(EARLIEST - 1)
    assert collect().contents == 0
    assert kept(front, DATA)
    clock.advance(2)
    assert collect().swept.early == 1
    assert not kept(front, DATA)


def test_held_content_stays(front, collect, clock):
    front.push_blob("a", DATA)
    push_image(front, "a/b", "v1", DATA)
    front.delete(f"/v2/a/blobs/{DIGEST}")
    clock.advance(10 * GRACE)
    assert collect().contents == 0
    assert front.get(f"/v2/a/b/blobs/{DIGEST}").body == DATA


@pytest.mark.parametrize("again", ["push", "mount"])
def test_content_held_again_within_the_grace_stays(front, collect, clock, again):
    front.push_blob("other", DATA)
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{DIGEST}")
    if again == "push":
        front.delete(f"/v2/other/blobs/{DIGEST}")
        clock.advance(GRACE + 1)
        front.push_blob("b", DATA)
    else:
        clock.advance(GRACE + 1)
        assert front.post(f"/v2/b/blobs/uploads/?mount={DIGEST}&from=other").status == 201
        front.delete(f"/v2/other/blobs/{DIGEST}")
    clock.advance(GRACE - 1)
    assert collect().contents == 0
    assert front.get(f"/v2/b/blobs/{DIGEST}").body == DATA


def test_a_deleted_image_is_removed_with_its_blobs_and_its_repository(front, collect, clock):
    data = push_image(front, "a", "v1", DATA)
    push_image(front, "b", "v1", b"other")
    front.delete(f"/v2/a/manifests/{digest_of(data)}")
    clock.advance(GRACE - 1)
    assert collect().contents == 0
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == DATA
    clock.advance(2)
    assert collect().contents == 2
    assert not any(kept(front, each) for each in (data, DATA))
    assert kept(front, CONFIG)
    assert front.get("/v2/a/tags/list").status == 404


def test_blobs_that_no_manifest_ever_needed_are_removed_after_the_grace(front, collect, clock):
    front.push_blob("a", DATA)
    clock.advance(GRACE - 1)
    assert front.head(f"/v2/a/blobs/{DIGEST}").status == 200
    clock.advance(GRACE - 1)
    assert collect().contents == 0
    clock.advance(2)
    assert collect().contents == 1
    assert not kept(front, DATA)


def test_a_manifest_whose_tag_was_deleted_stays(front, collect, clock):
    data = push_image(front, "a", "v1")
    front.delete("/v2/a/manifests/v1")
    clock.advance(10 * GRACE)
    assert collect().contents == 0
    assert front.get(f"/v2/a/manifests/{digest_of(data)}").body == data


def test_a_mount_of_collected_content_is_a_session(front, collect, clock):
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{DIGEST}")
    clock.advance(GRACE + 1)
    collect()
    assert front.post(f"/v2/b/blobs/uploads/?mount={DIGEST}&from=a").status == 202


def test_collected_content_can_be_pushed_again(front, collect, clock):
    data = push_image(front, "a", "v1", DATA)
    for path in (f"manifests/{digest_of(data)}", f"blobs/{DIGEST}", f"blobs/{digest_of(CONFIG)}"):
        assert front.delete(f"/v2/a/{path}").status == 202
    clock.advance(GRACE + 1)
    assert collect().contents == 3
    assert push_image(front, "a", "v1", DATA) == data == encode(image(DATA))
    assert front.get("/v2/a/manifests/v1").body == data


def test_one_round_collects_all_in_batches(front, collect, clock, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    for number in range(7):
        front.delete(f"/v2/a/blobs/{front.push_blob('a', bytes([number]))}")
    clock.advance(GRACE + 1)
    assert [collect().contents for _ in range(2)] == [7, 0]


def test_manifests_without_a_tag_stay_unless_the_setting_says_otherwise(make_front, clock):
    for delete_untagged in (False, True):
        collecting = GarbageCollection(
            delete_untagged=delete_untagged, untagged_older_than=HOUR, keep_untagged=(ScopePattern("^cache/"),)
        )
        front = make_front(Settings(garbage_collection=collecting))
        for repository in ("a", "cache/b"):
            data = push_image(front, repository, "v1")
            front.delete(f"/v2/{repository}/manifests/v1")
        for wait in (HOUR, HOUR + GRACE):
            clock.advance(wait + 1)
            front.run(front.services.garbage.collect())
        found = [front.get(f"/v2/{name}/manifests/{digest_of(data)}").status for name in ("a", "cache/b")]
        assert found == [404 if delete_untagged else 200, 200]


def test_idle_sessions_are_ended(front, collect, clock):
    location = front.open_session("a")
    front.patch(location, body=DATA)
    clock.advance(24 * 3600 - 1)
    assert collect().sessions == 0
    clock.advance(2)
    assert collect().sessions == 1
    assert front.get(location).status == 404


def test_sessions_of_a_removed_user_end_after_an_hour(make_front, clock):
    front = make_front(rules=rules(binding("bob", READWRITE, ""), users=["bob"]))
    theirs = front.post("/v2/a/blobs/uploads/", user="bob").location
    front.patch(theirs, body=DATA, user="bob")
    ours = front.open_session("a")
    front.access.rules = rules()
    clock.advance(UNKNOWN_SESSION_LIFE - 1)
    assert front.run(front.services.garbage.collect()).sessions == 0
    clock.advance(2)
    assert front.run(front.services.garbage.collect()).sessions == 1
    front.access.rules = rules(binding("bob", READWRITE, ""), users=["bob"])
    assert front.get(theirs, user="bob").status == 404
    assert front.get(ours).status == 204
    assert front.run(front.kept.stores.rows.sessions.count_sessions()) == 1


# ---------------------------------------------------------------- jumps of the clock

DAY = 24 * 3600.0


@pytest.mark.parametrize("jump", [2 * GRACE, 3 * DAY, 50 * 365 * DAY])
def test_a_clock_set_forward_ends_no_session(front, collect, clock, jump):
    location = front.open_session("a")
    front.patch(location, body=DATA)
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{DIGEST}")
    front.run(_abandon(front, b"bytes of a request under way"))
    clock.jump(jump)
    assert collect() == Collected(0, 0, Swept())
    assert front.get(location).status == 204
    assert kept(front, DATA)
    clock.advance(2 * DAY)
    assert collect().contents == 1
    assert front.get(location).status == 404


def test_a_clock_set_forward_removes_no_token(front, collect, clock):
    token = front.run(front.services.registry.tokens.create("ada", "", expires=clock.now() + DAY, scopes=None))[0]
    clock.jump(10 * DAY)
    collect()
    assert front.run(front.kept.stores.rows.tokens.find_token_by_id(token.token_id)) is not None


def test_rows_dated_in_the_future_age_from_now_on(front, collect, clock):
    clock.jump(3650 * DAY)
    location = front.open_session("a")
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{DIGEST}")
    clock.jump(-3650 * DAY)
    assert collect() == Collected(0, 0, Swept())
    assert front.get(location).status == 204
    clock.advance(2 * DAY)
    assert collect().contents == 1
    assert front.get(location).status == 404


async def _abandon(front, data):
    """Leave bytes that no session owns."""
    await front.kept.stores.uploads.extend("nobody", Received(), "sha256", stream_of(data))


def test_bytes_that_are_being_written_are_not_abandoned(front, clock):
    front.run(_abandon(front, b"bytes"))

    async def expire_while_they_are_written():
        async with front.kept.stores.rows.sessions.hold("nobody"):
            return await expire()

    def expire():
        return front.services.registry.uploads.expire(4e9, known=bool, unknown_before=0.0)

    assert front.run(expire_while_they_are_written()) == 0
    assert front.run(expire()) == 1
