"""Upload sessions of all users."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget, UploadTarget
from simple_registry.ui.forms import read_form
from simple_registry.ui.links import change_of, page_url
from simple_registry.ui.render import page, redirect

PAGE_SIZE = 50
DONE = frozenset({"canceled"})
"""What the page can report."""


async def show_uploads(call: Call[NoTarget]) -> Response:
    """page: the upload sessions that are open."""
    query = call.request.query()
    last = query.find("after")
    rows = await call.registry.uploads.page(last or "", PAGE_SIZE + 1)
    shown = rows[:PAGE_SIZE]
    return page(
        call,
        "uploads.html",
        rows=shown,
        done=change_of(query, DONE),
        first=page_url("uploads") if last else None,
        following=page_url("uploads", after=shown[-1].session) if len(rows) > PAGE_SIZE else None,
    )


async def show_canceling(call: Call[UploadTarget]) -> Response:
    """page: what canceling an upload would do."""
    return page(call, "upload_cancel.html", row=await call.registry.uploads.find(call.target.session))


async def cancel_upload(call: Call[UploadTarget]) -> Response:
    """page: end an upload session and discard its bytes."""
    await read_form(call)
    await call.registry.uploads.cancel(await call.registry.uploads.find(call.target.session))
    return redirect(page_url("uploads", done="canceled"))
