"""The table of the pages of the registry."""

import pytest

from simple_registry.http.routes import Need, find_endpoint, resolve
from simple_registry.ui.administration_routes import ADMINISTRATION_ROUTES
from simple_registry.ui.navigation import ENTRIES

OWN = {"show_tokens", "create_token", "show_revoking", "revoke_token"}
"""What every user may do with its own."""

OF_THE_API = {
    "show_events",
    "show_collection",
    "rehearse_collection",
    "collect_garbage",
    "show_plan",
    "show_applying",
    "apply_retention",
}
"""What needs what an endpoint of the API needs."""

ENDPOINTS = {endpoint.name: endpoint for route in ADMINISTRATION_ROUTES for endpoint in route.endpoints.values()}


@pytest.mark.parametrize("name", sorted(ENDPOINTS.keys() - OF_THE_API))
def test_a_page_is_for_administrators_or_about_ones_own(name):
    assert ENDPOINTS[name].needs is (Need.LOGIN if name in OWN else Need.EVERYTHING)


@pytest.mark.parametrize(
    ("method", "page", "api"),
    [
        ("GET", "events", "events"),
        ("GET", "collection", "garbage-collection"),
        ("POST", "collection", "garbage-collection"),
        ("POST", "collection/rehearsal", "garbage-collection"),
        ("GET", "retention", "retention"),
        ("POST", "retention/apply", "retention"),
    ],
)
def test_what_the_api_has_needs_what_it_needs_there(method, page, api):
    matched = find_endpoint(ADMINISTRATION_ROUTES, method, f"/ui/-/{page}")
    assert matched.permission == resolve(method, f"/api/v1/{api}").permission


def test_a_page_before_a_change_needs_what_the_change_needs():
    read, write = (find_endpoint(ADMINISTRATION_ROUTES, each, "/ui/-/retention/apply") for each in ("GET", "POST"))
    assert read.permission == write.permission


def test_the_menu_leads_to_pages():
    for entry in ENTRIES[1:]:
        matched = find_endpoint(ADMINISTRATION_ROUTES, "GET", entry.url)
        assert entry.permission == matched.permission
        assert entry.for_administrators is (matched.endpoint.needs is Need.EVERYTHING)
