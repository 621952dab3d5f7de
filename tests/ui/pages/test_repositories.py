"""The list of repositories: what it shows, to whom, and how it is searched."""

import pytest

from simple_registry.operations import repositories as operations
from simple_registry.ui.pages.repositories import PAGE_SIZE
from support.access import READONLY, binding, rules
from support.documents import push_image
from support.front import Front
from support.pages import Browser

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'


def push(front, *names, tag="v1"):
    for name in names:
        front.push_manifest(name, tag, INDEX, OCI_INDEX)


def names(page):
    return [row.one("a").text.replace(" ", "") for row in page.all("th", scope="row")]


def test_an_empty_registry_shows_how_to_push_to_this_address(admin):
    page = admin.get("/")
    commands = [each.one("code").text for each in page.all("div", class_="copy-field")]
    assert commands[0] == "docker login registry.example:5000"
    assert commands[-1] == "docker push registry.example:5000/alpine:latest"
    assert page.all("p", class_="notice") == []


def test_over_plain_http_the_first_push_comes_with_a_warning(make_front):
    front = make_front(rules=rules(binding("anonymous", READONLY, "^"), users=["anonymous"]))
    front.secure = False
    page = Browser(front, host="registry.lan:5000").get("/")
    assert "insecure-registries" in page.one("p", class_="notice").text
    assert Browser(front, host="localhost:5000").get("/").all("p", class_="notice") == []


def test_a_row_has_size_tags_and_last_push(make_front):
    front = make_front()
    push_image(front, "team/app", "v1")
    front.clock.advance(60)
    front.push_manifest("team/app", "v2", INDEX, OCI_INDEX)
    used = front.get("/api/v1/usage").json["repositories"][0]
    (row,) = Browser(front).sign_in().get("/").one("tbody").all("tr")
    assert row.one("a")["href"] == "/ui/team/app/-/tags"
    tags, size, pushed = row.all("td")
    assert tags.text == "2"
    assert size.one("span")["title"] == f"{used['bytes']:,} B"
    assert pushed.one("time")["datetime"] == "2023-11-14T22:14:20Z"


def test_a_repository_whose_manifests_are_deleted_is_not_listed(make_front):
    front = make_front()
    push(front, "a", "b")
    front.push_blob("c", b"only a blob")
    assert front.delete("/api/v1/repositories/a").status == 202
    assert names(Browser(front).sign_in().get("/")) == ["b"]


def test_the_list_is_searched_and_filtered_by_path(make_front):
    front = make_front()
    push(front, "team/app", "team/base", "team-b/app", "tools/Apple".lower())
    browser = Browser(front).sign_in()
    assert names(browser.get("/?q=app")) == ["team-b/app", "team/app", "tools/apple"]
    assert names(browser.get("/?q=+APP+")) == ["team-b/app", "team/app", "tools/apple"]
    assert names(browser.get("/?below=team/")) == ["team/app", "team/base"]
    page = browser.get("/?below=team/&q=base")
    assert names(page) == ["team/base"]
    assert page.one("form", class_="filter").one("input", name="below")["value"] == "team/"
    assert [each.text for each in page.one("nav", class_="crumbs").all("li")] == ["Repositories", "team"]


@pytest.mark.parametrize("q", ["<script>alert(1)</script>", "100%", "_", "a'b", '"><b>', "%00", "ü", "\\"])
def test_what_is_searched_for_is_text(make_front, q):
    front = make_front()
    push(front, "a-b")
    page = Browser(front).sign_in().get("/?q=" + "".join(f"%{byte:02x}" for byte in q.encode()))
    assert names(page) == []
    assert page.one("form", class_="filter").one("input", type="search")["value"] == q
    assert q in page.one("div", class_="empty").text
    assert page.all("b") == []


def test_the_list_comes_in_pages(memory_front, admin):
    expected = [f"r{number:03}" for number in range(PAGE_SIZE + 3)]
    push(memory_front, *expected)
    first = admin.get("/?q=r")
    following = first.one("a", rel="next")["href"]
    second = admin.get(following)
    assert [*names(first), *names(second)] == expected
    assert second.all("a", rel="next") == []


def test_a_user_sees_what_it_may_pull_and_nothing_else(make_front):
    front = make_front(
        rules=rules(
            binding("ada", ("catalog manifests blobs", "GET HEAD"), "^team/", "^tagged:v1$", "^$"),
            binding("eve", ("manifests blobs", "GET HEAD"), "^team/"),
            users=["ada", "eve"],
        )
    )
    push(front, "secret", "tagged", "team/app", "other")
    push(front, "other", tag="v2")
    page = Browser(front).sign_in("ada").get("/")
    assert names(page) == ["tagged", "team/app"]
    tagged, whole = ([cell.text for cell in row.all("td")] for row in page.one("tbody").all("tr"))
    assert tagged == ["—"] * 3
    assert whole[0] == "1"
    eve = Browser(front).sign_in("eve")
    refused = eve.get("/", status=403)
    assert "GET on catalog" in refused.text
    assert refused.one("form", action="/ui/-/repository").one("input", name="name")
    assert eve.ask("GET", "/ui/-/repository?name=+team/app").location == "/ui/team/app/-/tags"
    assert eve.get("/ui/team/app/-/tags")


def test_anonymous_visitors_see_what_anonymous_may_pull(make_front):
    front = make_front(
        rules=rules(binding("anonymous", ("catalog manifests", "GET HEAD"), "^open/", "^$"), users=["anonymous"])
    )
    push(front, "open/a", "closed/b")
    page = Browser(front).get("/")
    assert names(page) == ["open/a"]
    assert page.one("a", class_="quiet")["href"] == "/ui/-/sign-in?to=%2F"
    assert page.all("nav", class_="tabs") == []


def test_the_policy_is_asked_about_few_rows_and_a_long_search_ends_early(memory_front, admin, monkeypatch):
    monkeypatch.setattr(operations, "MAX_EXAMINED", 60)
    push(memory_front, *(f"r{number:03}" for number in range(PAGE_SIZE + 30)))
    asked = []

    def sees(scope):
        asked.append(scope)
        return scope == "r077"

    policy = memory_front.access.rules.policy
    monkeypatch.setattr(policy, "reach", lambda *_: sees)
    monkeypatch.setattr(policy, "reach_below", lambda *_: lambda _: False)
    first = admin.get("/")
    assert len(asked) == PAGE_SIZE + 1 + 29 + 1  # again for what the shown one uses
    assert names(first) == ["r077"]
    asked.clear()
    monkeypatch.setattr(operations, "MAX_EXAMINED", 50)
    early = admin.get("/")
    assert len(asked) == PAGE_SIZE + 1
    assert early.one("p", class_="notice")
    following = early.one("a", rel="next")["href"]
    assert "r0" not in following  # the last one that was examined is hidden
    assert names(admin.get(following)) == ["r077"]


def test_the_short_address_leads_to_the_list(admin):
    for path in ("/ui", "/ui/"):
        reply = admin.ask("GET", path)
        assert (reply.status, reply.location) == (303, "/")


def test_clients_that_want_no_page_get_what_they_always_got(memory_front: Front):
    for headers in ({}, {"accept": "*/*"}, {"accept": "application/json"}):
        reply = memory_front.get("/", user=None, headers=headers)
        assert (reply.status, reply.header("content-type")) == (404, "application/json")
        assert reply.codes == ["UNSUPPORTED"]


@pytest.mark.parametrize("name", ["", "../x", "//evil.example", "UPPER", "a/-/b", "%0d%0aset-cookie:%20a=b"])
def test_what_is_no_name_opens_nothing(browser, name):
    assert browser.get(f"/ui/-/repository?name={name}", status=400)
