"""The history of a repository or a tag."""

import pytest

from support.access import READONLY, binding, rules
from support.documents import push_image, push_tags
from support.pages import Browser

HISTORY = "/ui/team/app/-/history"


@pytest.fixture
def front(memory_front):
    return memory_front


def events(page):
    return [each.one("b").text for each in page.one("ol", class_="timeline").all("li")]


def test_a_time_line_says_who_moved_a_tag_from_where_to_where(front, admin):
    push_image(front, "team/app", "v1")
    push_image(front, "team/app", "v1", b"new")
    front.delete("/v2/team/app/manifests/v1")
    page = admin.get(f"{HISTORY}?tag=v1")
    assert events(page) == ["Tag deleted", "Pushed", "Pushed"]
    deleted, moved, _ = page.one("ol", class_="timeline").all("li")
    assert "by admin" in moved.text
    assert len(moved.one("div", class_="what").all("a")) == 2
    assert [link.text for link in moved.one("div", class_="by").all("a")] == ["compare", "roll back to this"]
    assert [link.text for link in deleted.one("div", class_="by").all("a")] == ["restore"]
    compare = admin.get(moved.one("div", class_="by").all("a")[0]["href"])
    assert "added" in compare.text


def test_the_history_goes_on(front, admin):
    push_tags(front, "team/app", [f"v{number}" for number in range(70)])
    first = admin.get(HISTORY)
    assert len(events(first)) == 50
    second = admin.get(first.one("a", rel="next")["href"])
    assert len(events(second)) == 20
    assert second.all("a", rel="next") == []


def test_a_history_of_nothing_says_so(front, admin):
    push_tags(front, "team/app", ["v1"])
    assert "no events" in admin.get(f"{HISTORY}?tag=v2").one("div", class_="empty").text
    assert admin.ask("GET", f"{HISTORY}?tag=%3Cb%3E").status == 400
    assert admin.ask("GET", f"{HISTORY}?before=x").status == 200


def test_the_history_needs_the_right_to_read_it(make_front):
    reader = ("manifests", "GET history")
    given = [binding("ada", READONLY, "^team/app"), binding("bob", reader, "^team/app$", "^team/app:v")]
    front = make_front(rules=rules(*given, users=["ada", "bob"]))
    push_tags(front, "team/app", ["v1", "secret"])
    page = Browser(front).sign_in("bob").get(HISTORY)
    assert [each.one("a", class_="tag").text for each in page.one("ol", class_="timeline").all("li")] == ["v1"]
    assert "roll back" not in page.text
    Browser(front).sign_in("ada").get(HISTORY, status=403)
    Browser(front).get(HISTORY, status=401)
