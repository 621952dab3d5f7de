"""Every endpoint has its id in the specification, its need, and a description."""

import ast
import re

import pytest

from simple_registry.access.permission import Resource
from simple_registry.http.routes import ROUTES, Need
from support.sources import modules

# Ids and methods of the specification's table "Endpoints".
SPECIFIED = {
    "end-1": {"GET"},
    "end-2": {"GET", "HEAD"},
    "end-3": {"GET", "HEAD"},
    "end-4a": {"POST"},
    "end-4b": {"POST"},
    "end-4c": {"POST"},
    "end-5": {"PATCH"},
    "end-6": {"PUT"},
    "end-7a": {"PUT"},
    "end-7b": {"PUT"},
    "end-8a": {"GET"},
    "end-8b": {"GET"},
    "end-9": {"DELETE"},
    "end-10": {"DELETE"},
    "end-11": {"POST"},
    "end-12a": {"GET"},
    "end-12b": {"GET"},
    "end-13": {"GET"},
    "end-14": {"DELETE"},
}
OWN = {"catalog", "metrics", "healthz", "readyz", "token", "tokens", "usage"} | {
    "history",
    "events",
    "resolve",
    "rollback",
    "restore",
    "repository",
    "collection",
    "retention",
}
# By method and ids: what needs no resource.
ENTRIES = {
    ("GET", "healthz"): Need.NOTHING,
    ("GET", "readyz"): Need.NOTHING,
    ("POST", "token"): Need.NOTHING,  # the credentials are in its form
    ("GET", "token"): Need.CALLER,
    ("GET", "end-1"): Need.LOGIN,
    ("GET", "tokens"): Need.LOGIN,
    ("GET", "usage"): Need.CALLER,
    ("POST", "tokens"): Need.LOGIN,
    ("DELETE", "tokens"): Need.LOGIN,
}

ENDPOINTS = [(method, endpoint) for route in ROUTES for method, endpoint in route.endpoints.items()]
IDS = [f"{method} {endpoint.ids}" for method, endpoint in ENDPOINTS]


@pytest.mark.parametrize(("method", "endpoint"), ENDPOINTS, ids=IDS)
def test_an_endpoint_has_ids_that_are_known(method, endpoint):
    assert set(endpoint.ids.split(", ")) <= SPECIFIED.keys() | OWN


@pytest.mark.parametrize(("method", "endpoint"), ENDPOINTS, ids=IDS)
def test_an_endpoint_needs_a_resource_unless_it_is_listed_here(method, endpoint):
    entry = ENTRIES.get(("GET" if method == "HEAD" else method, endpoint.ids))
    if entry is None:
        assert isinstance(endpoint.needs, Resource)
    else:
        assert endpoint.needs is entry


@pytest.mark.parametrize(("method", "endpoint"), ENDPOINTS, ids=IDS)
def test_a_handler_begins_with_its_ids(method, endpoint):
    assert re.match(rf"{re.escape(endpoint.ids)}: \w", endpoint.handle.__doc__)


def test_every_endpoint_of_the_specification_is_here_with_its_methods():
    found = {}
    for method, endpoint in ENDPOINTS:
        for each in endpoint.ids.split(", "):
            found.setdefault(each, set()).add(method)
    assert {name: methods for name, methods in SPECIFIED.items() if not methods <= found.get(name, set())} == {}


def test_every_get_endpoint_except_sessions_and_tokens_has_head():
    for route in ROUTES:
        if "GET" in route.endpoints and route.endpoints["GET"].ids not in {"end-13", "token"}:
            assert route.endpoints["HEAD"] is route.endpoints["GET"]


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("http.handlers")])
def test_a_handler_reads_a_body_only_from_its_call(name):
    """There it is checked that the caller may still do what the body asks for; `tests/http/test_authorization.py`."""
    for node in ast.walk(ast.parse(modules()[name].read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr == "body":
            assert isinstance(node.value, ast.Name), f"line {node.lineno} reads a body of something else than a call"
            assert node.value.id == "call"
