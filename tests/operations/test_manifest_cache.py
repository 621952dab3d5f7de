"""Manifests in memory: bounded by bytes, and for as long as their content is the same file."""

from simple_registry.content import BytesContent, FileContent
from simple_registry.oci.digests import digest_of
from simple_registry.operations.manifest_cache import ENTRY_SIZE, ManifestCache


def test_the_cache_is_bounded_by_bytes_and_drops_what_was_used_longest_ago():
    cache = ManifestCache(2 * ENTRY_SIZE + 10)
    one, two, three, huge = (digest_of(data) for data in (b"1", b"2", b"3", b"4"))
    now, then = FileContent("file", 4, (1,)), FileContent("file", 4, (2,))
    cache.keep(one, then, BytesContent(b"aaa"))
    cache.keep(one, now, BytesContent(b"aaaa"))
    cache.keep(two, now, BytesContent(b"bbbb"))
    assert cache.find(one, then) is None
    cache.find(one, now)
    cache.keep(three, now, BytesContent(b"cccc"))
    cache.keep(huge, now, BytesContent(bytes(2 * ENTRY_SIZE)))
    found = [cache.find(each, now) for each in (one, two, three, huge)]
    assert found == [BytesContent(b"aaaa"), None, BytesContent(b"cccc"), None]


def test_a_manifest_that_stays_in_its_file_takes_little_of_the_cache():
    cache = ManifestCache(ENTRY_SIZE)
    content = FileContent("file", 4_000_000, (1,))
    cache.keep(digest_of(b"1"), content, content)
    assert cache.find(digest_of(b"1"), content) is content
