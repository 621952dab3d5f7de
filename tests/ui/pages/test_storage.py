"""The use of the storage, on a page of administrators."""

from support.access import READWRITE, binding, rules
from support.documents import push_image
from support.pages import Browser

STORAGE = "/ui/-/storage"


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
    assert page.one("main").one("a", class_="button")["href"] == "/ui/-/collection"


def test_an_empty_registry_has_a_page(admin):
    assert admin.get(STORAGE).one("div", class_="empty")


def test_only_administrators_see_it(make_front):
    front = make_front(rules=rules(binding("ada", READWRITE, "^"), users=["ada"]))
    assert Browser(front).sign_in("ada").get(STORAGE, status=403)
    assert Browser(front).get(STORAGE, status=401)
