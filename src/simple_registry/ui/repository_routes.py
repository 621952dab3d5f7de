"""The pages of repositories: `ui.routes` has the others.

What shows a manifest needs what pulling it needs. What changes something needs what the endpoint of the API needs, and
so does the page that says what will happen.
"""

from collections.abc import Sequence
from typing import Any

from simple_registry.access.permission import Resource
from simple_registry.http.routes import Endpoint, Need, Route, route
from simple_registry.http.targets import manifest_target, repository_target, tag_target
from simple_registry.ui.pages import actions, compare, history, manifests, tags

_OF_REPOSITORY = r"/ui/(?P<name>.+)/-"
_OF_MANIFEST = rf"{_OF_REPOSITORY}/manifests/(?P<reference>[^/]+)"

# These handlers require that the caller may pull something: of a repository, or of each manifest.
_TAGS = Endpoint("page", Need.CALLER, tags.show_tags)
_COMPARE = Endpoint("page", Need.CALLER, compare.show_comparison)

_MANIFEST = Endpoint("page", Resource.MANIFESTS, manifests.show_manifest, verb="GET")
_HISTORY = Endpoint("page", Resource.MANIFESTS, history.show_history, verb="history")
_SHOW_DELETE = Endpoint("page", Resource.MANIFESTS, actions.show_delete, verb="DELETE")
_SHOW_TAGGING = Endpoint("page", Resource.MANIFESTS, actions.show_tagging, verb="GET")
_SHOW_ROLL_BACK = Endpoint("page", Resource.MANIFESTS, actions.show_roll_back, verb="restore")
_SHOW_DELETE_ALL = Endpoint("page", Resource.MANIFESTS, actions.show_delete_repository, verb="DELETE")
_SHOW_RESTORE = Endpoint("page", Resource.MANIFESTS, actions.show_restore, verb="restore")

REPOSITORY_ROUTES: Sequence[Route[Any]] = (
    route(rf"{_OF_REPOSITORY}/tags", repository_target, GET=_TAGS, HEAD=_TAGS),
    route(rf"{_OF_REPOSITORY}/compare", repository_target, GET=_COMPARE, HEAD=_COMPARE),
    route(rf"{_OF_REPOSITORY}/history", repository_target, GET=_HISTORY, HEAD=_HISTORY),
    route(_OF_MANIFEST, manifest_target, GET=_MANIFEST, HEAD=_MANIFEST),
    route(
        rf"{_OF_MANIFEST}/delete",
        manifest_target,
        GET=_SHOW_DELETE,
        HEAD=_SHOW_DELETE,
        POST=Endpoint("page", Resource.MANIFESTS, actions.delete_manifest, verb="DELETE", writes=True),
    ),
    route(
        rf"{_OF_MANIFEST}/tag",
        manifest_target,
        GET=_SHOW_TAGGING,
        HEAD=_SHOW_TAGGING,
        POST=Endpoint("page", Resource.MANIFESTS, actions.set_tag, verb="GET", writes=True),
    ),
    route(
        rf"{_OF_REPOSITORY}/tags/(?P<tag>[^/]+)/roll-back",
        tag_target,
        GET=_SHOW_ROLL_BACK,
        HEAD=_SHOW_ROLL_BACK,
        POST=Endpoint("page", Resource.MANIFESTS, actions.roll_back_tag, verb="restore", writes=True),
    ),
    route(
        rf"{_OF_REPOSITORY}/delete",
        repository_target,
        GET=_SHOW_DELETE_ALL,
        HEAD=_SHOW_DELETE_ALL,
        POST=Endpoint("page", Resource.MANIFESTS, actions.delete_repository, verb="DELETE", writes=True),
    ),
    route(
        rf"{_OF_REPOSITORY}/restore",
        repository_target,
        GET=_SHOW_RESTORE,
        HEAD=_SHOW_RESTORE,
        POST=Endpoint("page", Resource.MANIFESTS, actions.restore_deleted, verb="restore", writes=True),
    ),
)
