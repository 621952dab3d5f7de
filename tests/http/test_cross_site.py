"""A page of another site changes nothing here, with whatever credentials its browser remembers."""

import pytest

from simple_registry.http.cross_site import CrossSite, refuse_cross_site
from simple_registry.http.messages import NO_BODY, Request
from simple_registry.oci.digests import digest_of
from support.front import AUTHORITY

DIGEST = digest_of(b"hello")
UPLOAD = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"

FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": f"http://{AUTHORITY}"},
    {"origin": "https://evil.example"},
    {"origin": f"https://evil.example/?{AUTHORITY}"},
    {"origin": f"https://{AUTHORITY}.evil.example"},
    {"origin": "null"},
    {"origin": ""},
]
OURS = [
    {},
    {"sec-fetch-site": "same-origin", "origin": "https://outer.example"},  # behind a proxy that passes another Host
    {"sec-fetch-site": "none"},
    {"origin": f"https://{AUTHORITY}"},
    {"origin": f"http://{AUTHORITY.upper()}"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", UPLOAD),
        ("PUT", "/v2/a/b/manifests/v1"),
        ("PATCH", "/v2/a/b/blobs/uploads/x"),
        ("DELETE", "/v2/a/b/manifests/v1"),
        ("POST", "/token"),
        ("POST", "/api/v1/tokens"),
    ],
)
def test_a_change_from_another_site_is_refused_whole(memory_front, method, path, headers):
    with memory_front.unchanged():
        reply = memory_front.request(method, path, body=b"hello", headers=headers | {"content-type": "text/plain"})
    assert (reply.status, reply.codes) == (403, ["DENIED"])


@pytest.mark.parametrize("origin", ["null", "", "evil"])
def test_an_origin_without_a_host_is_foreign_to_a_request_without_one(origin):
    with pytest.raises(CrossSite):
        refuse_cross_site(Request("POST", "/ui/-/sign-in", "", {"origin": origin}, NO_BODY, "1"))


@pytest.mark.parametrize("headers", OURS, ids=str)
def test_other_changes_are_not(memory_front, headers):
    assert memory_front.post(UPLOAD, body=b"hello", headers=headers).status == 201


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_reading_is_left_to_the_browser_to_refuse(memory_front, headers):
    reply = memory_front.get("/v2/", headers=headers)
    assert reply.status == 200
    assert not [name for name, _ in reply.headers if name.startswith("access-control-")]
