"""Undoing over HTTP: with permission, and with a line in the audit log."""

import json
from dataclasses import replace

import pytest

from simple_registry.access.quotas import Quota
from simple_registry.oci.digests import digest_of
from support.access import ADMINS, READWRITE, binding, rules
from support.documents import push_image

APP = "/api/v1/repositories/team/app"
JSON = {"content-type": "application/json"}
RULES = rules(
    binding("ada", ADMINS, ""),
    binding("ruth", ("manifests", "pull restore"), "^team/app(:v.+)?$"),
    binding("push", (READWRITE[0], "pull push delete"), ""),
    binding("some", ("manifests blobs", "pull delete"), "^team/app(:v1)?$"),
    binding("cleaner", ("manifests", "pull delete"), ""),
    users=["ada", "ruth", "push", "some", "cleaner"],
)


@pytest.fixture
def recorded():
    return []


@pytest.fixture
def front(make_front, recorded):
    return make_front(rules=RULES, audit=recorded.append)


@pytest.fixture
def old(front):
    """The digest of an image at v1 and main."""
    data = push_image(front, "team/app", "v1", b"old")
    front.push_manifest("team/app", "main", data)
    return str(digest_of(data))


@pytest.fixture
def new(front, old):
    """The digest of an image that took v1 from the old one."""
    return str(digest_of(push_image(front, "team/app", "v1", b"new")))


def post(front, what, document, *, user="ada", headers=None):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return front.post(f"{APP}/{what}", body=body, headers=JSON | (headers or {}), user=user)


def target(front, tag="v1"):
    return front.get(f"/v2/team/app/manifests/{tag}").header("docker-content-digest")


def lines(recorded, start):
    """Return the events of the audit log after the first `start` lines."""
    return [(line["event"], line["repository"], line.get("reference"), line.get("digest")) for line in recorded[start:]]


def test_a_tag_is_rolled_back(front, old, new, recorded):
    start = len(recorded)
    reply = post(front, "rollback", {"tag": "v1"}, user="ruth")
    assert (reply.status, reply.json) == (200, {"name": "team/app", "tag": "v1", "digest": old, "previous": new})
    assert target(front) == old
    assert lines(recorded, start) == [("tag.rollback", "team/app", "v1", old)]
    assert recorded[start]["previous"] == new
    assert post(front, "rollback", {"tag": "v1", "to": new}).json["digest"] == new
    assert post(front, "rollback", {"tag": "v1", "to": 1}).json["digest"] == old


def test_a_rollback_may_have_a_condition(front, old, new):
    with front.unchanged():
        refused = post(front, "rollback", {"tag": "v1"}, headers={"if-match": f'"{old}"'})
    assert refused.status == 412
    assert post(front, "rollback", {"tag": "v1"}, headers={"if-match": f'"{new}"'}).status == 200


def test_restore_is_no_push(front, old):
    other = str(digest_of(push_image(front, "team/app", "dev", b"other")))
    with front.unchanged():
        for tag in ("v1", "v-new"):
            assert post(front, "rollback", {"tag": tag, "to": other}, user="ruth").status == 404


def test_a_tag_that_a_rollback_creates_counts_for_quotas(front, old):
    front.delete("/v2/team/app/manifests/v1")
    quota = Quota("few", {"tags": 1, "bytes": 1})
    front.access.rules = replace(front.access.rules, quotas=(quota,))
    with front.unchanged():
        refused = post(front, "rollback", {"tag": "v1"})
    assert (refused.status, refused.json["errors"][0]["detail"]["measure"]) == (403, "tags")
    front.delete("/v2/team/app/manifests/main")
    assert post(front, "rollback", {"tag": "v1"}).status == 200


def test_a_deleted_tag_is_restored(front, old, recorded):
    front.delete("/v2/team/app/manifests/v1")
    start = len(recorded)
    reply = post(front, "restore", {"tag": "v1"}, user="ruth")
    assert reply.json == {"name": "team/app", "manifests": [], "tags": ["v1"], "elsewhere": [], "gone": []}
    assert target(front) == old
    assert lines(recorded, start) == [("tag.restore", "team/app", "v1", None)]
    assert post(front, "restore", {"tag": "v1"}).codes == ["MANIFEST_UNKNOWN"]


def test_a_deleted_manifest_is_restored_with_its_tags(front, old, recorded):
    front.delete(f"/v2/team/app/manifests/{old}")
    start = len(recorded)
    reply = post(front, "restore", {"digest": old})
    assert (reply.json["manifests"], reply.json["tags"]) == ([old], ["main", "v1"])
    assert lines(recorded, start) == [
        ("manifest.restore", "team/app", None, old),
        ("tag.restore", "team/app", "main", None),
        ("tag.restore", "team/app", "v1", None),
    ]


def test_a_repository_is_deleted_and_restored(front, old, recorded):
    start = len(recorded)
    assert front.delete(APP, user="ada").status == 202
    assert target(front) is None
    assert front.delete(APP, user="ada").codes == ["NAME_UNKNOWN"]
    assert post(front, "restore", {}).json["tags"] == ["main", "v1"]
    assert target(front) == old
    assert lines(recorded, start) == [
        ("repository.delete", "team/app", None, None),
        ("repository.restore", "team/app", None, None),
    ]


@pytest.mark.parametrize("user", ["push", "some"])
def test_no_other_verb_undoes(front, old, new, user):
    front.delete("/v2/team/app/manifests/main")
    with front.unchanged():
        assert post(front, "rollback", {"tag": "v1"}, user=user).status == 403
        assert post(front, "restore", {"tag": "main"}, user=user).status == 403


def test_each_tag_needs_permission_and_the_refusal_names_none(front, old):
    front.delete(f"/v2/team/app/manifests/{old}")
    with front.unchanged():
        for document in ({"digest": old}, {"tag": "main"}):
            assert post(front, "restore", document, user="ruth").status == 403
        assert "main" not in str(post(front, "restore", {"digest": old}, user="ruth").json)
        assert post(front, "rollback", {"tag": "main"}, user="ruth").status == 403


def test_a_repository_with_a_tag_that_the_caller_may_not_delete_stays(front, old):
    with front.unchanged():
        reply = front.delete(APP, user="some")
    assert reply.status == 403
    assert "main" not in str(reply.json)
    front.delete("/v2/team/app/manifests/main")
    assert front.delete(APP, user="some").status == 202


def test_a_repository_is_not_deleted_without_permission_for_its_blobs(front, old):
    with front.unchanged():
        assert front.delete(APP, user="cleaner").status == 403


@pytest.mark.parametrize(
    ("what", "document", "status"),
    [
        ("rollback", {}, 400),
        ("rollback", {"tag": "v1", "to": "yesterday"}, 400),
        ("rollback", {"tag": "v1", "too": 1}, 400),
        ("rollback", {"tag": "v1", "to": 2**63}, 400),
        ("rollback", {"tag": "v1", "to": 2**70}, 400),
        ("rollback", {"tag": "v1", "to": -1}, 400),
        ("rollback", {"tag": "v1", "to": 2**63 - 1}, 404),
        ("rollback", {"tag": ":"}, 400),
        ("rollback", {"tag": "none"}, 404),
        ("restore", {"tag": "v1", "digest": f"sha256:{'0' * 64}"}, 400),
        ("restore", {"digest": "sha256:x"}, 400),
        ("restore", {"digest": f"sha256:{'0' * 64}"}, 404),
        ("restore", {}, 404),
        ("restore", b"\xff", 400),
        ("restore", b"{" * 2000, 400),
        ("restore", b" " * (64 * 1024 + 1), 413),
    ],
)
def test_a_wrong_request_changes_nothing(front, old, what, document, status):
    with front.unchanged():
        assert post(front, what, document).status == status


def test_a_document_must_say_that_it_is_json(front, old):
    with front.unchanged():
        assert front.post(f"{APP}/restore", body=b"{}", headers={"content-type": "text/plain"}).status == 415
