"""Which endpoint is meant: every path of the specification, nothing else, and nothing ambiguous."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.permission import Permission, Resource
from simple_registry.http import routes
from simple_registry.http.routes import ROUTES, MethodNotAllowed, Need, resolve
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import DigestInvalid, ManifestUnknown, NameInvalid, NotFound, RegistryError, TagInvalid

DIGEST = digest_of(b"")

ENDPOINTS = [
    ("GET", "/v2/", Need.LOGIN, None),
    ("GET", "/v2", Need.LOGIN, None),
    ("GET", "/healthz", Need.NOTHING, None),
    ("GET", "/readyz", Need.NOTHING, None),
    ("GET", "/token", Need.CALLER, None),
    ("POST", "/token", Need.NOTHING, None),
    ("GET", "/api/v1/tokens", Need.LOGIN, None),
    ("POST", "/api/v1/tokens", Need.LOGIN, None),
    ("DELETE", "/api/v1/tokens/7", Need.LOGIN, None),
    ("GET", "/v2/_catalog", Resource.CATALOG, ""),
    ("GET", f"/v2/a/b/blobs/{DIGEST}", Resource.BLOBS, "a/b"),
    ("HEAD", f"/v2/a/b/blobs/{DIGEST}", Resource.BLOBS, "a/b"),
    ("DELETE", f"/v2/a/b/blobs/{DIGEST}", Resource.BLOBS, "a/b"),
    ("POST", "/v2/a/b/blobs/uploads/", Resource.BLOBS, "a/b"),
    ("POST", "/v2/a/b/blobs/uploads", Resource.BLOBS, "a/b"),
    ("PATCH", "/v2/a/b/blobs/uploads/7", Resource.BLOBS, "a/b"),
    ("PUT", "/v2/a/b/blobs/uploads/7", Resource.BLOBS, "a/b"),
    ("GET", "/v2/a/b/manifests/v1", Resource.MANIFESTS, "a/b:v1"),
    ("HEAD", "/v2/a/b/manifests/v1", Resource.MANIFESTS, "a/b:v1"),
    ("PUT", "/v2/a/b/manifests/v1", Resource.MANIFESTS, "a/b:v1"),
    ("DELETE", "/v2/a/b/manifests/v1", Resource.MANIFESTS, "a/b:v1"),
    ("GET", f"/v2/a/b/manifests/{DIGEST}", Resource.MANIFESTS, "a/b"),
    ("GET", "/v2/a/b/tags/list", Resource.TAGS, "a/b"),
    ("GET", f"/v2/a/b/referrers/{DIGEST}", Resource.REFERRERS, "a/b"),
]


@pytest.mark.parametrize(("method", "path", "needs", "scope"), ENDPOINTS)
def test_every_endpoint_declares_its_need_and_scope(method, path, needs, scope):
    matched = resolve(method, path)
    assert matched.endpoint.needs == needs
    assert matched.permission == (None if scope is None else Permission(method, needs, scope))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_status_and_cancel_require_the_permission_to_start_an_upload(method):
    assert resolve(method, "/v2/a/b/blobs/uploads/7").permission == Permission("POST", Resource.BLOBS, "a/b")


def test_only_sessions_continue_after_credentials_expired():
    going_on = {
        (method, route.pattern.pattern)
        for route in ROUTES
        for method, endpoint in route.endpoints.items()
        if endpoint.continues
    }
    assert {method for method, _ in going_on} == {"GET", "PATCH", "PUT", "DELETE"}
    assert {path for _, path in going_on} == {"/v2/(?P<name>.+)/blobs/uploads/(?P<session>[^/]+)"}


@pytest.mark.parametrize(
    ("path", "repository"),
    [
        ("/v2/manifests/manifests/v1", "manifests:v1"),
        ("/v2/a/manifests/b/manifests/v1", "a/manifests/b:v1"),
        ("/v2/a/tags/list/manifests/v1", "a/tags/list:v1"),
        ("/v2/a/blobs/uploads/manifests/v1", "a/blobs/uploads:v1"),
    ],
)
def test_a_repository_may_have_the_name_of_an_endpoint(path, repository):
    assert resolve("GET", path).permission.scope == repository


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v1/",
        "/v2/a",
        "/v2/a/tags",
        "/v2/a/tags/list/",
        "/v2//tags/list",
        "/v2/a/manifests/",
        "/v2/a/blobs/",
        "/v2/manifests/v1",
        "/healthz/",
        "/v2/_catalog/",
        "//v2/",
        "/V2/",
        "/v2/a/tags/list\n",
        "/v2/\n",
    ],
)
def test_other_paths_are_not_found(path):
    with pytest.raises(NotFound):
        resolve("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v2/", ["GET", "HEAD"]),
        ("GET", "/v2/a/blobs/uploads/", ["POST"]),
        ("POST", f"/v2/a/blobs/{DIGEST}", ["DELETE", "GET", "HEAD"]),
        ("POST", "/v2/a/manifests/v1", ["DELETE", "GET", "HEAD", "PUT"]),
        ("POST", "/v2/a/blobs/uploads/7", ["DELETE", "GET", "PATCH", "PUT"]),
        ("DELETE", "/v2/a/tags/list", ["GET", "HEAD"]),
        ("OPTIONS", f"/v2/a/referrers/{DIGEST}", ["GET", "HEAD"]),
    ],
)
def test_a_405_lists_the_methods_of_the_path(method, path, allowed):
    with pytest.raises(MethodNotAllowed) as refused:
        resolve(method, path)
    assert refused.value.allowed == allowed


@pytest.mark.parametrize("method", ["PROPFIND", "get", "X" * 100])
@pytest.mark.parametrize("path", ["/v2/", "/nowhere"])
def test_a_method_that_no_path_has_is_501(memory_front, method, path):
    reply = memory_front.request(method, path)
    assert (reply.status, reply.codes) == (501, ["UNSUPPORTED"])


def test_a_405_says_allow(memory_front):
    reply = memory_front.post("/v2/a/tags/list")
    assert (reply.status, reply.header("allow"), reply.codes) == (405, "GET, HEAD", ["UNSUPPORTED"])


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v2/UPPER/tags/list", NameInvalid),
        ("/v2/a//b/tags/list", NameInvalid),
        ("/v2/../tags/list", NameInvalid),
        (f"/v2/{'a' * 256}/tags/list", NameInvalid),
        ("/v2/_catalog/tags/list", NameInvalid),
        ("/v2/a/blobs/sha256:short", DigestInvalid),
        ("/v2/a/blobs/tag", DigestInvalid),
        ("/v2/a/referrers/sha256:zz", DigestInvalid),
        ("/v2/a/manifests/sha256:short", DigestInvalid),
        ("/v2/a/manifests/-tag", ManifestUnknown),
    ],
)
def test_values_that_break_their_grammar_have_errors_of_their_own(path, error):
    with pytest.raises(error):
        resolve("GET", path)


def test_a_tag_that_breaks_the_grammar_cannot_be_pushed_and_is_otherwise_absent():
    with pytest.raises(TagInvalid):
        resolve("PUT", "/v2/a/manifests/-tag")
    for method in ("GET", "HEAD", "DELETE"):
        with pytest.raises(ManifestUnknown):
            resolve(method, "/v2/a/manifests/-tag")


@given(st.sampled_from(["GET", "PUT", "POST"]), st.text())
def test_any_path_is_resolved_or_refused_and_nothing_worse(method, text):
    for path in (text, "/v2/" + text, f"/v2/{text}/manifests/{text}", f"/v2/{text}/tags/list"):
        try:
            matched = resolve(method, path)
        except RegistryError:
            continue
        assert matched.endpoint.needs


def test_no_path_fits_two_routes():
    for _, path, _, _ in ENDPOINTS:
        fitting = [route for route in ROUTES if route.pattern.fullmatch(path)]
        # The route of sessions comes before that of blobs, whose digest would have to be "uploads".
        assert len(fitting) == 1 or path.endswith("blobs/uploads"), path


def test_only_paths_of_bounded_length_are_cached():
    resolve("GET", "/v2/a/manifests/v1")
    assert resolve("GET", "/v2/a/manifests/v1") is resolve("GET", "/v2/a/manifests/v1")
    session = "s" * routes.MAX_CACHED_LENGTH
    path = f"/v2/a/blobs/uploads/{session}"
    assert resolve("GET", path) is not resolve("GET", path)
