"""Retention over the whole application: what goes, what stays, when it runs, and what the journal says."""

from dataclasses import replace

import pytest

from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import TagProtection
from simple_registry.oci.names import RepositoryName
from simple_registry.operations import retention as module
from simple_registry.storage.records import Actor
from support.access import rules
from support.documents import push_image, push_tags

DAY = 24 * 3600.0
JSON = {"content-type": "application/json"}


def retention(*keep, name="builds", scopes=("^team/",), interval=DAY):
    return Retention(name, tuple(ScopePattern(scope) for scope in scopes), keep, interval=interval)


ONE = retention(KeepRule(newest=1))


@pytest.fixture
def declare(front):
    """Put Retentions in force."""

    def declare(*retentions, protections=()):
        front.access.rules = replace(rules(), retentions=retentions, protections=protections)

    return declare


@pytest.fixture
def push(front, clock):
    """Push tags, the oldest first."""

    def push(repository, *tags):
        for tag in tags:
            push_image(front, repository, tag)
            clock.advance(1)

    return push


def tags(front, repository="team/app"):
    return front.get(f"/v2/{repository}/tags/list").json["tags"]


async def names(judged):
    return {each.repository: [row.tag for row, _ in each.tags] async for each in judged}


def run_due(front):
    front.run(front.services.retention.run_due())


def test_a_plan_shows_every_tag_in_reach_and_changes_nothing(front, declare, push):
    push("team/app", "v1", "v2")
    push("other", "v1", "v2")
    declare(ONE)

    async def plan():
        return {
            (each.repository, row.tag): verdict.reason
            async for each in front.services.retention.plan()
            for row, verdict in each.tags
        }

    with front.unchanged():
        assert front.run(plan()) == {("team/app", "v1"): None, ("team/app", "v2"): "newest 1 by push"}


def test_applying_removes_what_the_plan_said_and_only_tags(front, declare, push):
    push("team/app", "v1", "v2")
    push("team/web", "v1")
    manifest = front.get("/v2/team/app/manifests/v1").header("docker-content-digest")
    declare(ONE)
    assert front.run(names(front.services.retention.apply())) == {"team/app": ["v1"]}
    assert (tags(front), tags(front, "team/web")) == (["v2"], ["v1"])
    assert front.get(f"/v2/team/app/manifests/{manifest}").status == 200
    assert front.run(names(front.services.retention.apply())) == {}


def test_each_removal_is_an_event_by_the_retention(front, declare, push):
    push("team/app", "v1", "v2")
    declare(ONE)
    front.run(names(front.services.retention.apply()))
    (event,) = front.run(front.kept.stores.rows.journal.page_history(RepositoryName("team/app"), None, None, 1))
    assert (event.tag, event.actor) == ("v1", Actor("retention:builds"))


def test_what_went_can_be_brought_back_and_counts_as_pushed_then(front, declare, push, clock):
    push("team/app", "v1", "v2")
    declare(ONE)
    front.run(names(front.services.retention.apply()))
    assert front.post("/api/v1/repositories/team/app/restore", body=b'{"tag": "v1"}', headers=JSON).status == 200
    assert tags(front) == ["v1", "v2"]
    front.run(names(front.services.retention.apply()))
    assert tags(front) == ["v1"]


def test_manifests_without_a_tag_are_never_looked_at(front, declare):
    digest = push_image(front, "team/app", "v1")
    front.delete("/v2/team/app/manifests/v1")
    declare(retention(KeepRule(tags=(ScopePattern("none"),))))
    with front.unchanged():
        assert front.run(names(front.services.retention.apply())) == {}
    assert digest


def test_many_tags_go_in_several_transactions(front, declare, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "PAGE", 1)
    for repository in ("team/a", "team/b"):
        push_tags(front, repository, [f"v{number}" for number in range(5)])
    declare(retention(KeepRule(tags=(ScopePattern("^v0$"),))))
    front.run(names(front.services.retention.apply()))
    assert (tags(front, "team/a"), tags(front, "team/b")) == (["v0"], ["v0"])


def test_a_protected_tag_stays(front, declare, push):
    push("team/app", "v1", "v2", "v3")
    protection = TagProtection("releases", (ScopePattern(":v1$"),), users=frozenset({"retention:builds"}))
    declare(ONE, protections=(protection,))
    front.run(names(front.services.retention.apply()))
    assert tags(front) == ["v1", "v3"]


def test_a_pulled_tag_stays(front, declare, push, clock):
    push("team/app", "v1", "v2")
    clock.advance(40 * DAY)
    front.get("/v2/team/app/manifests/v1")
    front.run(front.services.registry.pulls.write())
    declare(retention(KeepRule(pulled_within=30 * DAY)))
    front.run(names(front.services.retention.apply()))
    assert tags(front) == ["v1"]


def test_a_retention_runs_one_interval_after_it_was_first_read_and_then_at_intervals(front, declare, push, clock):
    push("team/app", "v1", "v2")
    declare(ONE)
    run_due(front)
    clock.advance(DAY - 1)
    run_due(front)
    assert tags(front) == ["v1", "v2"]
    clock.advance(1)
    run_due(front)
    assert tags(front) == ["v2"]
    push("team/app", "v3")
    run_due(front)
    assert tags(front) == ["v2", "v3"]
    clock.advance(DAY)
    run_due(front)
    assert (tags(front), front.services.retention.removed) == (["v3"], 2)


def test_a_retention_that_was_gone_for_a_while_begins_anew(front, declare, push, clock):
    push("team/app", "v1", "v2")
    for retentions in ((ONE,), ()):
        declare(*retentions)
        run_due(front)
        clock.advance(DAY)
    declare(ONE)
    run_due(front)
    assert tags(front) == ["v1", "v2"]


def test_without_an_interval_it_runs_only_by_command_and_still_keeps(front, declare, push, clock):
    push("team/app", "v1", "v2", "b1", "b2")
    by_command = retention(KeepRule(tags=(ScopePattern("^v"),)), name="versions", scopes=["^team/app:v"], interval=0)
    declare(ONE, by_command)
    for _ in range(2):
        run_due(front)
        clock.advance(DAY)
    assert tags(front) == ["b2", "v1", "v2"]


def test_of_several_only_those_run_that_are_due(front, declare, push, clock):
    push("team/app", "a1", "a2", "b1", "b2")
    often = retention(KeepRule(newest=1), name="a", scopes=["^team/app:a"], interval=DAY)
    seldom = retention(KeepRule(newest=1), name="b", scopes=["^team/app:b"], interval=9 * DAY)
    declare(often, seldom)
    for _ in range(2):
        run_due(front)
        clock.advance(DAY)
    assert tags(front) == ["a2", "b1", "b2"]


def test_a_jump_of_the_clock_makes_no_tag_old(front, declare, push, clock):
    push("team/app", "v1")
    declare(retention(KeepRule(pushed_within=30 * DAY)))
    run_due(front)
    clock.jump(50 * 365 * DAY)
    run_due(front)
    assert tags(front) == ["v1"]
    clock.jump(-50 * 365 * DAY)
    run_due(front)
    clock.advance(31 * DAY)
    run_due(front)
    assert tags(front) == []


def signed(front, tag):
    """Push a signature of the manifest of a tag, as cosign does. Return its tag."""
    digest = front.get(f"/v2/team/app/manifests/{tag}").header("docker-content-digest")
    name = f"{digest.replace(':', '-')}.sig"
    push_image(front, "team/app", name, f"signature of {digest}".encode())
    return name


def test_signatures_go_with_the_last_tag_of_their_image_and_stay_with_the_others(front, declare, push):
    push("team/app", "v1")
    push_image(front, "team/app", "v2", b"another image")
    old, new = signed(front, "v1"), signed(front, "v2")
    declare(ONE)
    assert front.run(names(front.services.retention.apply())) == {"team/app": sorted(["v1", old])}
    assert tags(front) == sorted(["v2", new])


def test_signatures_of_a_deleted_image_go_a_day_after_their_push(front, declare, push, clock):
    push("team/app", "v1")
    push_image(front, "team/app", "v2", b"another image")
    old = signed(front, "v1")
    digest = front.get("/v2/team/app/manifests/v1").header("docker-content-digest")
    front.delete(f"/v2/team/app/manifests/{digest}")
    declare(ONE)
    assert front.run(names(front.services.retention.apply())) == {}
    clock.advance(DAY + 1)
    assert front.run(names(front.services.retention.apply())) == {"team/app": [old]}


def test_a_signature_waits_for_the_retention_that_removes_the_last_tag(front, declare, push, clock):
    push("team/app", "v1")
    push_image(front, "team/app", "v2", b"another image")
    old = signed(front, "v1")
    slow = retention(KeepRule(newest=1), name="slow", scopes=("^team/app:v",), interval=0.0)
    declare(slow, retention(KeepRule(newest=1), name="fast", scopes=("^team/app:sha",)))
    run_due(front)
    clock.advance(DAY)
    run_due(front)
    assert tags(front) == sorted(["v1", "v2", old])
    assert front.run(names(front.services.retention.apply())) == {"team/app": sorted(["v1", old])}
