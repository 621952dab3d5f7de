"""Referrers: the manifests of a repository that name another as their subject.

A manifest with a subject is found by its row. Lists that older clients keep under a fallback tag (`sha256-…`) need no
merging, because their manifests have such rows too (distribution-spec, "Enabling the Referrers API").
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.protocols.holdings import ManifestRows

PAGE_SIZE = 4 * 1024 * 1024 - 64 * 1024
"""Bytes of descriptors in one page. Clients read indexes of up to 4 MiB, and the rest of the index needs some room."""

SMALL_PAGE = 16 * 1024
"""Bytes of a page that is built on the event loop; the referrers of most images fit."""

MAX_LARGE_PAGES = 2
"""Larger pages that each process builds at once, which bounds the memory of pages that are not sent yet."""

NO_ANNOTATIONS = b"{}"


@dataclass(frozen=True, slots=True)
class ReferrersPage:
    """Descriptors, as JSON values, in order of digest; `last` is set when more follow after it."""

    descriptors: Sequence[bytes]
    last: Digest | None


class Referrers:
    """The operation on referrers."""

    def __init__(self, rows: ManifestRows, page_size: int = PAGE_SIZE) -> None:
        """Work on these rows, with up to `page_size` bytes per page."""
        self._rows = rows
        self._page_size = page_size
        self._large_pages = asyncio.Semaphore(MAX_LARGE_PAGES)

    async def small_page(
        self, repository: RepositoryName, subject: Digest, *, last: Digest | None
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return a few of the referrers of `subject` after `last`, and whether more follow."""
        return await self._rows.page_referrers(repository, subject, artifact_type=None, after=last, size=SMALL_PAGE)

    async def page(
        self, repository: RepositoryName, subject: Digest, *, artifact_type: str | None, last: Digest | None
    ) -> ReferrersPage:
        """Return the referrers of `subject` after `last`; the subject need not exist."""
        read = partial(self._rows.page_referrers, repository, subject, artifact_type=artifact_type, after=last)
        rows, more = await read(size=SMALL_PAGE)
        if not more:
            return _fill(rows, self._page_size, more=more)
        # Held until the page is complete. From then on nothing waits before the wire's budget counts the answer.
        async with self._large_pages:
            rows, more = await read(size=self._page_size)
            return await asyncio.to_thread(_fill, rows, self._page_size, more=more)


def _fill(rows: Sequence[ReferrerDescriptor], size: int, *, more: bool) -> ReferrersPage:
    """Return a page of at most `size` bytes, but at least one descriptor; `more` rows may follow those given."""
    descriptors: list[bytes] = []
    for row in rows:
        document = encode_descriptor(row)
        size -= len(document) + 1
        if descriptors and size < 0:
            more = True
            break
        descriptors.append(document)
    return ReferrersPage(descriptors, rows[len(descriptors) - 1].digest if more else None)


def encode_descriptor(row: ReferrerDescriptor) -> bytes:
    """Return the JSON of a referrer's descriptor (distribution-spec, "Listing Referrers")."""
    document: dict[str, object] = {"mediaType": row.media_type, "digest": str(row.digest), "size": row.size}
    if row.artifact_type:
        document["artifactType"] = row.artifact_type
    if row.annotations != NO_ANNOTATIONS:
        document["annotations"] = msgspec.Raw(row.annotations)
    return msgspec.json.encode(document)
