"""Manifests that were read and found intact, in memory by digest, so that they never go stale."""

from collections.abc import Hashable

from simple_registry.bounded_cache import BoundedCache
from simple_registry.content import Content, InMemory
from simple_registry.oci.digests import Digest

CACHE_SIZE = 32 * 1024 * 1024
"""Bytes of manifests that each process caches."""

ENTRY_SIZE = 512
"""Bytes that an entry of the cache takes beside the manifest, roughly."""


class ManifestCache:
    """Manifests that were found intact, each for one version of its content, bounded by bytes.

    A large one is not in memory; only that it is intact is cached.
    """

    def __init__(self, capacity: int) -> None:
        """Cache up to `capacity` bytes."""
        self._entries: BoundedCache[Digest, tuple[Hashable, InMemory | None]] = BoundedCache(capacity)
        self.hits = 0
        self.misses = 0

    def find(self, digest: Digest, content: Content) -> Content | None:
        """Return a manifest if `content` was found intact: from memory, or a large one as `content`."""
        version, kept = self._entries.find(digest) or (None, None)
        if version != content.version:
            self.misses += 1
            return None
        self.hits += 1
        return kept or content

    def keep(self, digest: Digest, content: Content, kept: InMemory | None) -> None:
        """Cache that `content` is intact, and its bytes unless they are `None`."""
        self._entries.keep(digest, (content.version, kept), ENTRY_SIZE + (kept.size if kept else 0))
