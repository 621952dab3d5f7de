"""A cache of verified manifests, by digest and version of their content."""

from collections.abc import Hashable

from simple_registry.bounded_cache import BoundedCache
from simple_registry.content import Content, InMemory
from simple_registry.oci.digests import Digest

CACHE_SIZE = 32 * 1024 * 1024
"""Bytes of manifests that each process caches, with their entries."""

ENTRY_SIZE = 512
"""Approximate bytes of an entry without its manifest."""


class ManifestCache:
    """Manifests whose bytes matched their digests, bounded by bytes. Of a large one only that fact is cached."""

    def __init__(self, capacity: int) -> None:
        """Cache up to `capacity` bytes."""
        self._entries: BoundedCache[Digest, tuple[Hashable, InMemory | None]] = BoundedCache(capacity)
        self.hits = 0
        self.misses = 0

    def find(self, digest: Digest, content: Content) -> Content | None:
        """Return a manifest if `content` was verified: from memory, or a large one as `content`."""
        version, kept = self._entries.find(digest) or (None, None)
        if version != content.version:
            self.misses += 1
            return None
        self.hits += 1
        return kept or content

    def keep(self, digest: Digest, content: Content, kept: InMemory | None) -> None:
        """Cache that `content` is verified, and its bytes unless they are `None`."""
        self._entries.keep(digest, (content.version, kept), ENTRY_SIZE + (kept.size if kept else 0))
