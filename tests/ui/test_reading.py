"""What pages read of a repository, and keep."""

import pytest

from support.artifacts import push_built, push_index
from support.documents import encode, index
from support.pages import Browser

TAGS = "/ui/team/app/-/tags"


def shown(browser):
    return {row.one("th").text: row.all("td")[2].text for row in browser.get(TAGS).one("tbody").all("tr")}


def test_a_list_of_known_manifests_reads_none(memory_front, monkeypatch):
    push_built(memory_front, "team/app", "v1", b"layer")
    browser = Browser(memory_front).sign_in()
    first = shown(browser)

    async def pull(*_):
        raise AssertionError("a manifest was read again")

    monkeypatch.setattr(memory_front.services.registry.manifests, "pull", pull)
    assert shown(browser) == first


def test_sizes_of_an_index_count_each_content_once(make_front):
    front = make_front()
    one = push_built(front, "team/app", "one", b"x" * 10_000)
    two = push_built(front, "team/app", "two", b"x" * 10_000, b"y")
    push_index(front, "team/app", "all", amd64=one, arm64=two)
    sizes = shown(Browser(front).sign_in())
    assert [float(sizes[tag].removesuffix(" KiB")) for tag in ("one", "two", "all")] == pytest.approx(
        [11, 11, 12], abs=1
    )


def test_an_index_without_children_has_a_size(memory_front):
    data = encode(index() | {"manifests": []})
    memory_front.push_manifest("team/app", "v1", data, "application/vnd.oci.image.index.v1+json")
    assert shown(Browser(memory_front).sign_in())["v1"].endswith("B")
