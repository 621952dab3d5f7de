"""The table of web pages: `http.routes` for browsers.

Their permissions are those of the API: whatever shows a repository needs what pulling it needs, the list needs what the
catalog needs, an action what its endpoint needs. Paths of repositories end in `/-/` and a page.
"""

from collections.abc import Sequence
from typing import Any

from simple_registry.access.permission import Resource
from simple_registry.http.routes import Endpoint, Need, Route, route
from simple_registry.http.targets import asset_target, no_target
from simple_registry.ui.administration_routes import ADMINISTRATION_ROUTES
from simple_registry.ui.pages import assets, repositories, sign_in
from simple_registry.ui.repository_routes import REPOSITORY_ROUTES

PAGE = "page"
"""The one name of all pages in metrics."""

PAGE_METHODS = ("GET", "HEAD", "POST")
"""What browsers send."""

_REPOSITORIES = Endpoint("page", Resource.CATALOG, repositories.show_repositories)
_HOME = Endpoint("page", Need.NOTHING, repositories.show_home)
_OPEN = Endpoint("page", Need.NOTHING, repositories.open_repository)
_ASSET = Endpoint("page", Need.NOTHING, assets.get_asset)
_SIGN_IN = Endpoint("page", Need.NOTHING, sign_in.show_sign_in)

UI_ROUTES: Sequence[Route[Any]] = (
    route(r"/", no_target, GET=_REPOSITORIES, HEAD=_REPOSITORIES),
    route(r"/ui/?", no_target, GET=_HOME, HEAD=_HOME),
    route(r"/ui/-/repository", no_target, GET=_OPEN, HEAD=_OPEN),
    route(r"/ui/-/assets/(?P<asset>[^/]+)", asset_target, GET=_ASSET, HEAD=_ASSET),
    route(
        r"/ui/-/sign-in",
        no_target,
        GET=_SIGN_IN,
        HEAD=_SIGN_IN,
        POST=Endpoint("page", Need.NOTHING, sign_in.begin_session),
    ),
    route(r"/ui/-/sign-out", no_target, POST=Endpoint("page", Need.NOTHING, sign_in.end_session)),
    *ADMINISTRATION_ROUTES,
    *REPOSITORY_ROUTES,
)
