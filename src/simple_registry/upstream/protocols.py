"""The interface of a client that fetches documents from other servers."""

from typing import Protocol


class UpstreamFault(Exception):
    """A document could not be fetched; the message is for the log and holds nothing that the other server sent."""


class DocumentFetcher(Protocol):
    """Fetches small public documents."""

    async def fetch(self, url: str) -> bytes:
        """Return the document at a URL that the configuration names.

        Raises: UpstreamFault.
        """
