"""The table of web pages: `http.routes` for browsers.

Their permissions are those of the API: a page of a repository needs what pulling it needs, the list needs what the
catalog needs, an action what its endpoint needs. Paths of repositories end in `/-/` and a page.
"""

from collections.abc import Sequence
from typing import Any

from simple_registry.access.permission import Resource
from simple_registry.http.routes import Endpoint, Need, Route, route
from simple_registry.http.targets import asset_target, no_target
from simple_registry.ui.administration_routes import ADMINISTRATION_ROUTES
from simple_registry.ui.page_routes import PAGE, page_route
from simple_registry.ui.pages import assets, repositories, sign_in
from simple_registry.ui.repository_routes import REPOSITORY_ROUTES

UI_ROUTES: Sequence[Route[Any]] = (
    page_route(r"/", no_target, repositories.show_repositories, Resource.CATALOG),
    page_route(r"/ui/?", no_target, repositories.show_home, Need.NOTHING),
    page_route(r"/ui/-/repository", no_target, repositories.open_repository, Need.NOTHING),
    page_route(r"/ui/-/assets/(?P<asset>[^/]+)", asset_target, assets.get_asset, Need.NOTHING),
    # Without `writes`: a session that begins or ends changes nothing for other callers.
    route(
        r"/ui/-/sign-in",
        no_target,
        read=Endpoint(PAGE, Need.NOTHING, sign_in.show_sign_in),
        POST=Endpoint(PAGE, Need.NOTHING, sign_in.begin_session),
    ),
    route(r"/ui/-/sign-out", no_target, POST=Endpoint(PAGE, Need.NOTHING, sign_in.end_session)),
    *ADMINISTRATION_ROUTES,
    *REPOSITORY_ROUTES,
)
