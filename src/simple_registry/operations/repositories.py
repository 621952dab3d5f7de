"""The catalog of repositories."""

from simple_registry.oci.names import RepositoryName
from simple_registry.operations.blobs import Visible
from simple_registry.operations.pages import Page, fill_page
from simple_registry.storage.protocols import RepositoryRows


class Repositories:
    """The operations on repositories."""

    def __init__(self, rows: RepositoryRows) -> None:
        """Work on these rows."""
        self._rows = rows

    def page(self, *, last: str | None, limit: int, visible: Visible) -> Page[RepositoryName]:
        """Return up to `limit` visible repositories that hold a manifest, in ASCII order, after `last`."""
        return fill_page(self._rows.page_repositories, visible, last, limit)
