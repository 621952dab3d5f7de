"""The plan of Retentions on the pages of administrators."""

from dataclasses import replace

import pytest

from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.ui.pages import retention as module
from support.access import READWRITE, binding, rules
from support.documents import push_image
from support.pages import Browser

PLAN = "/ui/-/retention"
KEEP_ONE = Retention("keep-<b>one", (ScopePattern("^team/"),), (KeepRule(newest=1),), interval=24 * 3600)


@pytest.fixture
def front(make_front):
    front = make_front(rules=replace(rules(binding("ada", READWRITE, "^"), users=["ada"]), retentions=(KEEP_ONE,)))
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
