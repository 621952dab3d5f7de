"""The pages of repositories: `ui.routes` has the others.

What shows a manifest needs what pulling it needs. What changes something needs what the endpoint of the API needs, and
so does the page that says what will happen.
"""

from collections.abc import Sequence
from typing import Any

from simple_registry.access.permission import Resource
from simple_registry.http.routes import Need, Route
from simple_registry.http.targets import manifest_target, repository_target, tag_target
from simple_registry.ui.page_routes import form_route, page_route
from simple_registry.ui.pages import actions, compare, history, manifests, tags

_OF_REPOSITORY = r"/ui/(?P<name>.+)/-"
_OF_MANIFEST = rf"{_OF_REPOSITORY}/manifests/(?P<reference>[^/]+)"

REPOSITORY_ROUTES: Sequence[Route[Any]] = (
    # The first two require that the caller may pull something: of the repository, or each of the two manifests.
    page_route(rf"{_OF_REPOSITORY}/tags", repository_target, tags.show_tags, Need.CALLER),
    page_route(rf"{_OF_REPOSITORY}/compare", repository_target, compare.show_comparison, Need.CALLER),
    page_route(
        rf"{_OF_REPOSITORY}/history", repository_target, history.show_history, Resource.MANIFESTS, verb="history"
    ),
    page_route(_OF_MANIFEST, manifest_target, manifests.show_manifest, Resource.MANIFESTS, verb="GET"),
    form_route(
        rf"{_OF_MANIFEST}/delete",
        manifest_target,
        actions.show_delete,
        actions.delete_manifest,
        Resource.MANIFESTS,
        verb="DELETE",
    ),
    form_route(
        rf"{_OF_MANIFEST}/tag",
        manifest_target,
        actions.show_tagging,
        actions.set_tag,
        Resource.MANIFESTS,
        verb="GET",
    ),
    form_route(
        rf"{_OF_REPOSITORY}/tags/(?P<tag>[^/]+)/roll-back",
        tag_target,
        actions.show_roll_back,
        actions.roll_back_tag,
        Resource.MANIFESTS,
        verb="restore",
    ),
    form_route(
        rf"{_OF_REPOSITORY}/delete",
        repository_target,
        actions.show_delete_repository,
        actions.delete_repository,
        Resource.MANIFESTS,
        verb="DELETE",
    ),
    form_route(
        rf"{_OF_REPOSITORY}/restore",
        repository_target,
        actions.show_restore,
        actions.restore_deleted,
        Resource.MANIFESTS,
        verb="restore",
    ),
)
