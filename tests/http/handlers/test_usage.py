"""What repositories use, as callers may know it."""

from support.access import READONLY, binding, rules
from support.documents import push_image

USAGE = "/api/v1/usage"


def names(reply):
    assert reply.status == 200
    return [each["name"] for each in reply.json["repositories"]]


def test_the_usage_of_each_repository_is_listed(front):
    front.push_blob("a", bytes(10))
    push_image(front, "b", "v1")
    first, second = front.get(USAGE).json["repositories"]
    sizes = {"bytes": 10, "unneededBytes": 0, "deletedBytes": 0}
    assert first == {"name": "a", "tags": 0, "manifests": 0, "blobs": 1, **sizes}
    assert (second["name"], second["tags"], second["manifests"]) == ("b", 1, 1)


def test_pages_lead_to_each_other(memory_front):
    for name in ("a", "b", "c"):
        memory_front.push_blob(name, b"x")
    page = memory_front.get(f"{USAGE}?n=2")
    assert names(page) == ["a", "b"]
    assert page.header("link") == f'<{USAGE}?n=2&last=b>; rel="next"'
    last = memory_front.get(f"{USAGE}?n=2&last=b")
    assert names(last) == ["c"]
    assert last.header("link") is None


def test_only_repositories_that_the_caller_may_pull_are_listed(memory_front):
    for name in ("a", "b"):
        memory_front.push_blob(name, b"x")
    memory_front.access.rules = rules(binding("bob", READONLY, "^b$", "^a:v1$"), users=["bob", "eve"])
    assert names(memory_front.get(USAGE, user="bob")) == ["b"]
    assert names(memory_front.get(USAGE, user="eve")) == []
    assert memory_front.get(USAGE, user=None).status == 401


def test_only_who_may_see_maintenance_sees_the_collections_and_once(front):
    front.run(front.services.garbage.collect())
    assert front.get(USAGE).json["collection"]["last"][0]["origin"] == "schedule"
    assert "collection" not in front.get(f"{USAGE}?last=a").json
    front.access.rules = rules(binding("bob", READONLY, ""), users=["bob"])
    assert "collection" not in front.get(USAGE, user="bob").json
