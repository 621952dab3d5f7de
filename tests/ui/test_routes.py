"""The table of pages: needs, names, and paths that no repository can hide."""

import re

import pytest

from simple_registry.access.permission import Resource
from simple_registry.http.routes import Need, find_endpoint
from simple_registry.ui.page_routes import PAGE_METHODS
from simple_registry.ui.routes import UI_ROUTES
from support.sources import modules

ENDPOINTS = [(route, method, endpoint) for route in UI_ROUTES for method, endpoint in route.endpoints.items()]
IDS = [f"{method} {endpoint.name}" for _, method, endpoint in ENDPOINTS]
OPEN = {"show_home", "open_repository", "get_asset", "show_sign_in", "begin_session", "end_session"}
"""What needs nothing: the way in, and the way out."""


@pytest.mark.parametrize(("route", "method", "endpoint"), ENDPOINTS, ids=IDS)
def test_an_endpoint_has_a_need_a_method_of_browsers_and_a_description(route, method, endpoint):
    assert method in PAGE_METHODS
    assert (endpoint.needs is Need.NOTHING) == (endpoint.name in OPEN)
    assert re.match(r"page: \w", endpoint.handle.__doc__)
    assert endpoint.ids == "page"
    if method != "POST":
        assert not endpoint.writes


@pytest.mark.parametrize("route", UI_ROUTES, ids=lambda route: route.pattern.pattern)
def test_a_page_that_can_be_read_can_be_asked_about(route):
    assert ("GET" in route.endpoints) == ("HEAD" in route.endpoints)
    assert route.endpoints.get("GET") is route.endpoints.get("HEAD")


@pytest.mark.parametrize(("route", "method", "endpoint"), ENDPOINTS, ids=IDS)
def test_a_post_names_the_verb_of_its_permission(route, method, endpoint):
    """Otherwise a page would need POST, whatever it does."""
    if method == "POST" and isinstance(endpoint.needs, Resource):
        assert endpoint.verb is not None


def test_a_page_and_a_repository_have_different_paths():
    for route in UI_ROUTES:
        if route.pattern.pattern.startswith("/ui/"):
            assert route.pattern.pattern == "/ui/?" or "/-/" in route.pattern.pattern


def test_the_first_page_is_the_list():
    assert find_endpoint(UI_ROUTES, "GET", "/").endpoint.name == "show_repositories"


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("ui.pages.")])
def test_a_page_reads_forms_only_through_the_check_of_their_origin(name):
    assert not re.search(r"\.body\b|read_bounded|read_json", modules()[name].read_text("utf-8"))
