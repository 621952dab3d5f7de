"""Reviews: whether a manifest without a tag is still kept.

The table has the manifests that may have lost what keeps them; triggers add them, in the transaction of the change. So
a review never looks for candidates.
"""

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.records import Reviewed, ReviewRules
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.holding import apply_to_manifests
from simple_registry.storage.sqlite.rows.needs import release_parts

POSTPONED = 24 * 3600.0
"""Seconds at most until a manifest that a rule keeps for now is reviewed again."""

_DUE = "SELECT repository, digest FROM reviews WHERE due <= ? ORDER BY due, repository, digest LIMIT ?"
_KEPT = """
SELECT pushed, EXISTS (SELECT 1 FROM tags WHERE repository = ?1 AND digest = ?2)
OR EXISTS (
    SELECT 1 FROM manifest_children AS part JOIN manifests USING (repository, digest)
    WHERE part.repository = ?1 AND part.child = ?2 AND manifests.state = 'needed'
)
OR EXISTS (
    SELECT 1 FROM manifests AS subject
    WHERE subject.repository = ?1 AND subject.digest = held.subject AND subject.state = 'needed'
)
FROM manifests AS held WHERE repository = ?1 AND digest = ?2 AND state = 'needed'
"""
_DROP = "DELETE FROM reviews WHERE repository = ? AND digest = ?"
_POSTPONE = "UPDATE reviews SET due = ? WHERE repository = ? AND digest = ?"


class SqliteReviewRows:
    """The manifests without a tag that may have lost what keeps them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def review(self, rules: ReviewRules, limit: int) -> Reviewed:
        """Review up to `limit` manifests: those that nothing keeps become unneeded."""
        now = self._clock.now()
        return await self._database.write(lambda connection: review(connection, rules, now, limit))


def review(connection: apsw.Connection, rules: ReviewRules, now: float, limit: int) -> Reviewed:
    """Review up to `limit` manifests whose review is due."""
    due = connection.execute(_DUE, (now, limit)).fetchall()
    unneeded = 0
    for repository, digest in due:
        held = connection.execute(_KEPT, (repository, digest)).fetchall()
        if not held or held[0][1]:
            connection.execute(_DROP, (repository, digest))
            continue
        wait = rules.wait(RepositoryName(str(repository)), float(held[0][0] or 0))
        if wait > 0:
            connection.execute(_POSTPONE, (now + min(wait, POSTPONED), repository, digest))
        else:
            unneeded += 1
            apply_to_manifests(connection, HoldingEvent.RELEASED, str(repository), f'["{digest}"]', now)
            release_parts(connection, str(repository), parse_digest(str(digest)), now)
    return Reviewed(unneeded, more=len(due) == limit or unneeded > 0)
