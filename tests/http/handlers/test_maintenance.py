"""Garbage collection and retention over HTTP."""

from dataclasses import replace

import pytest

from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.http import changes
from simple_registry.oci.names import RepositoryName
from simple_registry.operations import retention as operations
from simple_registry.storage.records import Actor
from support.access import READONLY, binding, rules
from support.documents import push_image, push_tags

COLLECTION, RETENTION = "/api/v1/garbage-collection", "/api/v1/retention"
JSON = {"content-type": "application/json"}
KEEPER = ("maintenance", "pull run")
MOST = ("*", "GET HEAD POST PUT PATCH DELETE history restore")
ONE = Retention("builds", (ScopePattern("^team/"),), (KeepRule(newest=1),))


def post(front, target, body=b"{}", **how):
    return front.post(target, body=body, headers=JSON, **how)


@pytest.fixture
def deleted(front):
    """Push and delete an image of three contents."""
    push_image(front, "a", "v1", b"layer")
    assert front.delete("/api/v1/repositories/a").status == 202


@pytest.fixture
def declared(front):
    front.access.rules = replace(front.access.rules, retentions=(ONE,))


@pytest.mark.usefixtures("deleted")
def test_a_dry_run_is_reported_and_changes_nothing(front):
    with front.unchanged():
        report = post(front, COLLECTION, b'{"dryRun":true,"grace":"0s"}').json
    assert (report["dryRun"], report["removed"]["contents"], report["complete"]) == (True, 3, True)


@pytest.mark.usefixtures("deleted")
def test_a_collection_is_reported_and_shown_by_every_worker(front):
    report = post(front, COLLECTION).json
    assert (report["removed"]["contents"], report["restorable"]["holdings"]) == (0, 3)
    report = post(front, COLLECTION, b'{"grace":"0s"}').json
    assert (report["removed"]["contents"], report["restorable"]["until"]) == (3, None)
    (last,) = front.get(COLLECTION).json["last"]
    assert (last["origin"], last["removed"]) == ("request", report["removed"])


@pytest.mark.usefixtures("deleted")
def test_a_collection_that_takes_longer_than_a_request_says_so(front, monkeypatch):
    monkeypatch.setattr(changes, "SECONDS", 0)
    assert not post(front, COLLECTION, b'{"grace":"0s"}').json["complete"]


@pytest.mark.parametrize(
    "body", [b'{"grace":"soon"}', b'{"grace":-1}', b'{"dryrun":true}', b"[]", b"", b'{"grace":"1h"}x']
)
@pytest.mark.usefixtures("deleted")
def test_a_document_that_cannot_be_read_collects_nothing(front, body):
    with front.unchanged():
        assert post(front, COLLECTION, body).status == 400


@pytest.mark.usefixtures("deleted")
def test_only_the_verb_run_on_maintenance_starts_it(front):
    front.access.rules = rules(
        binding("keeper", KEEPER, "^$"),
        binding("pusher", MOST, ""),
        binding("reader", READONLY, ""),
        binding("elsewhere", KEEPER, "^team/"),
        users=["keeper", "pusher", "reader", "elsewhere"],
    )
    for target in (COLLECTION, RETENTION):
        for user, seen, run in (
            ("pusher", 200, 403),
            ("reader", 403, 403),
            ("elsewhere", 403, 403),
            (None, 401, 401),
        ):
            with front.unchanged():
                assert front.get(target, user=user).status == seen
                assert post(front, target, user=user).status == run
        assert front.get(target, user="keeper").status == 200
        assert post(front, target, user="keeper").status == 200


@pytest.mark.usefixtures("declared")
def test_a_plan_says_what_goes_and_why_the_rest_stays(front):
    push_tags(front, "team/app", ["v1"])
    front.clock.advance(1)
    push_tags(front, "team/app", ["v2"])
    push_tags(front, "other", ["v1"])
    with front.unchanged():
        tags = front.get(RETENTION).json["tags"]
    assert [(each["repository"], each["tag"], each["goes"], each["keptBy"]) for each in tags] == [
        ("team/app", "v1", True, None),
        ("team/app", "v2", False, "newest 1 by push"),
    ]


@pytest.mark.usefixtures("declared")
def test_pages_of_a_plan_lead_to_each_other_within_a_repository_and_beyond(front):
    for repository in ("team/a", "team/b"):
        push_tags(front, repository, ["v1", "v2", "v3"])
    found, target = [], f"{RETENTION}?n=2"
    while target:
        page = front.get(target)
        assert len(page.json["tags"]) <= 2
        found += [(each["repository"], each["tag"]) for each in page.json["tags"]]
        link = page.header("link")
        target = link and link[1 : link.index(">")]
    assert found == [(repository, tag) for repository in ("team/a", "team/b") for tag in ("v1", "v2", "v3")]
    assert front.get(f"{RETENTION}?n=0").json == {"tags": []}
    assert front.get(f"{RETENTION}?last=A").status == 400


@pytest.mark.usefixtures("declared")
def test_a_plan_that_takes_longer_than_a_request_leads_on(front, monkeypatch):
    monkeypatch.setattr(changes, "SECONDS", 0)
    push_tags(front, "team/app", ["v1"])
    assert front.get(RETENTION).header("link") == f'<{RETENTION}?n=10000&last=team%2Fapp>; rel="next"'


@pytest.mark.usefixtures("declared")
def test_a_plan_shows_only_tags_that_the_caller_may_pull(front):
    push_tags(front, "team/app", ["v1", "v2"])
    front.access.rules = replace(
        rules(binding("bob", KEEPER, "^$"), binding("bob", READONLY, "^team/app:v2$"), users=["bob"]), retentions=(ONE,)
    )
    assert [each["tag"] for each in front.get(RETENTION, user="bob").json["tags"]] == ["v2"]


@pytest.mark.usefixtures("declared")
def test_applying_removes_what_the_plan_said_as_an_event_of_the_request(front):
    for repository in ("team/app", "team/web"):
        push_tags(front, repository, ["v1"])
        front.clock.advance(1)
        push_tags(front, repository, ["v2"])
    reply = post(front, RETENTION)
    assert reply.json == {
        "removed": 2,
        "repositories": [{"name": "team/app", "removed": 1}, {"name": "team/web", "removed": 1}],
        "complete": True,
        "next": None,
    }
    assert front.get("/v2/team/app/tags/list").json["tags"] == ["v2"]
    (event,) = front.run(front.kept.stores.rows.journal.page_history(RepositoryName("team/app"), None, None, 1))
    assert event.actor == Actor("retention:builds", request=reply.header("x-request-id"))


@pytest.mark.usefixtures("declared")
def test_applying_goes_on_where_a_request_ended(front, monkeypatch):
    monkeypatch.setattr(operations, "PAGE", 1)
    for tag in ("v1", "v2"):
        push_tags(front, "team/app", [tag])
        push_tags(front, "team/web", [tag])
        front.clock.advance(1)
    first = post(front, RETENTION).json
    assert (first["removed"], first["complete"], first["next"]) == (1, False, "team/app")
    rest = post(front, RETENTION, b'{"last":"team/app"}').json
    assert rest["repositories"] == [{"name": "team/web", "removed": 1}]


@pytest.mark.usefixtures("declared")
def test_applying_ends_within_a_repository_when_its_time_is_over(front, monkeypatch):
    monkeypatch.setattr(operations, "BATCH", 2)
    monkeypatch.setattr(changes, "SECONDS", 0)
    push_tags(front, "team/app", ["a", "b", "c", "d"])
    front.clock.advance(1)
    push_tags(front, "team/app", ["e"])
    first = post(front, RETENTION).json
    assert (first["removed"], first["complete"], first["next"]) == (2, False, None)
    assert front.get("/v2/team/app/tags/list").json["tags"] == ["c", "d", "e"]
    assert post(front, RETENTION).json["next"] == "team/app"
    assert front.get("/v2/team/app/tags/list").json["tags"] == ["e"]
    assert post(front, RETENTION, b'{"last":"team/app"}').json["complete"]


@pytest.mark.usefixtures("deleted")
def test_nothing_starts_in_read_only_mode(front):
    front.run(front.services.registry.read_only.begin("moving"))
    for target in (COLLECTION, RETENTION):
        assert post(front, target).status == 503
        assert front.get(target).status == 200
