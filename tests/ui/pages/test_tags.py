"""The page of a repository."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.operations import tag_lists
from simple_registry.operations.tag_lists import TagOrder
from support.access import READONLY, binding, rules
from support.artifacts import push_artifact, push_built, push_index
from support.documents import push_image, push_tags
from support.pages import Browser

TAGS = "/ui/team/app/-/tags"


def listed(page):
    """Return the tags that a page lists."""
    return [row.one("th").text for row in page.one("table").one("tbody").all("tr")]


def row_of(page, tag):
    (row,) = [row for row in page.one("table").one("tbody").all("tr") if row.one("th").text == tag]
    return [cell.text for cell in row.all("td")]


@pytest.fixture
def front(memory_front):
    return memory_front


def test_each_tag_is_shown_with_kind_platforms_size_digest_and_time(front, admin, clock):
    one = push_built(front, "team/app", "one", b"a" * 2048)
    two = push_built(front, "team/app", "two", b"b" * 3072)
    digest = push_index(front, "team/app", "all", amd64=one, arm64=two)
    push_artifact(front, "team/app", "bom", b"{}", content_type="application/spdx+json")
    page = admin.get(TAGS)
    assert sorted(listed(page)) == ["all", "bom", "one", "two"]
    kind, platforms, size, shown, _, _ = row_of(page, "one")
    assert (kind, platforms, size, shown) == ("image", "linux/arm64", "3.0 KiB", one.encoded[:12])
    kind, platforms, _, shown, _, _ = row_of(page, "all")
    assert (kind, platforms, shown) == ("index", "linux/amd64 linux/arm64", digest.encoded[:12])
    assert row_of(page, "bom")[0] == "SPDX SBOM"
    assert len(page.all("time")) == 4
    (row,) = [row for row in page.one("tbody").all("tr") if row.one("th").text == "one"]
    copied = [each["data-value"] for each in row.all("button", class_="copy")]
    assert copied == [str(one), "docker pull registry.example:5000/team/app:one"]


def test_the_size_of_an_index_is_that_of_all_below_it(disk_front):
    one = push_built(disk_front, "team/app", "one", b"a" * 4096)
    two = push_built(disk_front, "team/app", "two", b"a" * 4096)
    assert one == two
    push_index(disk_front, "team/app", "all", amd64=one)
    page = Browser(disk_front).sign_in().get(TAGS)
    assert float(row_of(page, "all")[2].split()[0]) > float(row_of(page, "one")[2].split()[0])


@pytest.mark.parametrize(
    ("order", "tags"),
    [
        ("", ["beta", "v1.9", "v1.10", "latest"]),
        ("?order=pushed", ["beta", "v1.9", "v1.10", "latest"]),
        ("?order=version", ["v1.10", "v1.9", "latest", "beta"]),
        ("?order=name", ["beta", "latest", "v1.10", "v1.9"]),
        ("?order=%3Cscript%3E", ["beta", "v1.9", "v1.10", "latest"]),
    ],
)
def test_tags_are_in_the_order_that_is_asked_for(front, admin, clock, order, tags):
    for tag in ("latest", "v1.10", "v1.9", "beta"):
        clock.advance(1)
        push_tags(front, "team/app", [tag])
    assert listed(admin.get(TAGS + order)) == tags


@pytest.mark.parametrize("order", ["pushed", "version", "name"])
def test_the_list_is_filtered_and_goes_on(front, admin, order):
    push_tags(front, "team/app", [f"v1.{number}" for number in range(120)] + ["other"])
    path, seen, pages = f"{TAGS}?order={order}&q=V1.", [], 0
    while path:
        page = admin.get(path)
        seen += listed(page)
        assert len(page.all("a", rel="next")) <= 1
        path = page.all("a", rel="next")[0]["href"] if page.all("a", rel="next") else None
        pages += 1
    assert (pages, len(seen), set(seen)) == (3, 120, {f"v1.{number}" for number in range(120)})


@pytest.mark.parametrize("query", ["?after=v1&pushed=x", "?after=v1&pushed=nan", "?after=%00", "?pushed=3", "?q=%FF"])
def test_odd_positions_are_answered(front, admin, query):
    push_tags(front, "team/app", ["v1"])
    assert admin.ask("GET", TAGS + query).status in {200, 400}


def test_a_filter_without_result_and_an_empty_repository_say_so(front, admin):
    push_image(front, "team/app", "v1")
    assert "No tag matches “<b>x”" in admin.get(f"{TAGS}?q=%3Cb%3Ex").one("div", class_="empty").text
    front.delete("/v2/team/app/manifests/v1")
    assert "no tags" in admin.get(TAGS).one("div", class_="empty").text
    assert admin.get("/ui/none/-/tags", status=404)


def test_only_tags_that_the_caller_may_pull_are_listed(make_front):
    front = make_front(rules=rules(binding("ada", READONLY, "^team/app:v[0-9]$"), users=["ada"]))
    push_tags(front, "team/app", ["v1", "v2", "secret"])
    browser = Browser(front).sign_in("ada")
    page = browser.get(TAGS)
    assert sorted(listed(page)) == ["v1", "v2"]
    assert "secret" not in page.text
    assert "3 tags" not in page.text
    assert "3 tags" in Browser(front).sign_in().get(TAGS).text
    assert [link.text for link in page.one("main").one("nav", class_="tabs").all("a")] == ["Tags", "Compare"]
    browser.get("/ui/team/none/-/tags", status=403)
    Browser(front).get(TAGS, status=401)


def test_a_platform_of_a_config_needs_the_right_to_pull_blobs(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READONLY, "^team/app:v1$"), binding("bob", READONLY, "^team/app"), users=["ada", "bob"]
        )
    )
    push_built(front, "team/app", "v1")
    for name, platforms in (("bob", "linux/arm64"), ("ada", "")):
        assert row_of(Browser(front).sign_in(name).get(TAGS), "v1")[1] == platforms


def test_no_key_is_made_of_a_text_longer_than_any_tag(front, admin, monkeypatch):
    push_tags(front, "team/app", ["v1"])
    made = []
    monkeypatch.setitem(tag_lists._KEYS, TagOrder.VERSION, (lambda tag: made.append(tag) or tag, True))
    assert listed(admin.get(f"{TAGS}?order=version&after={'z' * 20_000}")) == ["v1"]
    assert max(map(len, made)) == 128


def test_an_anonymous_visitor_sees_what_anonymous_may_pull(make_front):
    front = make_front(rules=rules(binding("anonymous", READONLY, "^public/.*$"), users=["anonymous"]))
    push_tags(front, "public/app", ["v1"])
    push_tags(front, "team/app", ["v1"])
    assert listed(Browser(front).get("/ui/public/app/-/tags")) == ["v1"]
    Browser(front).get(TAGS, status=401)


def test_hostile_platforms_and_types_are_shown_as_text(front, admin):
    hostile = "<img src=x onerror=alert(1)>"
    push_built(front, "team/app", "v1", config={"os": hostile, "architecture": hostile})
    push_artifact(front, "team/app", "v2", b"x", artifact_type="application/vnd.evil+json")
    page = admin.get(TAGS)
    assert hostile in row_of(page, "v1")[1]
    assert row_of(page, "v2")[0] == "evil+json"
    assert [each["src"] for each in page.all("img")] == [page.one("header").one("img")["src"]]


def test_a_damaged_manifest_is_listed_as_such(disk_front, tmp_path):
    data = push_image(disk_front, "team/app", "v1")
    digest = digest_of(data)
    (path,) = [path for path in tmp_path.rglob(digest.encoded) if path.is_file()]
    path.write_bytes(b"x" * len(data))
    page = Browser(disk_front).sign_in().get(TAGS)
    assert row_of(page, "v1")[0] == "cannot be read"
