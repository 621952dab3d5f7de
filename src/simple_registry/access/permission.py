"""Permissions: a verb on a resource within a scope."""

from enum import StrEnum
from typing import NamedTuple

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference, RepositoryName


class Resource(StrEnum):
    """The resources of roles."""

    CATALOG = "catalog"
    BLOBS = "blobs"
    MANIFESTS = "manifests"
    TAGS = "tags"
    REFERRERS = "referrers"
    METRICS = "metrics"
    MAINTENANCE = "maintenance"


CATALOG_SCOPE = ""
"""The scope string of the catalog, and of all else that belongs to no repository."""

OF_REGISTRY = frozenset({Resource.CATALOG, Resource.METRICS, Resource.MAINTENANCE})
"""The resources that belong to no repository."""


class Permission(NamedTuple):
    """A verb (an HTTP method, `history`, `restore` or `run`), a resource, and a scope string."""

    verb: str
    resource: Resource
    scope: str


def scope_of(repository: RepositoryName, reference: Reference | None = None) -> str:
    """Return the string that scope patterns search: `repository:tag` for a tag, `repository` for all else."""
    if reference is None or isinstance(reference, Digest):
        return repository
    return f"{scopes_of_tags(repository)}{reference}"


def scopes_of_tags(repository: RepositoryName) -> str:
    """Return what the scope strings of a repository's tags begin with."""
    return f"{repository}:"
