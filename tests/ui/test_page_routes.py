"""The rows of the tables of pages."""

from simple_registry.access.permission import Permission, Resource
from simple_registry.http.messages import Response
from simple_registry.http.routes import find_endpoint
from simple_registry.http.targets import repository_target
from simple_registry.ui.page_routes import PAGE, form_route, page_route

PATH = r"/ui/(?P<name>.+)/-/x"


async def show(_call):
    return Response(200)


async def act(_call):
    return Response(303)


def test_a_page_needs_the_method_of_its_request_unless_a_verb_is_named():
    for verb in (None, "history"):
        rows = [page_route(PATH, repository_target, show, Resource.MANIFESTS, verb=verb)]
        for method in ("GET", "HEAD"):
            matched = find_endpoint(rows, method, "/ui/a/-/x")
            assert matched.permission == Permission(verb or method, Resource.MANIFESTS, "a")
            assert (matched.endpoint.ids, matched.endpoint.handle, matched.changes) == (PAGE, show, False)


def test_a_form_needs_what_its_page_needs_and_writes():
    rows = [form_route(PATH, repository_target, show, act, Resource.MANIFESTS, verb="restore")]
    read, write = (find_endpoint(rows, method, "/ui/a/-/x") for method in ("GET", "POST"))
    assert read.permission == write.permission == Permission("restore", Resource.MANIFESTS, "a")
    assert (write.endpoint.handle, write.endpoint.writes, write.changes) == (act, True, True)
    assert not read.endpoint.writes
