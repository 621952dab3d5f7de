"""The pages of the registry: tokens, events, maintenance, and those of administrators. `ui.routes` has the others."""

from collections.abc import Sequence
from typing import Any

from simple_registry.access.permission import Resource
from simple_registry.access.roles import RUN
from simple_registry.http.routes import Endpoint, Need, Route, route
from simple_registry.http.targets import issued_token_target, no_target, upload_target
from simple_registry.ui.page_routes import PAGE, form_route, page_route
from simple_registry.ui.pages import collection, events, health, policy, retention, storage, tokens, uploads

ADMINISTRATION_ROUTES: Sequence[Route[Any]] = (
    form_route(r"/ui/-/tokens", no_target, tokens.show_tokens, tokens.create_token, Need.LOGIN),
    form_route(
        r"/ui/-/tokens/(?P<token>[^/]+)/revoke",
        issued_token_target,
        tokens.show_revoking,
        tokens.revoke_token,
        Need.LOGIN,
    ),
    page_route(r"/ui/-/events", no_target, events.show_events, Resource.CATALOG, verb="history"),
    page_route(r"/ui/-/uploads", no_target, uploads.show_uploads, Need.EVERYTHING),
    form_route(
        r"/ui/-/uploads/(?P<session>[^/]+)/cancel",
        upload_target,
        uploads.show_canceling,
        uploads.cancel_upload,
        Need.EVERYTHING,
    ),
    page_route(r"/ui/-/storage", no_target, storage.show_storage, Need.EVERYTHING),
    # Reading needs less than starting, as in the API.
    route(
        r"/ui/-/collection",
        no_target,
        read=Endpoint(PAGE, Resource.MAINTENANCE, collection.show_collection),
        POST=Endpoint(PAGE, Resource.MAINTENANCE, collection.collect_garbage, verb=RUN, writes=True),
    ),
    route(
        r"/ui/-/collection/rehearsal",
        no_target,
        POST=Endpoint(PAGE, Resource.MAINTENANCE, collection.rehearse_collection, verb=RUN),
    ),
    page_route(r"/ui/-/retention", no_target, retention.show_plan, Resource.MAINTENANCE),
    form_route(
        r"/ui/-/retention/apply",
        no_target,
        retention.show_applying,
        retention.apply_retention,
        Resource.MAINTENANCE,
        verb=RUN,
    ),
    page_route(r"/ui/-/policy", no_target, policy.show_policy, Need.EVERYTHING),
    page_route(r"/ui/-/policy/can-i", no_target, policy.show_answer, Need.EVERYTHING),
    page_route(r"/ui/-/policy/matrix", no_target, policy.show_matrix, Need.EVERYTHING),
    page_route(r"/ui/-/health", no_target, health.show_health, Need.EVERYTHING),
)
