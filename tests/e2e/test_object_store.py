"""Two registries over one database and one object server: what one of them knows, the other serves and continues."""

import hashlib
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.server import serve
from simple_registry.storage.sqlite.engine.migrate import migrate
from support.documents import CONFIG, encode, image
from support.object_store.client import object_server

DATA = bytes(range(256)) * 12_000
"""Three parts."""
UPLOADS = "/v2/team/app/blobs/uploads/"
TESTS = Path(__file__).parents[1]


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(scope="module")
def registries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    rows = folder / "registry.db"
    migrate(str(rows))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("E2E_REGISTRY", f"{shlex.quote(sys.executable)} -m support.object_store.backend")
        patch.setenv("PYTHONPATH", str(TESTS))
        patch.setenv("SHARED_ROWS", str(rows))
        patch.setenv("OBJECT_SERVER", str(stack.enter_context(object_server())))
        yield [stack.enter_context(serve(folder / name)) for name in ("one", "two")]


def chunk(start, stop):
    return {"body": DATA[start:stop], "headers": {"content-range": f"{start}-{stop - 1}"}}


def test_a_session_of_one_registry_is_continued_and_finished_by_another(registries):
    one, two = registries
    location = one.request("POST", UPLOADS).headers["location"]
    for number, start in enumerate(range(0, len(DATA), 700_000)):
        registry = registries[number % 2]
        answer = registry.request("PATCH", location, **chunk(start, min(start + 700_000, len(DATA))))
        assert answer.status == 202
        location = answer.headers["location"]
        again = registries[(number + 1) % 2].request("PATCH", location, **chunk(start, start + 9))
        assert again.status == 416
        assert again.headers["range"] == answer.headers["range"]
    assert two.request("PUT", f"{location}?digest={digest_of(DATA)}").status == 201
    for registry in registries:
        answer = registry.request("GET", f"/v2/team/app/blobs/{digest_of(DATA)}")
        assert (answer.status, answer.body) == (200, DATA)
        assert registry.request("GET", location).status == 404


def test_an_image_of_one_registry_is_pulled_from_another(registries):
    one, two = registries
    layer = b"a layer"
    for data in (CONFIG, layer):
        assert one.request("POST", f"{UPLOADS}?digest={digest_of(data)}", body=data).status == 201
    manifest = encode(image(layer))
    headers = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
    assert one.request("PUT", "/v2/team/app/manifests/v1", body=manifest, headers=headers).status == 201
    answer = two.request("GET", "/v2/team/app/manifests/v1")
    assert (answer.status, answer.body) == (200, manifest)
    ranged = two.request("GET", f"/v2/team/app/blobs/{digest_of(layer)}", headers={"range": "bytes=2-4"})
    assert (ranged.status, ranged.body) == (206, layer[2:5])


def test_the_same_content_may_be_pushed_to_both_at_once(registries):
    contents = [f"content {number}".encode() for number in range(10)]

    def push(number):
        data = contents[number % len(contents)]
        return registries[number // 2 % 2].request("POST", f"{UPLOADS}?digest={digest_of(data)}", body=data).status

    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(push, range(80))) == {201}
    for registry in registries:
        for data in contents:
            assert registry.request("GET", f"/v2/team/app/blobs/{digest_of(data)}").body == data


def test_a_worker_sees_deletions_and_pushes_of_another(registries):
    one, two = registries
    data = b"deleted and pushed again"
    digest = digest_of(data)
    path = f"/v2/team/app/blobs/{digest}"
    assert one.request("POST", f"{UPLOADS}?digest={digest}", body=data).status == 201
    assert two.request("DELETE", path).status == 202
    assert one.request("GET", path).status == 404
    assert two.request("POST", f"{UPLOADS}?digest={digest}", body=data).status == 201
    assert one.request("GET", path).body == data
