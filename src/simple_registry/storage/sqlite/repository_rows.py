"""Repositories, in ASCII order of their names."""

from collections.abc import Sequence

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.sqlite.database import Database

_FIND = "SELECT 1 FROM repositories WHERE name = ?"
_PAGE = """
SELECT name FROM repositories
WHERE name > ? AND EXISTS (SELECT 1 FROM manifests WHERE repository = name)
ORDER BY name LIMIT ?
"""


class SqliteRepositoryRows:
    """The repositories."""

    _database: Database

    def has_repository(self, repository: RepositoryName) -> bool:
        """Tell whether the repository exists."""
        return self._database.row(_FIND, repository) is not None

    def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold a manifest, in ASCII order, beginning after `after`."""
        return [RepositoryName(str(name)) for (name,) in self._database.rows(_PAGE, after or "", limit)]
