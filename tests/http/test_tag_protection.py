"""Protected tags, as clients meet them: who is refused, when, and in which words."""

from dataclasses import replace

import pytest

from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import TagProtection
from simple_registry.oci.digests import digest_of
from support.access import ADMINS, READWRITE, binding, rules
from support.documents import encode, image, push_image

RELEASES = TagProtection("releases", (ScopePattern("^team/.+:v"),), users=frozenset({"ops"}))
PEOPLE = rules(
    binding("ada", ADMINS, "^team/"),
    binding("ops", ADMINS, "^team/"),
    binding("eve", READWRITE, "^dev/"),
    users=["ada", "ops", "eve"],
)
MANIFESTS = "/v2/team/app/manifests"


@pytest.fixture
def front(make_front):
    front = make_front(rules=replace(PEOPLE, protections=(RELEASES,)))
    push_image(front, "team/app", "v1", b"old", annotations={"a": "old"})
    return front


@pytest.fixture
def old(front):
    return front.get(f"{MANIFESTS}/v1").body


@pytest.fixture
def new(front):
    """A manifest that is not pushed yet, of parts that are."""
    front.push_blob("team/app", b"new")
    return encode(image(b"new"))


def put(front, reference, data, **how):
    headers = {"content-type": "application/vnd.oci.image.manifest.v1+json"} | how.pop("headers", {})
    return front.put(f"{MANIFESTS}/{reference}", body=data, headers=headers, **how)


def refused(reply, change):
    (error,) = reply.json["errors"]
    assert (reply.status, error["code"], error["detail"]) == (409, "DENIED", {"tag": "v1", "rule": "releases"})
    return error["message"] == f"the tag v1 is protected by the rule releases: it cannot be {change}"


def test_a_protected_tag_is_not_moved_by_any_push(front, old, new):
    with front.unchanged():
        assert refused(put(front, "v1", new, user="ada"), "moved")
        assert refused(put(front, f"{digest_of(new)}?tag=main&tag=v1", new, user="ada"), "moved")
    assert front.get(f"{MANIFESTS}/v1").body == old


def test_the_administrator_is_no_exception_but_those_that_the_rule_names(front, new):
    assert refused(put(front, "v1", new), "moved")
    assert put(front, "v1", new, user="ops").status == 201


def test_a_push_of_what_is_there_is_fine(front, old):
    assert put(front, "v1", old, user="ada").status == 201
    assert put(front, f"{digest_of(old)}?tag=v1&tag=v2", old, user="ada").status == 201


def test_other_tags_move(front, old, new):
    assert put(front, "main", old, user="ada").status == 201
    assert put(front, "main", new, user="ada").status == 201


def test_neither_the_tag_nor_its_manifest_is_deleted(front, old):
    with front.unchanged():
        assert refused(front.delete(f"{MANIFESTS}/v1", user="ada"), "deleted")
        assert refused(front.delete(f"{MANIFESTS}/{digest_of(old)}", user="ada"), "deleted")
    assert front.delete(f"{MANIFESTS}/v1", user="ops").status == 202


def test_permission_comes_first_and_the_precondition_second(front, new):
    absent = {"if-none-match": "*"}
    assert put(front, "v1", new, user="eve").status == 403
    assert put(front, "v1", new, user="ada", headers=absent).status == 412
    assert front.delete(f"{MANIFESTS}/v1", user="ada", headers={"if-match": f'"{digest_of(new)}"'}).status == 412
    assert refused(put(front, "v1", encode(image(b"missing")), user="ada"), "moved")


def test_a_reload_takes_effect_at_once(front, new):
    front.access.rules = PEOPLE
    assert put(front, "v1", new, user="ada").status == 201


def test_of_pushes_that_come_together_one_sets_a_new_tag(front):
    manifests = [encode(image(annotations={"number": str(number)})) for number in range(8)]
    kind = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
    sent = (front.send("PUT", f"{MANIFESTS}/v2", body=data, headers=kind, user="ada") for data in manifests)
    statuses = [reply.status for reply in front.together(*sent)]
    assert sorted(statuses) == [201, *[409] * 7]
    assert front.get(f"{MANIFESTS}/v2").body == manifests[statuses.index(201)]


def test_a_rollback_is_a_move_and_a_restoration_is_none(front, new):
    path, kind = "/api/v1/repositories/team/app", {"content-type": "application/json"}
    assert put(front, "v1", new, user="ops").status == 201
    assert refused(front.post(f"{path}/rollback", body=b'{"tag": "v1"}', headers=kind, user="ada"), "moved")
    assert refused(front.delete(path, user="ada"), "deleted")
    assert front.get(f"{MANIFESTS}/v1").body == new
    assert front.delete(f"{MANIFESTS}/v1", user="ops").status == 202
    assert front.post(f"{path}/restore", body=b'{"tag": "v1"}', headers=kind, user="ada").status == 200
    assert front.get(f"{MANIFESTS}/v1").body == new
