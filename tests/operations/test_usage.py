"""Usage, page by page, of what the caller may know."""

import pytest

from simple_registry.oci.errors import NameUnknown
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.usage import RepositoryUsages, Usage, UsagePage

BLOB = bytes(10)


@pytest.fixture
def usages(memory_front):
    for name in ("a", "b", "c"):
        memory_front.push_blob(name, BLOB)
    return RepositoryUsages(memory_front.kept.stores.rows.usage)


def test_a_page_has_what_is_visible(memory_front, usages):
    one = Usage(blobs=1, bytes=10)
    page = memory_front.run(usages.page(last=None, limit=1, visible=lambda name: name != "a"))
    assert page == UsagePage([("b", one)], more=True)
    assert memory_front.run(usages.page(last="b", limit=1, visible=lambda _: True)) == UsagePage([("c", one)], False)


def test_a_repository_that_does_not_exist_has_no_usage(memory_front, usages):
    assert memory_front.run(usages.get(RepositoryName("a"))).bytes == 10
    with pytest.raises(NameUnknown):
        memory_front.run(usages.get(RepositoryName("d")))


def test_the_total_is_that_of_all_repositories(memory_front, usages):
    total = memory_front.run(usages.total())
    assert (total.repositories, total.usage.bytes, total.content_bytes, total.shared_bytes) == (3, 30, 10, 20)
