"""Repositories, in ASCII order of their names."""

from collections.abc import Sequence

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.sqlite.engine.database import Database

_FIND = "SELECT 1 FROM manifests WHERE repository = ? AND state <> 'deleted' LIMIT 1"
# Steps from one repository that holds a manifest to the next, by the index. So the cost depends on the page, and not on
# the manifests of a repository or on repositories without any.
_PAGE = """
WITH RECURSIVE holders (name) AS (
    SELECT min(repository) FROM manifests WHERE repository > ?1 AND state <> 'deleted'
    UNION ALL
    SELECT (SELECT min(repository) FROM manifests WHERE repository > name AND state <> 'deleted')
    FROM holders WHERE name IS NOT NULL
)
SELECT name FROM holders WHERE name IS NOT NULL LIMIT ?2
"""


class SqliteRepositoryRows:
    """The repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_listed(self, repository: RepositoryName) -> bool:
        """Return whether the repository holds a manifest."""
        return self._database.row(_FIND, repository) is not None

    async def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold a manifest, in ASCII order, after `after`."""
        return [RepositoryName(str(name)) for (name,) in self._database.rows(_PAGE, after or "", limit)]
