"""The page that compares two manifests."""

from urllib.parse import parse_qsl

import pytest

from support.access import READONLY, binding, rules
from support.artifacts import CONFIG, push_artifact, push_built, push_index
from support.pages import Browser

COMPARE = "/ui/team/app/-/compare"


def query_values(query):
    return [value for _, value in parse_qsl(query)]


@pytest.fixture
def front(memory_front):
    return memory_front


def rows(page):
    return [
        [cell.text for cell in [*row.all("th"), *row.all("td")]]
        for table in page.all("tbody")
        for row in table.all("tr")
    ]


def test_layers_and_settings_that_differ_are_shown(front, admin):
    push_built(front, "team/app", "v1", b"base", b"old")
    changed = CONFIG | {"config": CONFIG["config"] | {"Env": ["PATH=/bin", "MODE=slow"], "User": "0"}}
    push_built(front, "team/app", "v2", b"base", b"newer", config=changed)
    page = admin.get(f"{COMPARE}?from=v1&to=v2")
    found = rows(page)
    assert [(row[1], row[2]) for row in found[:3]] == [("removed", "3 B"), ("added", "5 B"), ("shared", "4 B")]
    assert found[3:] == [["User", "1000", "0"], ["Environment MODE", "fast", "slow"]]
    assert "4 B shared, 5 B added, 3 B removed" in page.text


def test_indexes_are_compared_by_platform(front, admin):
    one, two, three = (push_built(front, "team/app", tag, tag.encode()) for tag in ("a", "b", "c"))
    push_index(front, "team/app", "v1", amd64=one, arm64=two)
    push_index(front, "team/app", "v2", amd64=one, arm64=three, riscv64=two)
    page = admin.get(f"{COMPARE}?from=v1&to=v2")
    assert [(row[0], row[-1]) for row in rows(page)] == [
        ("linux/amd64", "same"),
        ("linux/arm64", "changed"),
        ("linux/riscv64", "added"),
    ]
    (link,) = [link for link in page.all("a") if link.text == "changed"]
    assert "Layers" in admin.get(link["href"]).text


def test_the_form_is_there_without_two_references(front, admin):
    digest = push_built(front, "team/app", "v1")
    for query in ("", "?from=v1", "?from=&to=v1"):
        assert "Two tags or digests" in admin.get(COMPARE + query).text
    assert "same manifest" in admin.get(f"{COMPARE}?from=v1&to={digest}").text
    push_artifact(front, "team/app", "other", b"x")
    assert admin.get(f"{COMPARE}?from=v1&to=other")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("from=v1&to=none", 404, ["This repository has no manifest “none”."]),
        ("from=%3Cb%3E&to=v1", 400, ["“<b>” is neither a tag nor a digest."]),
        ("from=-&to=none", 404, ["“-” is neither a tag nor a digest.", "This repository has no manifest “none”."]),
        ("from=sha256%3A12&to=v1", 400, ["“sha256:12” is neither a tag nor a digest."]),
    ],
)
def test_what_names_no_manifest_is_said_beside_the_form(front, admin, query, status, words):
    push_built(front, "team/app", "v1")
    page = admin.get(f"{COMPARE}?{query}", status=status)
    notices = [each.text for each in page.all("p", class_="bad")]
    assert len(notices) == len(words)
    assert all(notice.startswith(text) for notice, text in zip(notices, words, strict=True))
    assert [each["value"] for each in page.one("form", class_="comparing").all("input")] == query_values(query)


def test_both_manifests_must_be_visible(make_front):
    front = make_front(rules=rules(binding("ada", READONLY, "^team/app:v1$"), users=["ada"]))
    push_built(front, "team/app", "v1")
    push_built(front, "team/app", "secret", b"layer")
    browser = Browser(front).sign_in("ada")
    browser.get(f"{COMPARE}?from=v1&to=v1")
    for query in ("?from=v1&to=secret", "?from=secret&to=v1"):
        browser.get(COMPARE + query, status=403)
    browser.get("/ui/team/none/-/compare", status=403)


def test_hostile_settings_are_shown_as_text(front, admin):
    hostile = "<svg onload=alert(1)>"
    push_built(front, "team/app", "v1", config={"config": {"Labels": {hostile: "a"}, "User": hostile}})
    push_built(front, "team/app", "v2", config={"config": {"Labels": {hostile: hostile}}})
    assert rows(admin.get(f"{COMPARE}?from=v1&to=v2")) == [["User", hostile, "—"], [f"Labels {hostile}", "a", hostile]]
