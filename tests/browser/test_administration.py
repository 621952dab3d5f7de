"""What visitors do with tokens, uploads, garbage collection and retention, each after a page that says so."""

import json
from dataclasses import replace

import bcrypt
import pytest

from browser.accessibility import violations
from browser.artifacts import SHOP, image
from browser.pushing import Repository
from browser.site import ADMIN, API, DEVELOPER, NARROW, WEB
from e2e.server import PASSWORD, serve

pytestmark = pytest.mark.browser

DOCUMENTS = """\
kind: User
metadata: {name: keeper}
spec: {passwordHash: HASH}
---
kind: User
metadata: {name: reader}
spec: {passwordHash: HASH}
---
kind: Role
metadata: {name: keep}
spec: {resources: [maintenance], verbs: [pull, run]}
---
kind: Role
metadata: {name: look}
spec: {resources: [maintenance], verbs: [pull]}
---
kind: Role
metadata: {name: pull}
spec: {resources: [manifests, blobs, catalog], verbs: [pull]}
---
kind: RoleBinding
metadata: {name: keepers}
spec: {subjects: [{kind: User, name: keeper}], roleRef: {name: keep}, scopes: ["^$"]}
---
kind: RoleBinding
metadata: {name: lookers}
spec: {subjects: [{kind: User, name: reader}], roleRef: {name: look}, scopes: ["^$"]}
---
kind: RoleBinding
metadata: {name: pullers}
spec:
  subjects: [{kind: User, name: keeper}, {kind: User, name: reader}]
  roleRef: {name: pull}
  scopes: [""]
---
kind: Retention
metadata: {name: builds}
spec: {scopes: ["^ci/"], keep: [{newest: 1}]}
---
kind: Configuration
metadata: {name: main}
spec: {garbageCollection: {grace: 1s, interval: 1h}}
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A registry with builds of which a Retention keeps the last, and with a deleted image whose grace is over."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
    with serve(tmp_path_factory.mktemp("kept"), configuration=DOCUMENTS.replace("HASH", hashed)) as registry:
        for number in range(3):
            image(Repository(registry, "ci/builds"), f"b{number}", version=str(number), steps=SHOP[:1])
        gone = Repository(registry, "old/gone")
        image(gone, "v1", version="gone", steps=SHOP[:1])
        gone.delete_all()
        yield registry


def collected(registry):
    """Return the number of contents that the last collection by request removed."""
    last = json.loads(registry.request("GET", "/api/v1/garbage-collection").body)["last"]
    return next((row["removed"]["contents"] for row in last if row["origin"] == "request"), None)


def own(site):
    return replace(site.registry, username=DEVELOPER)


def test_a_token_is_created_with_an_end_and_scopes_used_and_revoked(browser, site):
    with browser.visit(site.registry, DEVELOPER) as visit:
        page = visit.go("/ui/-/tokens")
        page.get_by_label("What it is for").fill("nightly")
        page.get_by_label("It expires after").select_option("7 days")
        page.get_by_label("Limit it to scopes").fill("repository:^shop/web(:|$):pull")
        page = visit.press("Create", status=201)
        facts = page.locator("main dl").inner_text()
        assert "in 6 days" in facts or "in 7 days" in facts
        assert "repository:^shop/web(:|$):pull" in facts
        assert violations(page) == []
        limited = replace(own(site), password=page.locator(".copy-field code").first.inner_text())
        assert limited.request("GET", f"/v2/{WEB}/manifests/latest").status == 200
        assert limited.request("GET", f"/v2/{API}/manifests/main").status == 401
        visit.follow("To your tokens")
        visit.follow("Revoke nightly")
        assert limited.request("GET", f"/v2/{WEB}/manifests/latest").status == 200
        page = visit.press("Revoke")
        assert "The token was revoked." in page.get_by_role("status").inner_text()
        assert "nightly" not in page.locator("main").inner_text()
    assert limited.request("GET", f"/v2/{WEB}/manifests/latest").status == 401


def test_a_token_that_cannot_be_created_is_explained(browser, site):
    with browser.visit(site.registry, DEVELOPER) as visit:
        page = visit.go("/ui/-/tokens")
        page.get_by_label("What it is for").fill("wrong")
        page.get_by_label("Limit it to scopes").fill("shop/web")
        assert "shop/web" in visit.press("Create", status=400).locator("main").inner_text()
        assert "wrong" not in visit.go("/ui/-/tokens").locator("main").inner_text()


def test_an_upload_is_cancelled(browser, site, repository):
    session = Repository(own(site), repository).upload()
    path = f"/v2/{repository}/blobs/uploads/{session}"
    with browser.visit(site.registry, ADMIN) as visit:
        visit.go("/ui/-/uploads")
        page = visit.follow(f"Cancel the upload {session}")
        assert repository in page.locator("main").inner_text()
        visit.follow("Keep it")
        assert own(site).request("GET", path).status == 204
        visit.follow(f"Cancel the upload {session}")
        page = visit.press("Cancel")
        assert "The upload was canceled." in page.get_by_role("status").inner_text()
    assert own(site).request("GET", path).status == 404


def test_garbage_is_collected_after_a_rehearsal(browser, kept):
    with browser.visit(kept, "keeper") as visit:
        page = visit.go("/ui/-/collection")
        page.get_by_label("Include manifests without a tag").check()
        page = visit.press("Show what would be removed")
        assert "Removed from the disk\n3 contents" in page.locator("main dl").inner_text()
        assert violations(page) == []
        assert collected(kept) is None
        page = visit.press("Collect")
        assert "The collection is done." in page.get_by_role("status").inner_text()
    assert collected(kept) == 3


def test_a_retention_is_applied_after_a_page_that_names_the_tags(browser, kept):
    with browser.visit(kept, "keeper") as visit:
        visit.go("/ui/-/retention")
        page = visit.follow("Apply")
        assert "b0 b1" in page.locator("main tbody").inner_text()
        visit.follow("Cancel")
        assert kept.digest("ci/builds", "b0") is not None
        visit.follow("Apply")
        page = visit.press("Remove the tags")
        assert "The plan was applied." in page.get_by_role("status").inner_text()
    assert [kept.digest("ci/builds", tag) is None for tag in ("b0", "b1", "b2")] == [True, True, False]


def test_a_reader_of_maintenance_is_offered_no_start(browser, kept):
    with browser.visit(kept, "reader") as visit:
        for path in ("/ui/-/collection", "/ui/-/retention"):
            page = visit.go(path)
            assert page.locator("main form").count() == 0
            assert page.locator("main .button").count() == 0
        visit.go("/ui/-/retention/apply", status=403)


@pytest.mark.parametrize("page", ["collection", "retention", "retention/apply", "uploads", "storage"])
def test_visitors_without_the_permission_are_refused(browser, site, page):
    with browser.visit(site.registry, NARROW) as visit:
        visit.go(f"/ui/-/{page}", status=403)
    with browser.visit(site.registry) as visit:
        visit.go(f"/ui/-/{page}", status=401)
