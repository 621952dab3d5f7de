"""Every system call of every operation fails, or kills, in turn: no bad state, no answer for what is not there."""

import pytest

from faults.injection.campaign import injection, rows_without_files, wrong_refusal
from faults.injection.shots import FAULTS, Shot
from faults.order.operations import Reply
from faults.scores import Scale
from harness.subjects import OURS, ours, running

DOCUMENT = b'{"errors":[{"code":"UNKNOWN"}]}'


@pytest.mark.usefixtures("tracing")
def test_no_failing_call_leads_to_a_bad_state_or_a_wrong_answer(scale, tmp_path):
    score = injection(OURS, tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.usefixtures("tracing")
@pytest.mark.parametrize(
    ("bug", "caught"),
    [
        ("swallowed-enospc", "not 507"),
        ("swallowed-fsync-error", "acknowledged: bytes of blobs/"),
        ("retried-fsync", "a failed sync was tried again and believed: fsync("),
        ("log-never-suspect", "refused, and after a restart: not"),
    ],
)
def test_a_planted_bug_is_caught(bug, caught, tmp_path):
    score = injection(ours(bug=bug), tmp_path, Scale.PROOF)
    assert any(caught in fault for fault in score.faults), str(score)


def test_a_row_without_its_file_is_found(tmp_path):
    with running(OURS, tmp_path) as registry:
        connection = registry.connect()
        url = "/v2/a/blobs/uploads/?digest=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        connection.request("POST", url, b"abc")
        assert connection.getresponse().status == 201
        connection.close()
        assert rows_without_files(registry.data) == []
        registry.blob_path(url[-71:]).unlink()
        assert rows_without_files(registry.data) == [f"the row of {url[-71:]} has no file"]


@pytest.mark.parametrize(
    ("fault", "reply", "wrong"),
    [
        ("ENOSPC", Reply(507, body=DOCUMENT), None),
        ("EIO", Reply(503, body=DOCUMENT), None),
        ("EIO+", Reply(503, body=DOCUMENT), None),
        ("ENOSPC", Reply(503, body=DOCUMENT), "answered 503, not 507"),
        ("EIO", Reply(500, body=DOCUMENT), "answered 500, not 503"),
        ("EIO", Reply(503, body=b"disk error"), "answered 503 without an error document"),
        ("EIO", Reply(503, body=b"{}"), "answered 503 without an error document"),
        ("EIO", Reply(0), "the client had no answer"),
        ("EINTR", Reply(503, body=DOCUMENT), "the client was answered 503"),
    ],
)
def test_a_refusal_has_its_status_and_a_document(fault, reply, wrong):
    assert wrong_refusal(Shot("files", "fsync", 1, "x", fault), reply) == wrong


def test_a_shot_has_the_arguments_of_strace():
    assert Shot("rows", "fdatasync", 2, "x", "EIO").injection == "inject=fdatasync:error=EIO:when=2"
    assert Shot("rows", "fdatasync", 2, "x", "EIO+").injection == "inject=fdatasync:error=EIO:when=2+"
    assert Shot("files", "rename", 1, "x", "SIGKILL").injection == "inject=rename:signal=SIGKILL:when=1"
    assert FAULTS["close"] == ()
