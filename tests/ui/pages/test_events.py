"""Events of all repositories on a page."""

import pytest

from support.access import binding, rules
from support.pages import Browser

EVENTS = "/ui/-/events"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
READS = ("catalog manifests", "GET HEAD history")


@pytest.fixture
def front(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READS, "^team/", "^$"),
            binding("eve", ("catalog manifests", "GET HEAD"), "^team/", "^$"),
            users=["ada", "eve"],
        )
    )
    front.push_manifest("team/app", "v1", INDEX, OCI_INDEX)
    front.push_manifest("secret", "v1", INDEX, OCI_INDEX)
    front.delete("/v2/team/app/manifests/v1")
    return front


def rows(page):
    return [[row.one("th").text, row.all("td")[0].text, row.all("td")[2].text] for row in page.one("tbody").all("tr")]


def test_events_are_shown_the_newest_first_with_their_user(front):
    page = Browser(front).sign_in().get(EVENTS)
    assert rows(page) == [
        ["Tag deleted", "team/app v1", "admin password"],
        ["Pushed", "secret v1", "admin password"],
        ["Pushed", "team/app v1", "admin password"],
    ]
    links = page.one("tbody").all("tr")[2].all("a")
    assert [link["href"].partition("sha256")[0] for link in links] == [
        "/ui/team/app/-/history",
        "/ui/team/app/-/history?tag=v1",
        "/ui/team/app/-/manifests/",
    ]


def test_a_deletion_leads_to_what_restores_it(front):
    page = Browser(front).sign_in().get(EVENTS)
    first, *others = page.one("tbody").all("tr")
    assert first.all("a")[-1]["href"] == "/ui/team/app/-/restore?of=v1"
    assert not [row for row in others if row.all("a")[-1].text == "restore"]


def test_a_user_sees_the_events_of_what_it_may_read(front):
    assert [row[1] for row in rows(Browser(front).sign_in("ada").get(EVENTS))] == ["team/app v1", "team/app v1"]
    assert Browser(front).sign_in("eve").get(EVENTS, status=403)
    assert Browser(front).get(EVENTS, status=401)


def test_many_events_come_in_pages(front):
    for _ in range(25):
        front.push_manifest("team/app", "v1", INDEX, OCI_INDEX)
        front.delete("/v2/team/app/manifests/v1")
    admin = Browser(front).sign_in()
    first = admin.get(EVENTS)
    second = admin.get(first.one("a", rel="next")["href"])
    assert [len(rows(page)) for page in (first, second)] == [50, 3]
    assert rows(second)[-1] == ["Pushed", "team/app v1", "admin password"]
