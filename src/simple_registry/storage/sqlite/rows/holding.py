"""Who holds content: what every change to blobs and manifests of repositories does to the `blobs` table.

A row of `blobs` says that a durable file exists. Its `unheld_since` is set in the transaction in which the last
holder goes, and cleared in the one in which a holder comes; the collector reads nothing else.
"""

import apsw

from simple_registry.oci.digests import Digest
from simple_registry.storage.records import Blob

_KNOWN = "SELECT 1 FROM blobs WHERE digest = ?"
_EXIST = "INSERT INTO repositories (name) VALUES (?) ON CONFLICT DO NOTHING"

_HOLD = """
INSERT INTO blobs (digest, size) VALUES (?, ?)
ON CONFLICT (digest) DO UPDATE SET size = excluded.size, unheld_since = NULL
WHERE unheld_since IS NOT NULL OR size <> excluded.size
"""

_KEEP_UNHELD = "INSERT INTO blobs (digest, size, unheld_since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"

_RELEASE = """
UPDATE blobs SET unheld_since = :now
WHERE digest = :digest AND unheld_since IS NULL
AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository_blobs.digest = :digest)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = :digest)
"""


def is_known(connection: apsw.Connection, digest: Digest) -> bool:
    """Tell whether a row vouches for a durable file of this digest."""
    return bool(connection.execute(_KNOWN, (str(digest),)).fetchall())


def hold(connection: apsw.Connection, repository: str, blob: Blob) -> None:
    """See that repository and content have rows, and that the content counts as held. Before adding the holder."""
    connection.execute(_EXIST, (repository,))
    connection.execute(_HOLD, (str(blob.digest), blob.size))


def keep_unheld(connection: apsw.Connection, blob: Blob, now: float) -> None:
    """Give content that came for a holder who was refused a row, by which the collector finds it."""
    connection.execute(_KEEP_UNHELD, (str(blob.digest), blob.size, now))


def release(connection: apsw.Connection, digest: Digest, now: float) -> None:
    """Note that the content is unheld from now on, if it is. After removing the holder."""
    connection.execute(_RELEASE, {"now": now, "digest": str(digest)})
