"""The plan of Retentions on the pages of administrators."""

from dataclasses import replace

import pytest

from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.operations import retention as operations
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


def cells(page):
    table = page.all("tbody")[0]
    return [[each.text for each in row.content if not isinstance(each, str)] for row in table.all("tr")]


def test_the_plan_shows_what_would_go_and_changes_nothing(front):
    admin = Browser(front).sign_in()
    with front.unchanged():
        page = admin.get(PLAN)
    assert cells(page) == [["team/app", "1", "1", "keep-<b>one"], ["team/base", "0", "1", "keep-<b>one"]]
    documents = page.all("tbody")[1].one("tr")
    assert [each.text for each in documents.all("td")] == ["^team/", "newest 1 by push", "every 24h"]


def test_the_verdict_on_each_tag_has_its_reason(front):
    admin = Browser(front).sign_in()
    page = admin.get(admin.get(PLAN).all("tbody")[0].all("a")[0]["href"])
    assert [row[:3] for row in cells(page)] == [
        ["v1", "goes", "keep-<b>one: no rule"],
        ["v2", "stays", "keep-<b>one: newest 1 by push"],
    ]
    assert admin.get("/ui/other/-/retention").one("div", class_="empty")


def test_both_lists_come_in_pages(front, monkeypatch):
    monkeypatch.setattr(module, "PAGE_SIZE", 1)
    monkeypatch.setattr(module, "TAGS_SHOWN", 1)
    admin = Browser(front).sign_in()
    for path in (PLAN, "/ui/team/app/-/retention"):
        first = admin.get(path)
        second = admin.get(first.one("a", rel="next")["href"])
        assert cells(first)[0][0] < cells(second)[0][0]
        assert second.all("a", rel="next") == []


def test_a_long_plan_is_examined_in_parts(front, monkeypatch):
    monkeypatch.setattr(operations, "MAX_EXAMINED", 1)
    admin = Browser(front).sign_in()
    page = admin.get(PLAN)
    assert page.one("p", class_="notice")
    assert cells(admin.get(page.one("a", rel="next")["href"])) == [["team/app", "1", "1", "keep-<b>one"]]


def test_without_documents_every_tag_stays(make_front):
    assert Browser(make_front()).sign_in().get(PLAN).one("div", class_="empty")


@pytest.mark.parametrize("path", [PLAN, "/ui/team/app/-/retention"])
def test_only_administrators_see_it(front, path):
    assert Browser(front).sign_in("ada").get(path, status=403)
    assert Browser(front).get(path, status=401)
