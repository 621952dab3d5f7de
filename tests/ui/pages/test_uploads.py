"""Upload sessions on the pages of administrators."""

import pytest

from support.access import READWRITE, binding, rules
from support.pages import Browser

UPLOADS = "/ui/-/uploads"


@pytest.fixture
def front(make_front):
    return make_front(rules=rules(binding("ada", READWRITE, "^team/", "^$"), users=["ada"]))


def start(front, data=b"some bytes"):
    location = front.post("/v2/team/app/blobs/uploads/", user="ada").location
    return front.patch(location, body=data, user="ada").location


def test_a_session_is_shown_and_cancelled(front):
    location, admin = start(front), Browser(front).sign_in()
    page = admin.get(UPLOADS)
    (row,) = page.one("tbody").all("tr")
    assert row.one("th").text == "team/app"
    assert [cell.text for cell in row.all("td")][:3] == ["ada", "\N{EN DASH}", "10 B"]
    reply = admin.submit(admin.get(row.one("a")["href"]).one("form", class_="confirm"))
    assert (reply.status, reply.location) == (303, f"{UPLOADS}?done=canceled")
    done = admin.get(reply.location)
    assert done.one("p", class_="good")
    assert done.one("div", class_="empty")
    assert front.get(location, user="ada").status == 404


def test_only_administrators_see_and_cancel_uploads(front):
    location, ada = start(front), Browser(front).sign_in("ada")
    path = Browser(front).sign_in().get(UPLOADS).one("tbody").one("a")["href"]
    token = ada.get("/").one("details").one("input")["value"]
    with front.unchanged():
        assert ada.get(UPLOADS, status=403)
        assert ada.get(path, status=403)
        assert ada.post(path, {"form-token": token}).status == 403
        assert Browser(front).get(UPLOADS, status=401)
        assert Browser(front).sign_in().post(path, {}).status == 403
    assert front.get(location, user="ada").status == 204


def test_a_session_that_has_ended_is_unknown(front):
    admin = Browser(front).sign_in()
    assert admin.get(f"{UPLOADS}/nothing/cancel", status=404)


def test_many_sessions_come_in_pages(front):
    for _ in range(51):
        start(front, b"x")
    admin = Browser(front).sign_in()
    first = admin.get(UPLOADS)
    second = admin.get(first.one("a", rel="next")["href"])
    assert [len(page.one("tbody").all("tr")) for page in (first, second)] == [50, 1]
