"""The pages of the registry: everyone's tokens, and what only administrators see. `ui.routes` has the others."""

from collections.abc import Sequence
from typing import Any

from simple_registry.access.permission import Resource
from simple_registry.http.routes import Endpoint, Need, Route, route
from simple_registry.http.targets import issued_token_target, no_target, upload_target
from simple_registry.ui.pages import events, health, policy, retention, storage, tokens, uploads

_TOKENS = Endpoint("page", Need.LOGIN, tokens.show_tokens)
_REVOKING = Endpoint("page", Need.LOGIN, tokens.show_revoking)
_EVENTS = Endpoint("page", Resource.CATALOG, events.show_events, verb="history")
_UPLOADS = Endpoint("page", Need.EVERYTHING, uploads.show_uploads)
_CANCELING = Endpoint("page", Need.EVERYTHING, uploads.show_canceling)
_STORAGE = Endpoint("page", Need.EVERYTHING, storage.show_storage)
_RETENTION = Endpoint("page", Resource.MAINTENANCE, retention.show_plan)
_POLICY = Endpoint("page", Need.EVERYTHING, policy.show_policy)
_CAN_I = Endpoint("page", Need.EVERYTHING, policy.show_answer)
_MATRIX = Endpoint("page", Need.EVERYTHING, policy.show_matrix)
_HEALTH = Endpoint("page", Need.EVERYTHING, health.show_health)

ADMINISTRATION_ROUTES: Sequence[Route[Any]] = (
    route(
        r"/ui/-/tokens",
        no_target,
        GET=_TOKENS,
        HEAD=_TOKENS,
        POST=Endpoint("page", Need.LOGIN, tokens.create_token, writes=True),
    ),
    route(
        r"/ui/-/tokens/(?P<token>[^/]+)/revoke",
        issued_token_target,
        GET=_REVOKING,
        HEAD=_REVOKING,
        POST=Endpoint("page", Need.LOGIN, tokens.revoke_token, writes=True),
    ),
    route(r"/ui/-/events", no_target, GET=_EVENTS, HEAD=_EVENTS),
    route(r"/ui/-/uploads", no_target, GET=_UPLOADS, HEAD=_UPLOADS),
    route(
        r"/ui/-/uploads/(?P<session>[^/]+)/cancel",
        upload_target,
        GET=_CANCELING,
        HEAD=_CANCELING,
        POST=Endpoint("page", Need.EVERYTHING, uploads.cancel_upload, writes=True),
    ),
    route(r"/ui/-/storage", no_target, GET=_STORAGE, HEAD=_STORAGE),
    route(r"/ui/-/retention", no_target, GET=_RETENTION, HEAD=_RETENTION),
    route(r"/ui/-/policy", no_target, GET=_POLICY, HEAD=_POLICY),
    route(r"/ui/-/policy/can-i", no_target, GET=_CAN_I, HEAD=_CAN_I),
    route(r"/ui/-/policy/matrix", no_target, GET=_MATRIX, HEAD=_MATRIX),
    route(r"/ui/-/health", no_target, GET=_HEALTH, HEAD=_HEALTH),
)
