"""The plan of Retentions on the pages of administrators."""

from dataclasses import replace

import pytest

from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.http import changes
from simple_registry.ui.pages import retention as module
from support.access import READWRITE, binding, rules
from support.documents import push_image
from support.pages import Browser

PLAN = "/ui/-/retention"
KEEP_ONE = Retention("keep-<b>one", (ScopePattern("^team/"),), (KeepRule(newest=1),), interval=24 * 3600)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def front(make_front, lines):
    front = make_front(
        audit=lines.append, rules=replace(rules(binding("ada", READWRITE, "^"), users=["ada"]), retentions=(KEEP_ONE,))
    )
    for name, tag in [("other", "v1"), ("team/app", "v1"), ("team/app", "v2"), ("team/base", "v1")]:
        push_image(front, name, tag)
        front.clock.advance(1)
    return front


def rows(page):
    table = page.all("tbody")[0]
    return [[each.text for each in row.content if not isinstance(each, str)][:3] for row in table.all("tr")]


def test_the_plan_shows_what_would_go_and_why_and_changes_nothing(front):
    admin = Browser(front).sign_in()
    with front.unchanged():
        page = admin.get(PLAN)
    assert rows(page) == [
        ["team/app v1", "goes", "keep-<b>one: no rule"],
        ["team/app v2", "stays", "keep-<b>one: newest 1 by push"],
        ["team/base v1", "stays", "keep-<b>one: newest 1 by push"],
    ]
    documents = page.all("tbody")[1].one("tr")
    assert [each.text for each in documents.all("td")] == ["^team/", "newest 1 by push", "every 24h"]


def test_the_plan_comes_in_pages(front, monkeypatch):
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    admin = Browser(front).sign_in()
    first = admin.get(PLAN)
    second = admin.get(first.one("a", rel="next")["href"])
    assert [row[0] for row in [*rows(first), *rows(second)]] == ["team/app v1", "team/app v2", "team/base v1"]


def test_a_long_plan_is_shown_in_parts(front, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.0)
    admin = Browser(front).sign_in()
    page = admin.get(PLAN)
    assert page.one("p", class_="notice")
    assert [row[0] for row in rows(admin.get(page.one("a", rel="next")["href"]))] == ["team/app v1", "team/app v2"]


def test_without_documents_every_tag_stays(make_front):
    assert Browser(make_front()).sign_in().get(PLAN).one("div", class_="empty")


def test_a_position_that_is_none_is_refused(front):
    assert Browser(front).sign_in().get(f"{PLAN}?last=%3Cb%3E", status=400)


def test_maintenance_sees_the_plan_of_what_it_may_pull(make_front):
    maintains = binding("ada", ("maintenance", "GET HEAD"), "^$", name="maintains")
    pulls = binding("ada", ("manifests", "GET HEAD"), "^team/base", name="pulls")
    front = make_front(rules=replace(rules(maintains, pulls, users=["ada", "eve"]), retentions=(KEEP_ONE,)))
    for name in ("team/app", "team/base"):
        push_image(front, name, "v1")
    assert [row[0] for row in rows(Browser(front).sign_in("ada").get(PLAN))] == ["team/base v1"]
    assert Browser(front).sign_in("eve").get(PLAN, status=403)
    assert Browser(front).get(PLAN, status=401)


APPLY = f"{PLAN}/apply"
BOTH = Retention("keep-none", (ScopePattern("^"),), (KeepRule(tags=(ScopePattern("^kept$"),)),))


def going(page):
    return [[each.text for each in row.all("th")] + [each.text for each in row.all("td")] for row in page.all("tr")[1:]]


def tags(front, repository):
    return front.get(f"/v2/{repository}/tags/list").json["tags"]


def test_the_plan_is_applied_after_a_page_that_names_the_tags(front, lines):
    admin = Browser(front).sign_in()
    with front.unchanged():
        page = admin.get(admin.get(PLAN).one("main").one("div", class_="head").one("a")["href"])
    assert "1 tag will be removed" in page.text
    assert going(page) == [["team/app", "1", "v1"]]
    reply = admin.submit(page.one("form", class_="confirm"))
    assert (reply.status, reply.location) == (303, f"{PLAN}?done=applied")
    assert admin.get(reply.location).one("p", class_="good")
    assert (tags(front, "team/app"), tags(front, "team/base")) == (["v2"], ["v1"])
    (line,) = [line for line in lines if line["event"] == "retention.apply"]
    assert (line["identity"], line["count"], line["path"]) == ("admin", 1, APPLY)
    assert "Every tag stays" in admin.get(APPLY).text


def test_what_one_request_may_not_finish_is_asked_for_again(front, monkeypatch):
    front.access.rules = replace(front.access.rules, retentions=(BOTH,))
    monkeypatch.setattr(changes, "SECONDS", 0)
    admin = Browser(front).sign_in()
    first = admin.submit(admin.get(APPLY).one("form", class_="confirm"))
    assert first.location == f"{APPLY}?last=other"
    page = admin.get(first.location)
    assert "These are left" in page.one("p", class_="warn").text
    assert [row[0] for row in going(page)] == ["team/app", "team/base"]
    monkeypatch.undo()
    assert admin.submit(page.one("form", class_="confirm")).location == f"{PLAN}?done=applied"
    assert admin.get(PLAN).one("div", class_="empty")


def test_a_page_before_a_removal_lists_the_beginning_of_a_long_plan(front, monkeypatch):
    front.access.rules = replace(front.access.rules, retentions=(BOTH,))
    monkeypatch.setattr(module, "LISTED", 3)
    monkeypatch.setattr(module, "NAMED", 1)
    page = Browser(front).sign_in().get(APPLY)
    assert "Only the beginning of the plan" in page.text
    assert going(page) == [["other", "1", "v1"], ["team/app", "2", "v1 and 1 more"]]


def test_only_the_verb_run_on_maintenance_applies_it(make_front):
    maintains = [
        binding("ada", ("maintenance", "GET HEAD"), "^$", name="reads"),
        binding("bob", ("maintenance", "GET HEAD run"), "^$", name="runs"),
        binding("bob", ("manifests", "GET HEAD"), "^team/base", name="pulls"),
    ]
    front = make_front(rules=replace(rules(*maintains, users=["ada", "bob"]), retentions=(BOTH,)))
    for name in ("team/app", "team/base"):
        push_image(front, name, "v1")
    ada, bob = Browser(front).sign_in("ada"), Browser(front).sign_in("bob")
    page = ada.get(PLAN)
    assert page.one("div", class_="head").all("a") == []
    token = {"form-token": page.one("header").one("input", type="hidden")["value"]}
    with front.unchanged():
        ada.get(APPLY, status=403)
        assert ada.post(APPLY, token).status == 403
        assert bob.post(APPLY, {}).status == 403
        Browser(front).get(APPLY, status=401)
        assert Browser(front).post(APPLY, {}).status == 401
    page = bob.get(APPLY)
    assert [row[0] for row in going(page)] == ["team/base"]
    assert "They will be removed as well." in page.text
    bob.submit(page.one("form", class_="confirm"))
    assert Browser(front).sign_in().get(PLAN).one("div", class_="empty")


def test_read_only_mode_is_said_in_place_of_the_form(front):
    admin = Browser(front).sign_in()
    front.run(front.services.registry.read_only.begin("a move"))
    page = admin.get(APPLY)
    assert "a move" in page.one("p", class_="warn").text
    assert page.all("form", class_="confirm") == []
