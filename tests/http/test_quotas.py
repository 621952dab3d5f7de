"""Pushes that a quota refuses, as clients see them."""

from dataclasses import replace

import pytest

from simple_registry.access.caller import Identity
from simple_registry.access.quotas import Per, Quota
from simple_registry.access.scopes import ScopePattern
from simple_registry.http.quotas import allowances_of
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.quotas import Measure, OfIdentity, OfRepositories, OfRepository
from support.documents import encode, image

LAYER, CONFIG = bytes(1000), b"{}"
UPLOADS = "/v2/team/app/blobs/uploads/"


@pytest.fixture
def limit(front):
    """Return a function that puts a quota in force."""

    def put(per=Per.REPOSITORY, **limits):
        quota = Quota("team", limits, per, scopes=(ScopePattern("^team/"),))
        front.access.rules = replace(front.access.rules, quotas=(quota,))

    return put


def is_refused(reply, needs, used=0, limit=1500):
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"]) == (403, "DENIED")
    assert error["detail"] == {"quota": "team", "measure": "bytes", "limit": limit, "used": used, "needs": needs}
    assert error["message"].startswith('quota "team": ')
    return True


def usage(front, name="team/app"):
    return front.run(front.kept.stores.rows.usage.find_usage(RepositoryName(name)))


@pytest.mark.parametrize(
    ("per", "account"),
    [
        (Per.REPOSITORY, OfRepository(RepositoryName("team/app"))),
        (Per.ALL, OfRepositories(("^team/",), bool)),
        (Per.USER, OfIdentity("ada")),
    ],
)
def test_a_quota_counts_what_it_is_per(per, account):
    quotas = [
        Quota("a", {"bytes": 5}, per, scopes=(ScopePattern("^team/"),), warn_at=0.5),
        Quota("b", {"bytes": 5}, per, scopes=(ScopePattern("^other/"),)),
    ]
    (allowance,) = allowances_of(quotas, Identity("ada"), RepositoryName("team/app"))
    assert (allowance.quota, allowance.account, allowance.limits) == ("a", account, {Measure.BYTES: 5})
    assert allowance.warn_at == 0.5


def test_an_announced_blob_that_does_not_fit_is_refused_unread(front, limit):
    limit(bytes=999)
    location = front.open_session("team/app")
    with front.unchanged():
        for reply in (
            front.patch(location, body=LAYER),
            front.post(f"{UPLOADS}?digest={digest_of(LAYER)}", body=LAYER),
        ):
            assert is_refused(reply, 1000, limit=999)
            assert reply.taken == 0
    reply = front.put(f"{location}?digest={digest_of(LAYER)}", body=LAYER)
    assert is_refused(reply, 1000, limit=999)
    assert reply.taken == 0
    assert front.get(location).status == 404


def test_an_unannounced_blob_is_refused_where_the_room_ends(front, limit):
    limit(bytes=999)
    location = front.open_session("team/app")
    with front.unchanged():
        assert is_refused(front.patch(location, body=[LAYER[:600], LAYER[600:], LAYER]), 1000, limit=999)
    assert front.get(location).header("range") == "0-0"


def test_chunks_count_together(front, limit):
    limit(bytes=999)
    location = front.open_session("team/app")
    assert front.patch(location, body=LAYER[:600]).status == 202
    assert is_refused(front.patch(location, body=LAYER[600:]), 1000, limit=999)


def test_no_session_begins_without_room(front, limit):
    front.push_blob("team/app", LAYER)
    limit(bytes=1000)
    with front.unchanged():
        assert is_refused(front.post(UPLOADS), 1, used=1000, limit=1000)


def test_what_the_repository_holds_costs_nothing(front, limit):
    front.push_blob("team/app", LAYER)
    front.push_blob("team/app", CONFIG)
    data = encode(image(CONFIG, LAYER))
    front.push_manifest("team/app", "v1", data)
    limit(bytes=1, tags=1, manifests=1)
    front.push_blob("team/app", LAYER)
    front.push_manifest("team/app", "v1", data)


def test_what_was_deleted_is_not_kept_for_free(front, limit):
    limit(bytes=1500)
    digest = front.push_blob("team/app", LAYER)
    front.push_blob("team/app", CONFIG)
    manifest = front.push_manifest("team/app", "v1", encode(image(LAYER)))
    assert front.delete(f"/v2/team/app/manifests/{manifest}").status == 202
    assert usage(front).bytes == 0
    front.clock.advance(3600)
    assert front.head(f"/v2/team/app/blobs/{digest}").status == 200
    assert usage(front).bytes == len(LAYER)
    other = bytes(600)
    reply = front.post(f"{UPLOADS}?digest={digest_of(other)}", body=other)
    assert is_refused(reply, 600, used=1000)


def test_a_push_of_a_released_blob_must_fit(front, limit):
    front.push_blob("team/app", LAYER)
    front.push_blob("team/app", CONFIG)
    manifest = front.push_manifest("team/app", "v1", encode(image(LAYER)))
    assert front.delete(f"/v2/team/app/manifests/{manifest}").status == 202
    limit(bytes=999)
    reply = front.post(f"{UPLOADS}?digest={digest_of(LAYER)}", body=LAYER)
    assert is_refused(reply, 1000, limit=999)
    assert usage(front).bytes == 0


def test_of_two_pushes_that_fit_alone_one_is_refused(front, limit):
    limit(bytes=1500)
    blobs = [bytes(1000), b"x" * 1000]
    locations = [front.open_session("team/app") for _ in blobs]
    for location, blob in zip(locations, blobs, strict=True):
        assert front.patch(location, body=blob).status == 202
    replies = front.together(
        *(
            front.send("PUT", f"{location}?digest={digest_of(blob)}")
            for location, blob in zip(locations, blobs, strict=True)
        )
    )
    assert sorted(reply.status for reply in replies) == [201, 403]
    refused = next(number for number, reply in enumerate(replies) if reply.status == 403)
    assert is_refused(replies[refused], 1000, used=1000)
    assert usage(front).bytes == 1000
    assert front.get(locations[refused]).status == 404  # the bytes of its session are gone


def test_a_mount_counts(front, limit):
    front.push_blob("other", LAYER)
    limit(bytes=999)
    with front.unchanged():
        reply = front.post(f"{UPLOADS}?mount={digest_of(LAYER)}&from=other")
        assert is_refused(reply, 1000, limit=999)


def test_a_manifest_that_does_not_fit_is_refused_with_its_tags(front, limit):
    front.push_blob("team/app", LAYER)
    front.push_blob("team/app", CONFIG)
    limit(tags=1)
    data = encode(image(CONFIG, LAYER))
    kind = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
    reply = front.put(f"/v2/team/app/manifests/{digest_of(data)}?tag=a&tag=b", body=data, headers=kind)
    assert (reply.status, reply.codes) == (403, ["DENIED"])
    assert reply.json["errors"][0]["message"] == 'quota "team": 0 of 1 tags used, this push needs 2 more'
    assert front.get("/v2/team/app/tags/list").codes == ["NAME_UNKNOWN"]
    assert front.put("/v2/team/app/manifests/a", body=data, headers=kind).status == 201


def test_a_quota_of_all_counts_every_repository_it_reaches(front, limit):
    front.push_blob("team/one", LAYER)
    front.push_blob("elsewhere", LAYER)
    limit(Per.ALL, bytes=1500)
    assert is_refused(front.post(f"{UPLOADS}?digest={digest_of(LAYER)}", body=LAYER), 1000, used=1000)
    assert front.post(f"/v2/elsewhere/blobs/uploads/?digest={digest_of(CONFIG)}", body=CONFIG).status == 201


def test_a_quota_per_user_counts_what_the_user_pushed(front, limit):
    front.push_blob("elsewhere", LAYER)
    limit(Per.USER, bytes=1500)
    assert is_refused(front.post(f"{UPLOADS}?digest={digest_of(CONFIG * 300)}", body=CONFIG * 300), 600, used=1000)
