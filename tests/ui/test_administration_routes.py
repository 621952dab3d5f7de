"""The table of the pages of the registry."""

import pytest

from simple_registry.http.routes import Need
from simple_registry.ui.administration_routes import ADMINISTRATION_ROUTES
from simple_registry.ui.navigation import ENTRIES

OWN = {"show_tokens", "create_token", "show_revoking", "revoke_token"}
"""What every user may do with its own."""

ENDPOINTS = {endpoint.name: endpoint for route in ADMINISTRATION_ROUTES for endpoint in route.endpoints.values()}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_page_is_for_administrators_or_about_ones_own(name):
    assert ENDPOINTS[name].needs is (Need.LOGIN if name in OWN else Need.EVERYTHING)


def test_the_menu_leads_to_pages():
    paths = {entry.url: entry.for_administrators for entry in ENTRIES if entry.url != "/"}
    for path, restricted in paths.items():
        (route,) = [route for route in ADMINISTRATION_ROUTES if route.pattern.fullmatch(path)]
        assert restricted is (route.endpoints["GET"].needs is Need.EVERYTHING)
