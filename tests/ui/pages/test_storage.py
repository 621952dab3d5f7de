"""The use of the storage, on a page of administrators."""

from support.access import READWRITE, binding, rules
from support.documents import push_image
from support.pages import Browser

STORAGE = "/ui/-/storage"


def facts(page):
    return dict(zip([each.text for each in page.all("dt")], [each.text for each in page.all("dd")], strict=True))


def test_the_largest_repositories_come_first_with_their_share(make_front):
    front = make_front()
    push_image(front, "small", "v1", b"x")
    push_image(front, "large", "v1", b"x" * 5000)
    page = Browser(front).sign_in().get(STORAGE)
    rows = page.one("tbody").all("tr")
    assert [row.one("th").text for row in rows] == ["large", "small"]
    first, second = (row.one("meter") for row in rows)
    assert first["value"] == first["max"]
    assert int(second["value"]) < int(second["max"])
    assert "% of what all repositories hold" in first["title"]


def test_what_waits_and_what_a_collection_would_do_is_shown(make_front):
    front = make_front()
    push_image(front, "a", "v1")
    admin = Browser(front).sign_in()
    assert admin.get(STORAGE).one("tbody")
    front.delete("/api/v1/repositories/a")
    page = admin.get(STORAGE)
    assert facts(page)["Deleted; can be restored"].startswith("2 holdings")
    assert facts(page)["The last deletion can be undone until"].startswith("2023-11-15")
    front.clock.advance(2 * 24 * 3600)
    with front.unchanged():
        tried = facts(admin.sign_in().get(page.one("main").one("a", class_="button")["href"]))
    assert (tried["Manifests that end"], tried["Contents that are removed"][:10]) == ("1", "2 contents")


def test_the_last_collection_is_shown(make_front):
    front = make_front()
    push_image(front, "a", "v1")
    front.delete("/api/v1/repositories/a")
    admin = Browser(front).sign_in()
    assert "Nothing has been collected yet." in admin.get(STORAGE).text
    front.clock.advance(2 * 24 * 3600)
    front.run(front.services.garbage.collect())
    (row,) = admin.sign_in().get(STORAGE).all("tbody")[-1].all("tr")
    assert row.one("th").text == "the server"
    assert [cell.text for cell in row.all("td")][1:3] == ["2", "0"]


def test_an_empty_registry_has_a_page(admin):
    assert admin.get(STORAGE).one("div", class_="empty")


def test_only_administrators_see_it(make_front):
    front = make_front(rules=rules(binding("ada", READWRITE, "^"), users=["ada"]))
    assert Browser(front).sign_in("ada").get(STORAGE, status=403)
    assert Browser(front).get(STORAGE, status=401)
