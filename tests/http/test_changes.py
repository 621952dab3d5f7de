"""What the API and the web pages have in common leaves the same events."""

from dataclasses import replace

import pytest

from simple_registry.access.retention import KeepRule, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.oci.digests import digest_of
from support.access import rules
from support.documents import push_image
from support.pages import Browser, read

APP = "/ui/team/app/-"
JSON = {"content-type": "application/json"}
NONE = Retention("none", (ScopePattern("^"),), (KeepRule(tags=(ScopePattern("^kept$"),)),))


def by_api(front, change):
    match change:
        case "roll back":
            front.post("/api/v1/repositories/team/app/rollback", headers=JSON, body=b'{"tag":"v1"}')
        case "delete tag":
            front.delete("/v2/team/app/manifests/v1")
        case "delete manifest":
            front.delete(f"/v2/team/app/manifests/{digest_of(front.get('/v2/team/app/manifests/v1').body)}")
        case "restore":
            front.post("/api/v1/repositories/team/app/restore", headers=JSON, body=b'{"tag":"gone"}')
        case "delete repository":
            front.delete("/api/v1/repositories/team/app")
        case "tag":
            front.push_manifest("team/app", "v2", front.get("/v2/team/app/manifests/v1").body)
        case "apply":
            front.post("/api/v1/retention", headers=JSON, body=b"{}")
        case "collect":
            front.post("/api/v1/garbage-collection", headers=JSON, body=b"{}")


def by_page(front, change):
    digest = digest_of(front.get("/v2/team/app/manifests/v1").body)
    path = {
        "roll back": f"{APP}/tags/v1/roll-back",
        "delete tag": f"{APP}/manifests/v1/delete",
        "delete manifest": f"{APP}/manifests/{digest}/delete",
        "restore": f"{APP}/restore?of=gone",
        "delete repository": f"{APP}/delete",
        "tag": f"{APP}/manifests/v1/tag?tag=v2",
        "apply": "/ui/-/retention/apply",
        "collect": "/ui/-/collection",
    }[change]
    browser = Browser(front).sign_in()
    page = browser.get(path)
    if change == "collect":
        page = read(browser.submit(page.one("main").one("form")).body)
    assert browser.submit(page.one("form", class_="confirm")).status == 303


@pytest.mark.parametrize(
    "change",
    ["roll back", "delete tag", "delete manifest", "restore", "delete repository", "tag", "apply", "collect"],
)
def test_a_change_leaves_the_same_events_and_rows_by_page_and_by_api(make_front, change):
    events, journals = [], []
    for make in (by_api, by_page):
        lines = []
        front = make_front(audit=lines.append, rules=replace(rules(), retentions=(NONE,)))
        for layer in (b"old", b"new"):
            push_image(front, "team/app", "v1", layer)
        push_image(front, "team/app", "gone")
        front.delete("/v2/team/app/manifests/gone")
        del lines[:]
        make(front, change)
        changed = [line for line in lines if not line["event"].startswith("websession")]
        kept = ("event", "repository", "digest", "previous", "decision", "identity", "binding", "count", "size")
        events.append([{name: line.get(name) for name in kept} for line in changed])
        found = front.get("/api/v1/repositories/team/app/history").json["events"]
        journals.append(
            [(each["action"], each["tag"], each["before"], each["after"], each["identity"]) for each in found]
        )
        front.delete("/api/v1/repositories/team/app")
    assert events[0] == events[1]
    assert events[0]
    assert journals[0] == journals[1][: len(journals[0])]
