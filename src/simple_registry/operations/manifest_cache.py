"""Manifests that were read and found intact, kept in memory by digest, so that they never go stale."""

from collections import OrderedDict

from simple_registry.content import BytesContent, Content
from simple_registry.oci.digests import Digest

CACHE_SIZE = 32 * 1024 * 1024
"""Bytes of manifests kept in memory by each process."""

ENTRY_SIZE = 512
"""Bytes that an entry of the cache takes beside the manifest, roughly."""


class ManifestCache:
    """Manifests that were found intact, for as long as their content is the same file, bounded by bytes."""

    def __init__(self, capacity: int) -> None:
        """Keep up to `capacity` bytes."""
        self._capacity = capacity
        self._size = 0
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Digest, tuple[Content, Content]] = OrderedDict()

    def find(self, digest: Digest, content: Content) -> Content | None:
        """Return a manifest that is kept, if it was read from this content."""
        known, kept = self._entries.get(digest, (None, None))
        if known != content:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(digest)
        return kept

    def keep(self, digest: Digest, content: Content, kept: Content) -> None:
        """Keep a manifest that was read from `content`, and drop those that were not asked for the longest."""
        if _weight(kept) > self._capacity:
            return
        _known, earlier = self._entries.pop(digest, (None, None))
        self._entries[digest] = (content, kept)
        self._size += _weight(kept) - (0 if earlier is None else _weight(earlier))
        while self._size > self._capacity:
            _digest, (_content, dropped) = self._entries.popitem(last=False)
            self._size -= _weight(dropped)


def _weight(kept: Content) -> int:
    """Return the bytes that an entry of the cache takes: those of the manifest, unless it stays in its file."""
    return ENTRY_SIZE + (kept.size if isinstance(kept, BytesContent) else 0)
