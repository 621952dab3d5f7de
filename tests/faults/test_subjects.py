"""Every subject starts over what it left, is killed whole, and keeps its blobs where `blob_path` says."""

import hashlib

import pytest

from harness.subjects import OURS, DidNotStart, ours, peers, running

CONTENT = b"content"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.mark.parametrize("subject", [OURS, ours(bug="no-data-fsync"), *peers()], ids=lambda subject: subject.name)
def test_a_killed_subject_starts_again_over_what_it_kept(subject, tmp_path):
    with running(subject, tmp_path) as registry:
        connection = registry.connect()
        connection.request("POST", "/v2/a/b/blobs/uploads/")
        response = connection.getresponse()
        response.read()
        location = response.headers["Location"]
        connection.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={DIGEST}", CONTENT)
        assert connection.getresponse().status == 201
        connection.close()
        processes = registry.processes()
        registry.kill()
        assert processes
        assert registry.processes() == []
    assert registry.blob_path(DIGEST).read_bytes() == CONTENT
    with running(subject, tmp_path) as registry:
        connection = registry.connect()
        connection.request("GET", f"/v2/a/b/blobs/{DIGEST}")
        assert connection.getresponse().read() == CONTENT
        connection.close()
        registry.stop()


def test_the_exit_of_a_subject_shows_its_reason(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    with pytest.raises(DidNotStart, match="holds other files"), running(OURS, tmp_path):
        pass
