"""The Docker token protocol: a short-lived token for credentials, or for none where anonymous users may call.

`GET` as docker, podman and containerd ask; `POST` with a form as OAuth 2 clients do (`password` and `refresh_token`
grants).
"""

from simple_registry.authentication.credentials import BasicCredentials
from simple_registry.authentication.token_service import Grant, GrantUnsupported
from simple_registry.http.bodies import read_bounded
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Query, Response, json_response
from simple_registry.http.targets import NoTarget

MAX_FORM = 64 * 1024


async def get_token(call: Call[NoTarget]) -> Response:
    """token: give a token to the caller of the `Authorization` header, or to an anonymous one where there are some."""
    query = call.request.query()
    refreshable = query.find("offline_token") == "true"
    return _reply(call.registry.token_service.of_caller(call.caller, query.all("scope"), refreshable=refreshable))


async def post_token(call: Call[NoTarget]) -> Response:
    """token: give a token for a form with a password or a refresh token."""
    form = Query((await read_bounded(call.body, MAX_FORM)).decode("ascii", "replace"))
    service, scopes = call.registry.token_service, form.all("scope")
    match form.find("grant_type"):
        case "password":
            credentials = BasicCredentials(form.find("username") or "", form.find("password") or "")
            refreshable = form.find("access_type") == "offline"
            return _reply(await service.of_password(credentials, call.request.client, scopes, refreshable=refreshable))
        case "refresh_token":
            return _reply(await service.of_refresh_token(form.find("refresh_token") or "", scopes))
        case _:
            raise GrantUnsupported(grantTypes=["password", "refresh_token"])


def _reply(grant: Grant) -> Response:
    # Without `issued_at`, clients take their own clock for the time of issue; with it, they compare it with ours.
    document: dict[str, object] = {
        "token": grant.access_token,
        "access_token": grant.access_token,
        "token_type": "Bearer",
        "expires_in": grant.life,
        "scope": " ".join(grant.scopes),
    }
    events: tuple[Event, ...] = ()
    if grant.refresh is not None:
        document["refresh_token"] = grant.refresh.secret
        events = (Event(EventName.REFRESH_CREATE, token=grant.refresh.token_id, owner=grant.refresh.owner),)
    return json_response(document, cache="no-store", events=events)
