"""What the data directory of an earlier version holds, and the questions that show whether it is served."""

import base64
import json
from contextlib import closing
from dataclasses import dataclass

from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from support.documents import CONFIG, EMPTY_TYPE, descriptor, encode, image, index

PASSWORDS = {"alice": "correct horse", "bob": "battery staple"}
STATIC_TOKEN = "deploy-token-of-a-test-of-upgrades"
"""The token whose hash the documents have."""

LAYERS = tuple(bytes([number]) * 40 for number in range(4))
FIRST, SECOND = encode(image(LAYERS[0])), encode(image(LAYERS[0], LAYERS[1]))
INDEX = encode(index(FIRST, SECOND))
SIGNATURE = encode(image(LAYERS[2], config_type=EMPTY_TYPE, subject=descriptor(INDEX, media_types.OCI_IMAGE_INDEX)))
PUBLIC = encode(image(LAYERS[0], LAYERS[3]))

BLOBS = {"team/app": (CONFIG, *LAYERS[:3]), "library/base": (CONFIG, LAYERS[0], LAYERS[3])}
MANIFESTS = {"team/app": (FIRST, SECOND, INDEX, SIGNATURE), "library/base": (PUBLIC,)}
TAGS = {"team/app": {"v1": INDEX, "v2": SECOND, "latest": INDEX}, "library/base": {"1": PUBLIC}}
TYPES = {INDEX: media_types.OCI_IMAGE_INDEX}
REFERRERS = [str(digest_of(SIGNATURE))]


@dataclass(frozen=True)
class Caller:
    """A running registry, and how one client logs in to it."""

    registry: object
    authorization: str | None = None

    def __call__(self, method, path, body=None, content_type="application/octet-stream", accept="*/*"):
        headers = {"Content-Type": content_type, "Accept": accept}
        if self.authorization:
            headers["Authorization"] = self.authorization
        with closing(self.registry.connect()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


def basic(registry, user):
    """A client with the password of a user."""
    return Caller(registry, "Basic " + base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode())


def bearer(registry, token):
    """A client with a token."""
    return Caller(registry, f"Bearer {token}")


def fill(registry):
    """Push everything, move and delete a tag, and leave an upload unfinished."""
    alice = basic(registry, "alice")
    for repository, blobs in BLOBS.items():
        for content in blobs:
            location = alice("POST", f"/v2/{repository}/blobs/uploads/")[1]["Location"]
            path = f"{location}{'&' if '?' in location else '?'}digest={digest_of(content)}"
            assert alice("PUT", path, content)[0] == 201
    for repository, manifests in MANIFESTS.items():
        for content in manifests:
            push(alice, repository, digest_of(content), content)
    push(alice, "team/app", "v1", SECOND)  # moved below
    push(alice, "team/app", "gone", SECOND)
    for repository, tags in TAGS.items():
        for tag, content in tags.items():
            push(alice, repository, tag, content)
    assert alice("DELETE", "/v2/team/app/manifests/gone")[0] == 202
    location = alice("POST", "/v2/team/app/blobs/uploads/")[1]["Location"]
    assert alice("PATCH", location, b"half of it")[0] == 202


def push(caller, repository, reference, content):
    path = f"/v2/{repository}/manifests/{reference}"
    assert caller("PUT", path, content, TYPES.get(content, media_types.OCI_IMAGE_MANIFEST))[0] == 201


def assert_all_is_served(registry, issued):
    """Ask for everything by every way to log in; `issued` is a token that the earlier version issued to bob."""
    alice, bob = (basic(registry, user) for user in PASSWORDS)
    token, static, nobody = bearer(registry, issued), bearer(registry, STATIC_TOKEN), Caller(registry)
    assert json.loads(alice("GET", "/v2/_catalog")[2])["repositories"] == sorted(TAGS)
    for repository, tags in TAGS.items():
        assert json.loads(alice("GET", f"/v2/{repository}/tags/list")[2])["tags"] == sorted(tags)
        assert {tag: alice("GET", f"/v2/{repository}/manifests/{tag}")[2] for tag in tags} == tags
        for content in MANIFESTS[repository]:
            assert alice("GET", f"/v2/{repository}/manifests/{digest_of(content)}")[2] == content
        for content in BLOBS[repository]:
            assert alice("GET", f"/v2/{repository}/blobs/{digest_of(content)}")[2] == content
    found = json.loads(alice("GET", f"/v2/team/app/referrers/{digest_of(INDEX)}")[2])
    assert [each["digest"] for each in found["manifests"]] == REFERRERS
    readers = {bob: (200, 200), token: (200, 200), static: (200, 200), nobody: (401, 200)}
    for caller, expected in readers.items():
        paths = ("/v2/team/app/manifests/v1", "/v2/library/base/manifests/1")
        assert tuple(caller("GET", path)[0] for path in paths) == expected
    push(bob, "team/app", "v2", SECOND)
    for caller in (token, static, nobody):
        status, _, _ = caller("PUT", "/v2/team/app/manifests/v2", SECOND, media_types.OCI_IMAGE_MANIFEST)
        assert status in {401, 403}
