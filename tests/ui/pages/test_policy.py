"""The policy on the pages of administrators."""

from dataclasses import replace
from pathlib import Path

import pytest

from simple_registry.access.policy import BindingPolicy
from simple_registry.config.load import load_access
from support.access import READONLY, READWRITE, binding, rules
from support.front import Front
from support.pages import Browser
from support.stores import in_memory

POLICY = "/ui/-/policy"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCUMENTS = """\
kind: User
metadata: {name: ada}
spec: {groups: [team]}
---
kind: Role
metadata: {name: reads}
spec: {resources: [manifests, blobs], verbs: [pull]}
---
kind: RoleBinding
metadata: {name: team-reads}
spec:
  subjects: [{kind: Group, name: team}]
  roleRef: {name: reads}
  scopes: ['^team/<b>.*$']
"""


@pytest.fixture
def front(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READWRITE, "^team/", name="ada-writes"),
            binding("eve", ("manifests", "GET HEAD"), "^team/app:v1$", name="eve-reads-one"),
            users=["ada", "eve"],
        )
    )
    for name in ("other", "team/app"):
        front.push_manifest(name, "v1", INDEX, OCI_INDEX)
    return front


def together(old, loaded):
    """Return rules whose bindings are those of both, and whose documents are the loaded ones."""
    policy = BindingPolicy([*old.policy.bindings, *loaded.policy.bindings])
    return replace(old, policy=policy, documents=loaded.documents)


def test_bindings_and_documents_are_shown_with_line_and_file_as_it_was_given(tmp_path, monkeypatch, clock):
    (tmp_path / "kept" / "elsewhere").mkdir(parents=True)
    (tmp_path / "kept" / "elsewhere" / "team.yaml").write_text(DOCUMENTS)
    (tmp_path / "rules").symlink_to("kept/elsewhere")
    monkeypatch.chdir(tmp_path)
    with Front(in_memory(clock), clock) as front:
        admin = Browser(front).sign_in()
        front.access.rules = together(front.access.rules, load_access([Path("rules")]))
        page = admin.get(POLICY)
    bindings, documents = page.all("tbody")
    row = bindings.all("tr")[-1]
    assert row.one("th").text == "team-reads rules/team.yaml:9"
    assert [cell.text for cell in row.all("td")] == [
        "group team",
        "reads",
        "GET HEAD",
        "blobs manifests",
        "^team/<b>.*$",
    ]
    assert [[each.text for each in row.content if not isinstance(each, str)] for row in documents.all("tr")] == [
        ["ada", "User", "rules/team.yaml:1"],
        ["reads", "Role", "rules/team.yaml:5"],
        ["team-reads", "RoleBinding", "rules/team.yaml:9"],
    ]


def test_the_error_of_the_last_reload_is_shown(front):
    front.access.stale = "team.yaml:3: <i>spec.verbs is unknown"
    page = Browser(front).sign_in().get(POLICY)
    assert "team.yaml:3: <i>spec.verbs is unknown" in page.one("p", class_="bad").text


@pytest.mark.parametrize(
    ("question", "answer", "names"),
    [
        ("user=ada&verb=push&resource=image&where=team/app:v1", "good", "ada-writes"),
        ("user=ada&verb=delete&resource=image&where=team/app:v1", "bad", "ada-writes"),
        ("user=eve&verb=pull&resource=manifests&where=team/app:v1", "good", "eve-reads-one"),
        ("user=nobody&verb=pull&resource=image&where=a", "warn", "nobody"),
        ("user=ada&verb=pull&resource=image", "warn", "REPOSITORY"),
        ("user=ada&verb=%3Cb%3E&resource=image&where=a", "warn", "<b>"),
        ("user=ada&verb=pull&resource=image&where=%3Cb%3E", "warn", "<b>"),
    ],
)
def test_a_question_is_answered_with_the_binding(front, question, answer, names):
    page = Browser(front).sign_in().get(f"{POLICY}/can-i?{question}")
    assert page.one("p", class_=answer)
    assert names in page.one("main").text
    assert page.one("main").all("b") == []


def test_the_form_keeps_what_was_asked(front):
    form = (
        Browser(front)
        .sign_in()
        .get(f"{POLICY}/can-i?user=a%22&verb=delete&resource=tags&where=b")
        .one("form", class_="stacked")
    )
    assert [each["value"] for each in form.all("input")] == ['a"', "b"]
    assert [each.text for each in form.all("option", selected="")] == ["delete", "tags"]


def test_the_matrix_shows_who_may_do_what(front):
    page = Browser(front).sign_in().get(f"{POLICY}/matrix")
    table = page.one("table")
    assert [each.text for each in table.one("thead").all("th")] == ["Repository", "ada", "admin", "eve"]
    assert [[each.text for each in row.all("td")] for row in table.one("tbody").all("tr")] == [
        ["\N{EN DASH}", "pull, push, delete", "\N{EN DASH}"],
        ["pull, push", "pull, push, delete", "some tags"],
    ]
    filtered = Browser(front).sign_in().get(f"{POLICY}/matrix?q=team")
    assert [each.text for each in filtered.one("tbody").all("th")] == ["team/app"]
    assert Browser(front).sign_in().get(f"{POLICY}/matrix?q=nothing").one("div", class_="empty")


def test_many_users_and_repositories_come_in_pages(make_front):
    front = make_front(rules=rules(binding("u00", READONLY, "^"), users=[f"u{number:02}" for number in range(12)]))
    for number in range(33):
        front.push_manifest(f"r{number:02}", "v1", INDEX, OCI_INDEX)
    admin = Browser(front).sign_in()
    page = admin.get(f"{POLICY}/matrix")
    assert len(page.one("tbody").all("tr")) == 30
    assert len(admin.get(page.one("a", rel="next")["href"]).one("tbody").all("tr")) == 3
    links = {each.text: each["href"] for each in page.one("nav", class_="pager").all("a")}
    later = admin.get(links["Further users"])
    assert [each.text for each in later.one("thead").all("th")][1:] == ["u07", "u08", "u09", "u10", "u11"]


@pytest.mark.parametrize("path", [POLICY, f"{POLICY}/can-i", f"{POLICY}/matrix"])
def test_only_administrators_see_the_policy(front, path):
    assert Browser(front).sign_in("ada").get(path, status=403)
    assert Browser(front).get(path, status=401)
