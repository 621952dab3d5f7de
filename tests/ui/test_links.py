"""The addresses of pages."""

from simple_registry.http.messages import Query
from simple_registry.oci.names import RepositoryName
from simple_registry.ui.links import below_url, change_of, crumbs_of, page_url, repository_url, with_query

APP = RepositoryName("team/app")


def test_a_page_has_a_dash_where_no_name_can_have_one():
    assert page_url("tokens") == "/ui/-/tokens"
    assert repository_url(APP) == "/ui/team/app/-/tags"
    assert repository_url(APP, "manifests/sha256:00", q="a b") == "/ui/team/app/-/manifests/sha256:00?q=a+b"


def test_fields_without_a_value_are_left_out():
    assert with_query("/", {"a": None, "b": "", "c": 0}) == "/?c=0"
    assert with_query("/", {}) == "/"


def test_a_name_leads_to_what_is_beside_it():
    assert crumbs_of("team/a/b") == [("team", "team/"), ("a", "team/a/"), ("b", "team/a/b/")]
    assert crumbs_of("team/") == [("team", "team/")]
    assert below_url("team/") == "/?below=team%2F"


def test_only_known_changes_are_reported():
    assert change_of(Query("done=revoked"), {"revoked"}) == "revoked"
    assert change_of(Query("done=%3Cb%3E"), {"revoked"}) is None
    assert change_of(Query(""), {"revoked"}) is None
