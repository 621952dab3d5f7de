"""The endpoints that are about the registry itself."""

from dataclasses import replace

import pytest

from simple_registry.access.policy import Allowed, Refused
from simple_registry.faults import StorageFault
from support.access import READONLY, binding, decided_by, rules
from support.documents import push_image, push_tags
from support.front import Front
from support.stores import in_memory


def test_base_answers_valid_credentials(front):
    reply = front.get("/v2/")
    assert (reply.status, reply.json) == (200, {})
    assert reply.header("docker-distribution-api-version") == "registry/2.0"
    assert reply.header("content-type") == "application/json"


def test_base_answers_with_and_without_the_slash(memory_front):
    assert memory_front.get("/v2").status == 200


def test_the_base_challenges_clients_without_credentials(memory_front):
    reply = memory_front.get("/v2/", user=None)
    assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
    assert reply.header("www-authenticate") == 'Basic realm="simple-registry"'


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_asks_for_no_credentials(front, path):
    assert front.get(path, user=None).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_reveals_nothing_about_content(front, path):
    before = front.get(path, user=None).body
    push_image(front, "team/app", "v1")
    assert front.get(path, user=None).body == before


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v2/", "/v2/_catalog"])
def test_head_equals_get(front, path):
    push_image(front, "team/app", "v1")
    got, head = front.get(path), front.head(path)
    assert (head.status, head.stable_headers) == (got.status, got.stable_headers)


def test_readiness_fails_when_the_stores_do_and_health_does_not(clock):
    kept = in_memory(clock)

    def broken():
        raise StorageFault("read rows", "the disk is gone")

    stores = replace(kept.stores, rows=replace(kept.stores.rows, check=broken))
    with Front(replace(kept, stores=stores), clock) as front:
        reply = front.get("/readyz", user=None)
        assert (reply.status, reply.header("retry-after")) == (503, "1")
        assert b"disk" not in reply.body
        assert front.get("/healthz", user=None).status == 200


def test_catalog_lists_repositories_with_manifests_in_order(front):
    for repository in ("b", "a/b", "a", "a-b"):
        push_image(front, repository, "v1")
    front.push_blob("blobs/only", b"no manifest here")
    assert front.get("/v2/_catalog").json == {"repositories": ["a", "a-b", "a/b", "b"]}


def test_catalog_of_an_empty_registry_is_an_empty_list(front):
    reply = front.get("/v2/_catalog")
    assert (reply.status, reply.json) == (200, {"repositories": []})


def test_catalog_pages_meet_every_repository_once(front):
    names = sorted(["a", "a/b", "a/b/c", "ab", "b", "c1", "c10", "c2"])
    for name in names:
        push_image(front, name, "v1")
    seen, target = [], "/v2/_catalog?n=3"
    while target:
        reply = front.get(target)
        seen += reply.json["repositories"]
        link = reply.header("link")
        target = link and link.removeprefix("<").partition(">")[0]
    assert seen == names


def test_catalog_page_of_nothing_has_no_link(front):
    push_image(front, "a", "v1")
    reply = front.get("/v2/_catalog?n=0")
    assert (reply.json, reply.header("link")) == ({"repositories": []}, None)


def test_the_catalog_shows_only_what_may_be_pulled_and_pages_stay_full(make_front):
    class Public:
        def decide(self, identity, permission):
            hidden = identity.name == "eve" and permission.scope.startswith("secret")
            return Refused(lambda: "hidden") if hidden else Allowed("yes")

    front = make_front(rules=decided_by(Public(), users=["eve"]))
    for name in ("a", "secret", "secret/a", "z"):
        push_image(front, name, "v1")
    assert front.get("/v2/_catalog", user="eve").json == {"repositories": ["a", "z"]}
    page = front.get("/v2/_catalog?n=2", user="eve")
    assert (page.json, page.header("link")) == ({"repositories": ["a", "z"]}, None)


def test_where_nothing_may_be_pulled_no_tag_is_asked_about(make_front, monkeypatch):
    granted = (binding("bob", READONLY, "^$", "^team/.+:open$"), binding("eve", READONLY, "^$"))
    front = make_front(rules=rules(*granted, users=["bob", "eve"]))
    for repository in ("lib/a", "lib/b", "team/a", "team/b"):
        push_tags(front, repository, ["v1", "open"] if repository == "team/b" else ["v1", "v2"])
    rows, asked = front.kept.stores.rows.tags, []
    page_tags = rows.page_tags
    monkeypatch.setattr(rows, "page_tags", lambda name, *which: asked.append(name) or page_tags(name, *which))
    assert front.get("/v2/_catalog", user="eve").json == {"repositories": []}
    assert asked == []
    assert front.get("/v2/_catalog", user="bob").json == {"repositories": ["team/b"]}
    assert asked == ["team/a", "team/b"]


def test_tags_that_may_not_be_pulled_are_not_gone_through(make_front, monkeypatch):
    lists = binding("bob", ("tags", "GET"), "^team/app$")
    front = make_front(rules=rules(lists, users=["bob"]))
    push_tags(front, "team/app", ["v1", "v2"])
    monkeypatch.setattr(front.kept.stores.rows.tags, "page_tags", None)
    reply = front.get("/v2/team/app/tags/list", user="bob")
    assert (reply.json["tags"], reply.header("link")) == ([], None)
