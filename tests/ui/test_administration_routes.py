"""The table of the pages of the registry."""

import pytest

from simple_registry.http.routes import Need, find_endpoint, resolve
from simple_registry.ui.administration_routes import ADMINISTRATION_ROUTES
from simple_registry.ui.navigation import ENTRIES

OWN = {"show_tokens", "create_token", "show_revoking", "revoke_token"}
"""What every user may do with its own."""

ENDPOINTS = {endpoint.name: endpoint for route in ADMINISTRATION_ROUTES for endpoint in route.endpoints.values()}


@pytest.mark.parametrize("name", sorted(ENDPOINTS.keys() - {"show_events", "show_plan"}))
def test_a_page_is_for_administrators_or_about_ones_own(name):
    assert ENDPOINTS[name].needs is (Need.LOGIN if name in OWN else Need.EVERYTHING)


@pytest.mark.parametrize("name", ["events", "retention"])
def test_what_the_api_has_needs_what_it_needs_there(name):
    matched = find_endpoint(ADMINISTRATION_ROUTES, "GET", f"/ui/-/{name}")
    assert matched.permission == resolve("GET", f"/api/v1/{name}").permission


def test_the_menu_leads_to_pages():
    for entry in ENTRIES[1:]:
        matched = find_endpoint(ADMINISTRATION_ROUTES, "GET", entry.url)
        assert entry.permission == matched.permission
        assert entry.for_administrators is (matched.endpoint.needs is Need.EVERYTHING)
