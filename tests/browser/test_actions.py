"""What a visitor changes with pages: each says what it will do, does that, and leaves the event that the API leaves."""

import json

import pytest

from browser.artifacts import SHOP, image
from browser.pushing import Repository
from browser.site import ADMIN, DEVELOPER, NARROW, WEB

pytestmark = pytest.mark.browser


@pytest.fixture
def pushed(site, repository):
    """A new repository, the digest that `v1` pointed at, and the one that it points at."""
    to = Repository(site.registry, repository)
    before, after = (image(to, "v1", version=version, steps=SHOP[:3])["digest"] for version in ("1", "2"))
    return repository, before, after


@pytest.fixture
def visit(browser, site):
    """A visit of the developer."""
    with browser.visit(site.registry, DEVELOPER) as running:
        yield running


def last_event(site, repository):
    answer = site.registry.request("GET", f"/api/v1/repositories/{repository}/history?n=1")
    return json.loads(answer.body)["events"][0]


def test_a_wrong_push_is_found_in_the_history_and_rolled_back(visit, site, pushed):
    repository, before, after = pushed
    visit.go(f"/ui/{repository}/-/tags")
    assert f"by {ADMIN}" in visit.follow("v1").locator("main dl").first.inner_text()
    visit.follow("History of the tag")
    text = visit.follow("roll back to this").inner_text("main")
    assert before.split(":")[1][:12] in text
    assert after.split(":")[1][:12] in text
    assert site.registry.digest(repository, "v1") == after
    visit.press("Roll back")
    assert site.registry.digest(repository, "v1") == before
    event = last_event(site, repository)
    assert (event["action"], event["identity"], event["before"]) == ("tag.rollback", DEVELOPER, after)


def test_a_tag_is_deleted_and_restored(visit, site, pushed):
    repository, _, after = pushed
    visit.go(f"/ui/{repository}/-/manifests/v1")
    visit.follow("Delete the tag")
    visit.press("Delete the tag")
    assert site.registry.digest(repository, "v1") is None
    assert last_event(site, repository)["action"] == "tag.delete"
    visit.go(f"/ui/{repository}/-/history")
    visit.follow("restore")
    visit.press("Restore the tag")
    assert site.registry.digest(repository, "v1") == after
    assert last_event(site, repository)["action"] == "tag.restore"


def test_a_manifest_is_deleted_with_its_tags_and_restored(visit, site, pushed):
    repository, _, after = pushed
    visit.go(f"/ui/{repository}/-/manifests/{after}")
    page = visit.follow("Delete the manifest")
    assert "v1" in page.inner_text("main")
    visit.press("Delete the manifest")
    assert site.registry.digest(repository, after) is None
    visit.go(f"/ui/{repository}/-/restore?of={after}")
    visit.press("Restore the manifest")
    assert site.registry.digest(repository, "v1") == after


def test_a_repository_is_deleted_and_restored(visit, site, pushed):
    repository, _, after = pushed
    visit.go(f"/ui/{repository}/-/tags")
    page = visit.follow("Delete")
    assert repository in page.inner_text("main")
    visit.press("Delete the repository")
    assert site.registry.digest(repository, after) is None
    visit.go(f"/ui/{repository}/-/restore")
    visit.press("Restore the repository")
    assert site.registry.digest(repository, "v1") == after


def test_a_tag_is_added(visit, site, pushed):
    repository, before, _ = pushed
    visit.go(f"/ui/{repository}/-/manifests/{before}")
    page = visit.follow("Add a tag")
    page.get_by_label("Tag").fill("good")
    visit.press("Continue")
    assert site.registry.digest(repository, "good") is None
    visit.press("Set the tag")
    assert site.registry.digest(repository, "good") == before


def test_cancelling_changes_nothing(visit, site, pushed):
    repository, _, after = pushed
    events = last_event(site, repository)
    visit.go(f"/ui/{repository}/-/manifests/v1/delete")
    visit.follow("Cancel")
    assert site.registry.digest(repository, "v1") == after
    assert last_event(site, repository) == events


def test_a_tag_that_moved_meanwhile_stays(visit, site, pushed):
    repository, _, _ = pushed
    visit.go(f"/ui/{repository}/-/tags/v1/roll-back")
    moved = image(Repository(site.registry, repository), "v1", version="3", steps=SHOP[:3])["digest"]
    page = visit.press("Roll back", status=412)
    assert page.get_by_role("heading").inner_text() == "It has changed meanwhile"
    assert site.registry.digest(repository, "v1") == moved


def test_everything_works_without_scripts(browser, site, pushed):
    repository, before, _ = pushed
    with browser.visit(site.registry, script=False) as visit:
        visit.sign_in(DEVELOPER, site.registry.password)
        visit.page.wait_for_url(f"{visit.origin}/")
        visit.go(f"/ui/{repository}/-/history?tag=v1")
        visit.follow("roll back to this")
        visit.press("Roll back")
        visit.page.locator("header summary").click()
        with visit.page.expect_navigation():
            visit.page.get_by_role("button", name="Sign out").click()
        assert visit.page.locator("header .name").count() == 0
    assert site.registry.digest(repository, "v1") == before


def test_everything_works_with_the_keyboard_alone(browser, site, pushed):
    repository, before, _ = pushed
    with browser.visit(site.registry, DEVELOPER) as visit:
        page = visit.go(f"/ui/{repository}/-/history?tag=v1")
        for wanted in ("roll back to this", "Roll back"):
            seen = []
            while not seen or seen[-1] != wanted:
                page.keyboard.press("Tab")
                seen.append(page.evaluate("document.activeElement.innerText"))
                assert len(seen) < 100, seen
            with page.expect_navigation():
                page.keyboard.press("Enter")
        assert site.registry.digest(repository, "v1") == before


def test_a_protected_tag_is_explained_and_not_offered(visit):
    page = visit.go(f"/ui/{WEB}/-/manifests/2.3.1/delete")
    assert "releases" in page.get_by_role("main").inner_text()
    assert page.locator("main form").count() == 0


@pytest.mark.parametrize(
    "path",
    [
        "history",
        "delete",
        "restore",
        "tags/latest/roll-back",
        "manifests/2.4.0/delete",
        "manifests/2.4.0/tag?tag=new",
    ],
)
def test_a_reader_is_offered_no_change_and_refused_each(browser, site, path):
    with browser.visit(site.registry, NARROW) as visit:
        page = visit.go(f"/ui/{WEB}/-/manifests/2.4.0")
        links = page.locator("main a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
        assert not [link for link in links if link.endswith(("/delete", "/tag", "/roll-back", "/history", "/restore"))]
        visit.go(f"/ui/{WEB}/-/{path}", status=403)


def test_an_anonymous_visitor_is_asked_to_sign_in_and_led_back(browser, site, pushed):
    repository, _, _ = pushed
    with browser.visit(site.registry) as visit:
        page = visit.go(f"/ui/{repository}/-/tags", status=401)
        page.get_by_label("User name").fill(ADMIN)
        page.get_by_label("Password").fill(site.registry.password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{visit.origin}/ui/{repository}/-/tags")


def test_a_button_copies_the_whole_command(browser, site, pushed):
    repository, _, after = pushed
    with browser.visit(site.registry, DEVELOPER) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit.go(f"/ui/{repository}/-/manifests/v1")
        page.locator(".commands button").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == f"docker pull {site.registry.host}/{repository}:v1"
        page.locator("dd button.copy").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == after


def test_a_list_follows_what_is_typed(browser, site):
    with browser.visit(site.registry, ADMIN) as visit:
        page = visit.go("/")
        page.get_by_role("searchbox").press_sequentially("price")
        page.wait_for_url(f"{visit.origin}/?q=price")
        assert page.locator("tbody tr").count() == 1


def test_times_are_in_the_zone_of_the_reader(browser, site):
    with browser.visit(site.registry, ADMIN) as visit:
        title = visit.go("/").locator("time").first.get_attribute("title")
        assert "CET" in title or "GMT+1" in title
