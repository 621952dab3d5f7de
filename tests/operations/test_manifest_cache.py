"""Manifests in memory: bounded by bytes, and each for one version of its content."""

from simple_registry.content import InMemory, LocalFile
from simple_registry.oci.digests import digest_of
from simple_registry.operations.manifest_cache import ENTRY_SIZE, ManifestCache


def test_the_cache_is_bounded_by_bytes_and_drops_the_least_recently_used():
    cache = ManifestCache(2 * ENTRY_SIZE + 10)
    one, two, three, huge = (digest_of(data) for data in (b"1", b"2", b"3", b"4"))
    now, then = LocalFile("file", 4, (1,)), LocalFile("file", 4, (2,))
    cache.keep(one, then, InMemory(b"aaa"))
    cache.keep(one, now, InMemory(b"aaaa"))
    cache.keep(two, now, InMemory(b"bbbb"))
    assert cache.find(one, then) is None
    cache.find(one, now)
    cache.keep(three, now, InMemory(b"cccc"))
    cache.keep(huge, now, InMemory(bytes(2 * ENTRY_SIZE)))
    found = [cache.find(each, now) for each in (one, two, three, huge)]
    assert found == [InMemory(b"aaaa"), None, InMemory(b"cccc"), None]


def test_a_manifest_that_stays_in_its_file_takes_little_of_the_cache():
    cache = ManifestCache(ENTRY_SIZE)
    content = LocalFile("file", 4_000_000, (1,))
    cache.keep(digest_of(b"1"), content, None)
    assert cache.find(digest_of(b"1"), content) is content
