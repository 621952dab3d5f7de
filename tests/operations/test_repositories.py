"""The catalog of repositories."""

import asyncio

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.operations.repositories import Repositories
from support.documents import push_image


@pytest.fixture
def repositories(front):
    for name in ("b", "a/b", "a", "a/b/c", "a-b"):
        push_image(front, name, "v1")
    return Repositories(front.kept.stores.rows.repositories)


def names(repositories, *, last=None, limit=100, visible=lambda _: True):
    async def seen(name):
        return visible(name)

    return list(asyncio.run(repositories.page(last=last, limit=limit, visible=seen)).items)


def test_nested_names_all_appear_in_ascii_order(repositories):
    assert names(repositories) == ["a", "a-b", "a/b", "a/b/c", "b"]


def test_a_page_continues_after_a_name_that_need_not_exist(repositories):
    assert names(repositories, last="a/a") == ["a/b", "a/b/c", "b"]
    assert names(repositories, last="a", limit=2) == ["a-b", "a/b"]


def test_hidden_repositories_are_skipped(repositories):
    assert names(repositories, visible=lambda name: "/" in name) == ["a/b", "a/b/c"]


def test_a_repository_without_manifests_is_not_listed(front, repositories):
    data = front.get("/v2/a/manifests/v1").body
    front.delete(f"/v2/a/manifests/{digest_of(data)}")
    assert names(repositories) == ["a-b", "a/b", "a/b/c", "b"]


def test_a_search_says_that_more_follows_only_if_the_caller_may_see_it(repositories):
    def search(last, skip, *, hidden):
        async def seen(name):
            return name not in hidden

        return asyncio.run(repositories.search("", last=last, skip=skip, limit=2, visible=seen))

    first = search(None, 0, hidden={"a/b"})
    assert ([each.name for each in first.found], first.more) == (["a", "a-b"], True)
    second = search(first.last, first.skip, hidden={"a/b"})
    assert ([each.name for each in second.found], second.more) == (["a/b/c", "b"], False)
    assert not search(None, 0, hidden={"a/b", "a/b/c", "b"}).more
