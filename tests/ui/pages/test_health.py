"""The page of the state of the registry."""

from dataclasses import replace

from simple_registry.storage.stores import DiskSpace
from support.access import READWRITE, binding, rules
from support.documents import push_image
from support.front import Front
from support.pages import Browser
from support.stores import in_memory

HEALTH = "/ui/-/health"


def facts(page):
    names = [each.text for each in page.all("dt")]
    return dict(zip(names, [each.text for each in page.all("dd")], strict=True))


def test_the_page_shows_what_the_registry_holds(make_front):
    front = make_front()
    push_image(front, "a", "v1")
    push_image(front, "b", "v1")
    shown = facts(Browser(front).sign_in().get(HEALTH))
    assert (shown["Repositories"], shown["Tags"], shown["Manifests"], shown["Contents, each digest once"]) == (
        "2",
        "2",
        "2",
        "2",
    )
    assert shown["Saved by sharing"] != "0 B"
    assert shown["Simple Registry"]


def test_what_is_wrong_is_shown(memory_front, admin):
    assert admin.get(HEALTH).one("span", class_="badge").text == "ready"
    memory_front.run(memory_front.services.registry.read_only.begin("<b>a move</b>"))
    page = admin.get(HEALTH)
    assert page.one("span", class_="warn").text == "read-only"
    assert "<b>a move</b>" in facts(page)["Read-only mode"]
    memory_front.access.stale = "users.yaml:3: <i>unknown field"
    page = admin.get(HEALTH)
    assert page.one("span", class_="bad").text == "outdated rules"
    assert "users.yaml:3: <i>unknown field" in facts(page)["Access rules"]


def test_free_space_is_shown_where_it_is_known(clock):
    kept = in_memory(clock)
    stores = replace(kept.stores, disk_space=lambda: DiskSpace(free=1024, size=4096))
    with Front(replace(kept, stores=stores), clock) as front:
        page = Browser(front).sign_in().get(HEALTH)
    assert "1.0 KiB of 4.0 KiB are free" in facts(page)["Free space"]
    assert (page.one("meter")["value"], page.one("meter")["max"]) == ("3072", "4096")
    assert page.one("span", class_="badge").text == "ready"


def test_warnings_are_shown_with_their_begin(clock):
    kept = in_memory(clock)
    stores = replace(kept.stores, disk_space=lambda: DiskSpace(free=1024, size=40960))
    with Front(replace(kept, stores=stores), clock) as front:
        page = Browser(front).sign_in().get(HEALTH)
    assert page.one("span", class_="warn").text == "warnings"
    assert facts(page)["Warning"].startswith("only 1.0 KiB of 40.0 KiB are free in the data directory, since ")


def test_only_administrators_see_it(make_front):
    front = make_front(rules=rules(binding("ada", READWRITE, "^"), users=["ada"]))
    assert Browser(front).sign_in("ada").get(HEALTH, status=403)
    assert Browser(front).get(HEALTH, status=401)
