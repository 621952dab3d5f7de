"""What a repository's pages ask about their caller."""

import pytest

from support.access import ADMINS, READONLY, binding, rules
from support.documents import push_tags
from support.pages import Browser

TAGS = "/ui/team/app/-/tags"


@pytest.mark.parametrize(
    ("scope", "status"),
    [("^team/app$", 200), ("^team/app:v1$", 200), ("^team/app:v2$", 403), ("^team/other", 403), ("^team/app:.*x", 403)],
)
def test_a_repository_needs_something_that_the_caller_may_pull(make_front, scope, status):
    front = make_front(rules=rules(binding("ada", READONLY, scope), users=["ada"]))
    push_tags(front, "team/app", ["v1"])
    Browser(front).sign_in("ada").get(TAGS, status=status)


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        (("manifests", "GET"), ["Tags", "Compare"]),
        (("manifests", "GET history"), ["Tags", "Compare", "History"]),
        (("manifests", "GET DELETE"), ["Tags", "Compare", "Delete"]),
        (ADMINS, ["Tags", "Compare", "History", "Delete"]),
    ],
)
def test_pages_are_offered_by_right(make_front, role, pages):
    front = make_front(rules=rules(binding("ada", role, "^team/app"), users=["ada"]))
    push_tags(front, "team/app", ["v1"])
    page = Browser(front).sign_in("ada").get(TAGS)
    assert [link.text for link in page.one("main").one("nav", class_="tabs").all("a")] == pages


@pytest.mark.parametrize(
    ("scopes", "offered"),
    [(["^team/app$", "^team/app:v1$"], True), (["^team/app:v1$"], False), (["^team/app$"], False)],
)
def test_a_rollback_needs_the_right_to_the_repository_and_the_tag(make_front, scopes, offered):
    roles = [
        binding("ada", ("manifests", "GET history"), "^team/app", name="reader"),
        binding("ada", ("manifests", "restore"), *scopes, name="restorer"),
    ]
    front = make_front(rules=rules(*roles, users=["ada"]))
    push_tags(front, "team/app", ["v1"])
    browser = Browser(front).sign_in("ada")
    page = browser.get("/ui/team/app/-/history")
    assert ("roll back" in page.text) == offered
    assert (browser.ask("GET", "/ui/team/app/-/tags/v1/roll-back").status == 403) == (not offered)
