"""The content that rows vouch for."""

from simple_registry.oci.digests import Digest
from simple_registry.storage.sqlite.engine.database import Database

_KNOWN = "SELECT 1 FROM blobs WHERE digest = ?"


class SqliteContentRows:
    """The contents."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    async def known(self, digest: Digest) -> bool:
        """Return whether any row, of any repository or none, vouches for durable bytes of this digest."""
        return self._database.row(_KNOWN, str(digest)) is not None
