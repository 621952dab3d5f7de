"""Nothing is changed in read-only mode, and everything after it."""

import pytest

from simple_registry.config.settings import Settings
from simple_registry.faults import InReadOnlyMode
from simple_registry.storage.records import ReadOnlyMode
from support.documents import push_image

READS = ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/v1", "/healthz", "/metrics"]


@pytest.fixture
def mode(front):
    return front.services.registry.read_only


def test_the_mode_has_a_reason_and_a_start_until_it_ends(front, mode, clock):
    assert front.run(mode.find()) is None
    front.run(mode.begin("a move"))
    assert front.run(mode.find()) == ReadOnlyMode("a move", clock.now())
    with pytest.raises(InReadOnlyMode, match="read-only mode: a move"):
        front.run(mode.require_off())
    assert front.run(mode.end())
    assert not front.run(mode.end())
    front.run(mode.require_off())


def test_reads_go_on(front, mode):
    push_image(front, "a", "v1")
    front.run(mode.begin("a move"))
    assert [front.get(path).status for path in READS] == [200] * len(READS)
    assert "simple_registry_read_only 1" in front.get("/metrics").body.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v2/a/manifests/v2"),
        ("DELETE", "/v2/a/manifests/v1"),
        ("POST", "/v2/a/blobs/uploads/"),
        ("POST", "/api/v1/tokens"),
    ],
)
def test_changes_are_refused_with_the_reason(front, mode, method, path):
    data = push_image(front, "a", "v1")
    front.run(mode.begin("a move"))
    reply = front.request(method, path, body=data)
    assert (reply.status, reply.codes, reply.header("retry-after")) == (503, ["UNKNOWN"], "30")
    (error,) = reply.json["errors"]
    assert "(a move)" in error["message"]
    assert error["detail"] == {"reason": "a move", "retryAfter": 30}
    assert front.get("/v2/a/tags/list").json["tags"] == ["v1"]
    front.run(mode.end())
    push_image(front, "a", "v2")


def test_an_upload_under_way_goes_on_after_it(front, mode):
    location = front.post("/v2/a/blobs/uploads/").location
    front.patch(location, body=b"one ")
    front.run(mode.begin("a move"))
    assert front.patch(location, body=b"two").status == 503
    assert front.get(location).header("range") == "0-3"
    front.run(mode.end())
    assert front.patch(location, body=b"two").status == 202


def test_permissions_are_decided_first(front, mode):
    front.run(mode.begin("a move"))
    assert front.post("/v2/a/blobs/uploads/", user=None).status == 401


def test_readiness_says_so(front, mode):
    front.run(mode.begin("a move"))
    reply = front.get("/readyz", user=None)
    assert (reply.status, reply.json["storage"]) == (200, "read-only")
    assert "a move" not in reply.body.decode()


def test_a_setting_is_the_mode_that_no_command_ends(make_front):
    front = make_front(Settings(read_only=True))
    assert front.post("/v2/a/blobs/uploads/").json["errors"][0]["detail"]["reason"] == "storage.readOnly is set"
    front.run(front.services.registry.read_only.end())
    assert front.post("/v2/a/blobs/uploads/").status == 503
