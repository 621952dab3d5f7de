"""The table of the pages of repositories."""

import pytest

from simple_registry.access.permission import Permission, Resource
from simple_registry.http.routes import Need, find_endpoint
from simple_registry.ui.repository_routes import REPOSITORY_ROUTES

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("method", "path", "verb", "scope"),
    [
        ("GET", "manifests/v1", "GET", "team/app:v1"),
        ("GET", f"manifests/{DIGEST}", "GET", "team/app"),
        ("GET", "history", "history", "team/app"),
        ("GET", "manifests/v1/delete", "DELETE", "team/app:v1"),
        ("POST", "manifests/v1/delete", "DELETE", "team/app:v1"),
        ("POST", f"manifests/{DIGEST}/delete", "DELETE", "team/app"),
        ("POST", "manifests/v1/tag", "GET", "team/app:v1"),
        ("POST", "tags/v1/roll-back", "restore", "team/app:v1"),
        ("POST", "restore", "restore", "team/app"),
        ("POST", "delete", "DELETE", "team/app"),
    ],
)
def test_a_page_needs_what_the_api_needs(method, path, verb, scope):
    matched = find_endpoint(REPOSITORY_ROUTES, method, f"/ui/team/app/-/{path}")
    assert matched.permission == Permission(verb, Resource.MANIFESTS, scope)
    assert matched.changes == (method == "POST")


@pytest.mark.parametrize("path", ["tags", "compare"])
def test_these_pages_ask_for_each_thing_that_they_show(path):
    assert find_endpoint(REPOSITORY_ROUTES, "GET", f"/ui/team/app/-/{path}").endpoint.needs is Need.CALLER


@pytest.mark.parametrize("name", ["a/tags", "a/manifests/v1", "a/history", "delete", "a/b/c/restore"])
def test_a_repository_with_the_name_of_a_page_has_its_pages(name):
    assert find_endpoint(REPOSITORY_ROUTES, "GET", f"/ui/{name}/-/tags").target.repository == name
