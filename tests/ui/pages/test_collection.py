"""Garbage collection on its pages: what waits, what would be removed, and the start."""

import pytest

from simple_registry.http import changes
from support.access import READWRITE, binding, rules
from support.documents import push_image
from support.pages import Browser, read

COLLECTION = "/ui/-/collection"
DAYS = 24 * 3600


def facts(page):
    return dict(zip([each.text for each in page.all("dt")], [each.text for each in page.all("dd")], strict=True))


def rehearsal(page):
    return page.one("main").one("form")


@pytest.fixture
def lines():
    return []


@pytest.fixture
def front(make_front, lines):
    """A registry from which an image was deleted two days ago."""
    front = make_front(audit=lines.append)
    push_image(front, "a", "v1", b"some layer")
    front.delete("/api/v1/repositories/a")
    front.clock.advance(2 * DAYS)
    return front


def test_what_waits_for_the_end_of_its_grace_is_shown(make_front):
    front = make_front()
    push_image(front, "a", "v1")
    admin = Browser(front).sign_in()
    front.delete("/api/v1/repositories/a")
    shown = facts(admin.get(COLLECTION))
    assert shown["Deleted; can be restored"].startswith("2 holdings")
    assert shown["The last deletion can be undone until"].startswith("2023-11-15")
    assert shown["The server collects"].startswith("every ")


def test_a_collection_is_rehearsed_confirmed_and_done(front, lines):
    admin = Browser(front).sign_in()
    page = admin.get(COLLECTION)
    assert "Nothing has been collected yet." in page.text
    with front.unchanged():
        rehearsed = read(admin.submit(rehearsal(page)).body)
    assert facts(rehearsed)["Removed from the disk"].startswith("3 contents")
    assert "Manifests without a tag that become unneeded" not in facts(rehearsed)
    reply = admin.submit(rehearsed.one("form", class_="confirm"))
    assert (reply.status, reply.location) == (303, f"{COLLECTION}?done=complete")
    page = admin.get(reply.location)
    assert page.one("p", class_="good")
    (row,) = page.one("tbody").all("tr")
    assert row.one("th").text == "a request"
    assert [cell.text for cell in row.all("td")][1:3] == ["3", "0"]
    (line,) = [line for line in lines if line["event"] == "collection.run"]
    assert (line["identity"], line["count"], line["path"]) == ("admin", 3, COLLECTION)


def test_manifests_without_a_tag_are_collected_if_they_are_chosen(make_front):
    front = make_front()
    push_image(front, "a", "v1", b"old")
    push_image(front, "a", "v1", b"new")
    admin = Browser(front).sign_in()
    page = admin.get(COLLECTION)
    rehearsed = read(admin.submit(rehearsal(page), untagged="yes").body)
    assert facts(rehearsed)["Manifests without a tag that become unneeded"] == "1"
    assert admin.submit(rehearsed.one("form", class_="confirm")).status == 303
    assert facts(admin.get(COLLECTION))["Unneeded; still served"].startswith("2 holdings")


def test_what_one_request_may_not_finish_is_left_for_the_next(front, monkeypatch):
    monkeypatch.setattr(changes, "SECONDS", 0)
    admin = Browser(front).sign_in()
    rehearsed = read(admin.submit(rehearsal(admin.get(COLLECTION))).body)
    page = admin.get(admin.submit(rehearsed.one("form", class_="confirm")).location)
    assert "Start it again" in page.one("p", class_="good").text


def test_reading_and_starting_need_what_they_need_in_the_api(make_front):
    front = make_front(
        rules=rules(
            binding("ada", ("maintenance", "GET HEAD"), "^$"),
            binding("bob", ("maintenance", "GET HEAD run"), "^$"),
            binding("eve", READWRITE, ""),
            users=["ada", "bob", "eve"],
        )
    )
    ada, bob, eve = (Browser(front).sign_in(name) for name in ("ada", "bob", "eve"))
    page = ada.get(COLLECTION)
    assert page.one("main").all("form") == []
    token = {"form-token": page.one("header").one("input", type="hidden")["value"]}
    with front.unchanged():
        for path in (COLLECTION, f"{COLLECTION}/rehearsal"):
            assert ada.post(path, token).status == 403
            assert bob.post(path, {}).status == 403
            assert Browser(front).post(path, {}).status == 401
        eve.get(COLLECTION, status=403)
        Browser(front).get(COLLECTION, status=401)
    rehearsed = read(bob.submit(rehearsal(bob.get(COLLECTION))).body)
    assert bob.submit(rehearsed.one("form", class_="confirm")).status == 303


def test_read_only_mode_is_said_in_place_of_the_form(front):
    admin = Browser(front).sign_in()
    form = rehearsal(admin.get(COLLECTION))
    front.run(front.services.registry.read_only.begin("a <b>move"))
    page = admin.get(COLLECTION)
    assert "a <b>move" in page.one("p", class_="warn").text
    assert page.one("main").all("form") == []
    assert admin.submit(form).status == 503
