"""Pages that change a repository: what they say first, and that their forms do just that."""

from dataclasses import replace

import pytest

from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import TagProtection
from simple_registry.config.settings import DeleteReferenced, Settings
from simple_registry.oci.digests import digest_of
from support.access import ADMINS, READONLY, binding, rules
from support.artifacts import push_built, push_index
from support.documents import push_image, push_tags
from support.pages import Browser

APP = "/ui/team/app/-"
ACTIONS = [
    f"{APP}/manifests/v1/delete",
    f"{APP}/manifests/v1/tag?tag=v2",
    f"{APP}/tags/v1/roll-back",
    f"{APP}/delete",
    f"{APP}/restore?of=gone",
]
"""Pages of everything that can be done with what `prepared` pushed."""


@pytest.fixture
def front(memory_front):
    return memory_front


def prepare(front):
    """Push a tag twice, and delete another one. Return the digests of the tag."""
    digests = [digest_of(push_image(front, "team/app", "v1", layer)) for layer in (b"old", b"new")]
    push_image(front, "team/app", "gone")
    assert front.delete("/v2/team/app/manifests/gone").status == 202
    return digests


def target(front, tag, repository="team/app"):
    reply = front.head(f"/v2/{repository}/manifests/{tag}")
    return reply.header("docker-content-digest")


def form_of(browser, path):
    return browser.get(path).one("form", class_="confirm")


def moves(page):
    """Return what tags point at and will point at, as a page says."""
    rows = page.one("table", class_="moves").one("tbody").all("tr")
    return [[cell.text for cell in [*row.all("th"), *row.all("td")]] for row in rows]


def test_a_tag_is_rolled_back_to_its_previous_target(front, admin):
    old, new = prepare(front)
    path = f"{APP}/tags/v1/roll-back"
    assert moves(admin.get(path)) == [["v1", new.encoded[:12], old.encoded[:12]]]
    with front.unchanged():
        form = form_of(admin, path)
    reply = admin.submit(form)
    assert (reply.status, reply.location) == (303, f"{APP}/tags?done=rolled-back")
    assert target(front, "v1") == str(old)
    assert "rolled back" in admin.get(reply.location).one("p", class_="good").text


def test_a_tag_is_rolled_back_to_what_it_was_after_an_event(front, admin):
    old, _ = prepare(front)
    events = admin.get(f"{APP}/history?tag=v1").one("ol", class_="timeline").all("li")
    (link,) = [link for link in events[-1].all("a") if link.text == "roll back to this"]
    admin.submit(form_of(admin, link["href"]))
    assert target(front, "v1") == str(old)


def test_a_deleted_tag_is_rolled_back_or_restored(front, admin):
    prepare(front)
    page = admin.get(f"{APP}/restore?of=gone")
    assert [row[:2] for row in moves(page)] == [["gone", "nothing"]]
    assert admin.submit(page.one("form", class_="confirm")).status == 303
    assert target(front, "gone")


def test_a_tag_is_deleted_and_the_manifest_stays(front, admin):
    _, new = prepare(front)
    front.push_manifest("team/app", "other", front.get("/v2/team/app/manifests/v1").body)
    page = admin.get(f"{APP}/manifests/v1/delete")
    assert moves(page) == [["v1", new.encoded[:12], "nothing"]]
    assert "other" in [each.text for each in page.all("span", class_="tag")]
    reply = admin.submit(page.one("form", class_="confirm"))
    assert reply.location == f"{APP}/tags?done=tag-deleted"
    assert (target(front, "v1"), target(front, "other"), target(front, new)) == (None, str(new), str(new))


def test_refusals_to_restore_a_tag_do_not_say_whether_it_was_deleted(make_front):
    front = make_front(rules=rules(binding("ada", ("manifests", "GET restore"), "^team/app$"), users=["ada"]))
    prepare(front)
    ada = Browser(front).sign_in("ada")
    for tag in ("gone", "never"):
        ada.get(f"{APP}/restore?of={tag}", status=403)


def test_a_manifest_is_deleted_with_its_tags_and_restored(front, admin):
    _, new = prepare(front)
    path = f"{APP}/manifests/{new}/delete"
    page = admin.get(path)
    assert "v1" in [each.text for each in page.all("span", class_="tag")]
    assert admin.submit(page.one("form", class_="confirm")).location == f"{APP}/tags?done=manifest-deleted"
    assert (target(front, "v1"), target(front, new)) == (None, None)
    page = admin.get(f"{APP}/restore?of={new}")
    assert moves(page) == [["v1", "nothing", new.encoded[:12]]]
    admin.submit(page.one("form", class_="confirm"))
    assert target(front, "v1") == str(new)


def test_a_repository_is_deleted_and_restored(front, admin):
    _, new = prepare(front)
    page = admin.get(f"{APP}/delete")
    assert "1 tags" in page.text
    reply = admin.submit(page.one("form", class_="confirm"))
    assert target(front, "v1") is None
    events = admin.get(reply.location).one("ol", class_="timeline").all("li")
    (link,) = [
        link for each in events for link in each.all("a") if link.text == "restore" and "of=" not in link["href"]
    ]
    page = admin.get(link["href"])
    assert ["v1", "nothing", new.encoded[:12]] in moves(page)
    assert admin.submit(page.one("form", class_="confirm")).status == 303
    assert target(front, "v1") == str(new)


def test_a_manifest_gets_a_further_tag(front, admin):
    _, new = prepare(front)
    page = admin.get(f"{APP}/manifests/v1/tag")
    assert page.one("form", class_="stacked")["action"] == f"{APP}/manifests/v1/tag"
    page = admin.get(f"{APP}/manifests/v1/tag?tag=stable")
    assert moves(page) == [["stable", "nothing", new.encoded[:12]]]
    reply = admin.submit(page.one("form", class_="confirm"))
    assert reply.location == f"{APP}/manifests/stable?done=tagged"
    assert target(front, "stable") == str(new)
    assert "The tag was set" in admin.get(reply.location).text


def test_a_tag_that_exists_moves_only_as_the_page_said(front, admin):
    old, new = prepare(front)
    push_tags(front, "team/app", ["stable"])
    page = admin.get(f"{APP}/manifests/{old}/tag?tag=stable")
    assert moves(page)[0][2] == old.encoded[:12]
    front.push_manifest("team/app", "stable", front.get(f"/v2/team/app/manifests/{new}").body)
    with front.unchanged():
        assert admin.submit(page.one("form", class_="confirm")).status == 412
    assert admin.ask("GET", f"{APP}/manifests/v1/tag?tag=%3Cb%3E").status == 400


@pytest.mark.parametrize(
    "path", [f"{APP}/manifests/v1/delete", f"{APP}/manifests/v1/tag?tag=v1", f"{APP}/tags/v1/roll-back"]
)
def test_nothing_happens_to_a_tag_that_was_moved_meanwhile(front, admin, path):
    prepare(front)
    form = form_of(admin, path)
    push_image(front, "team/app", "v1", b"newest")
    with front.unchanged():
        assert admin.submit(form).status in {404, 412}


@pytest.mark.parametrize(
    ("path", "events"),
    [
        (f"{APP}/tags/v1/roll-back", [("tag.rollback", "v1")]),
        (f"{APP}/manifests/v1/tag?tag=v2", [("manifest.push", "v1"), ("tag.set", "v2")]),
        (f"{APP}/manifests/v1/delete", [("tag.delete", "v1")]),
        (f"{APP}/delete", [("repository.delete", None)]),
        (f"{APP}/restore?of=gone", [("tag.restore", "gone")]),
    ],
)
def test_changes_are_audited_as_those_of_the_api(make_front, path, events):
    lines = []
    front = make_front(audit=lines.append)
    prepare(front)
    admin = Browser(front).sign_in()
    form = form_of(admin, path)
    del lines[:]
    assert admin.submit(form).status == 303
    assert [(line["event"], line.get("reference")) for line in lines] == events
    assert {(line["identity"], line["repository"], line["binding"]) for line in lines} == {
        ("admin", "team/app", lines[0]["binding"])
    }
    assert lines[0]["binding"]


@pytest.mark.parametrize("path", ACTIONS)
def test_in_read_only_mode_a_page_says_that_nothing_can_be_changed(front, admin, path):
    prepare(front)
    form = form_of(admin, path)
    front.run(front.services.registry.read_only.begin("moving <b>"))
    page = admin.get(path)
    assert "moving <b>" in page.one("p", class_="warn").text
    assert page.all("form", class_="confirm") == []
    with front.unchanged():
        assert admin.submit(form).status == 503


@pytest.mark.parametrize("path", ACTIONS)
def test_a_form_of_another_session_or_site_changes_nothing(front, admin, path):
    prepare(front)
    form = form_of(admin, path)
    fields = {each["name"]: each["value"] for each in form.all("input")}
    with front.unchanged():
        assert admin.post(form["action"], fields | {"form-token": ""}).status == 403
        assert admin.post(form["action"], {k: v for k, v in fields.items() if k != "form-token"}).status == 403
        other = Browser(front)
        other.cookies = dict(admin.cookies)
        assert other.post(form["action"], fields, **{"sec-fetch-site": "cross-site"}).status == 403
        assert other.post(form["action"], fields, **{"sec-fetch-site": "same-site"}).status == 403
    assert admin.submit(form).status == 303


@pytest.mark.parametrize("path", ACTIONS)
def test_an_action_is_refused_and_not_offered_without_its_right(make_front, path):
    front = make_front(rules=rules(binding("ada", READONLY, "^team/app"), users=["ada"]))
    prepare(front)
    form = form_of(Browser(front).sign_in(), path)
    fields = {each["name"]: each["value"] for each in form.all("input")}
    ada = Browser(front).sign_in("ada")
    token = ada.get(f"{APP}/tags").all("input", type="hidden")[0]["value"]
    with front.unchanged():
        ada.get(path, status=403)
        assert ada.post(form["action"], fields | {"form-token": token}).status == 403
        Browser(front).get(path, status=401)
        assert Browser(front).post(form["action"], fields).status == 401
    for page in (ada.get(f"{APP}/tags"), ada.get(f"{APP}/manifests/v1")):
        links = {link["href"].partition("?")[0] for link in page.one("main").all("a")}
        assert links.isdisjoint(each.partition("?")[0] for each in ACTIONS)


def test_the_right_is_decided_again_when_the_form_comes(make_front):
    given = rules(binding("ada", ADMINS, "^team/app"), users=["ada"])
    front = make_front(rules=given)
    prepare(front)
    ada = Browser(front).sign_in("ada")
    form = form_of(ada, f"{APP}/manifests/v1/delete")
    front.access.rules = rules(binding("ada", READONLY, "^team/app"), users=["ada"])
    with front.unchanged():
        assert ada.submit(form).status == 403


def test_a_protected_tag_is_refused_before_and_after(make_front):
    protection = TagProtection("releases", (ScopePattern("^team/app:v1$"),))
    front = make_front(rules=replace(rules(), protections=(protection,)))
    digest = digest_of(push_image(front, "team/app", "v1"))
    other = digest_of(push_image(front, "team/app", "other", b"layer"))
    admin = Browser(front).sign_in()
    for path in (
        f"{APP}/manifests/v1/delete",
        f"{APP}/manifests/{digest}/delete",
        f"{APP}/manifests/{other}/tag?tag=v1",
    ):
        page = admin.get(path)
        assert "releases" in page.one("p", class_="warn").text
        assert page.all("form", class_="confirm") == []
    token = page.all("input", type="hidden")[0]["value"]
    with front.unchanged():
        fields = {"form-token": token, "expected": str(digest)}
        assert admin.post(f"{APP}/manifests/v1/delete", fields).status == 409


@pytest.mark.parametrize(
    "path",
    [f"{APP}/restore?of=never", f"{APP}/restore", f"{APP}/tags/never/roll-back", f"{APP}/manifests/never/delete"],
)
def test_what_cannot_be_done_is_not_found(front, admin, path):
    prepare(front)
    admin.get(path, status=404)


@pytest.mark.parametrize(("setting", "refused"), [(DeleteReferenced.REFUSE, True), (DeleteReferenced.ALLOW, False)])
def test_a_part_of_an_index_is_deleted_only_where_that_is_allowed(make_front, setting, refused):
    front = make_front(replace(Settings(), delete_referenced=setting))
    part = push_built(front, "team/app", "part")
    whole = push_index(front, "team/app", "v1", amd64=part)
    admin = Browser(front).sign_in()
    page = admin.get(f"{APP}/manifests/{part}/delete")
    assert f"{APP}/manifests/{whole}" in [link["href"] for link in page.one("main").all("a")]
    assert (page.all("form", class_="confirm") == []) == refused
    token = page.all("input", type="hidden")[0]["value"]
    assert admin.post(f"{APP}/manifests/{part}/delete", {"form-token": token}).status == (409 if refused else 303)
