"""Signing in and out."""

from contextlib import suppress

from simple_registry.authentication.credentials import BasicCredentials, InvalidToken
from simple_registry.faults import InReadOnlyMode
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.ui.address import address_of
from simple_registry.ui.cookies import find_session, no_session_cookie, session_cookie
from simple_registry.ui.errors import sign_in_page
from simple_registry.ui.forms import local_path, read_form
from simple_registry.ui.links import HOME
from simple_registry.ui.render import redirect


async def show_sign_in(call: Call[NoTarget]) -> Response:
    """page: the form to sign in with."""
    return sign_in_page(call.request, call.registry)


async def begin_session(call: Call[NoTarget]) -> Response:
    """page: sign in with a name and a password, or a token in its place."""
    form = await read_form(call, of_session=False)
    credentials = BasicCredentials(form.find("name") or "", form.find("password") or "")
    session = await call.registry.web_sessions.begin(credentials, call.request.client)
    address = address_of(call.request, call.registry.origins)
    to = local_path(call.request.query().find("to"))
    event = Event(EventName.WEB_SESSION_BEGIN, token=session.session_id, owner=session.user)
    return redirect(to, headers=[session_cookie(session.token, session.life, address)], events=(event,))


async def end_session(call: Call[NoTarget]) -> Response:
    """page: sign out, which ends the session for everything that has its cookie."""
    await read_form(call)
    address = address_of(call.request, call.registry.origins)
    token, events = find_session(call.request, address), []
    # In read-only mode only the browser forgets the session.
    with suppress(InvalidToken, InReadOnlyMode):
        if token is not None:
            session = await call.registry.web_sessions.end(token)
            events.append(Event(EventName.WEB_SESSION_END, token=session.session_id, owner=session.user))
    return redirect(HOME, headers=[no_session_cookie(address)], events=events)
