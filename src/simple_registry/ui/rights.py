"""What a caller may see and do in a repository, as its pages ask."""

from simple_registry.access.permission import Resource, scope_of, scopes_of_tags
from simple_registry.http.call import Call
from simple_registry.http.targets import Target
from simple_registry.oci.names import RepositoryName, Tag


async def require_some_pull(call: Call[Target], repository: RepositoryName) -> None:
    """Require that the caller may pull something of a repository: by digest, or one of its tags.

    Raises: as `Call.require`.
    """
    reach = call.visible(Resource.MANIFESTS)
    if not reach(scope_of(repository)):
        below = call.policy.reach_below(call.identity, "GET", Resource.MANIFESTS)
        if not below(scopes_of_tags(repository)) or not await call.registry.tags.any(
            repository, lambda tag: reach(scope_of(repository, tag))
        ):
            call.require("GET", Resource.MANIFESTS, scope_of(repository))


def may_read_history(call: Call[Target], repository: RepositoryName) -> bool:
    """Return whether the history of a repository is shown to the caller."""
    return call.can("history", Resource.MANIFESTS, scope_of(repository))


def may_delete(call: Call[Target], repository: RepositoryName, tag: Tag | None = None) -> bool:
    """Return whether the caller may delete a tag, or manifests."""
    return call.can("DELETE", Resource.MANIFESTS, scope_of(repository, tag))


def may_restore(call: Call[Target], repository: RepositoryName, tag: Tag | None = None) -> bool:
    """Return whether the caller may restore or roll back a tag, or restore manifests."""
    permissions = {scope_of(repository), scope_of(repository, tag)}
    return all(call.can("restore", Resource.MANIFESTS, scope) for scope in permissions)
