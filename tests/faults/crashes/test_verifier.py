"""The verifier finds nothing wrong where nothing is, and every kind of harm that somebody does."""

import apsw
import pytest

from faults.crashes.connection import Connection, Unanswered
from faults.crashes.contents import Content, image
from faults.crashes.data_directory import check_files, check_with_fsck
from faults.crashes.exclusive_client import attempt, blob_key
from faults.crashes.ledger import PRESENT, Effect, Key, Kind, Ledger, Upload
from faults.crashes.pushing import append, finish, in_one_put, learn, put_manifest, start
from faults.crashes.verifier import Verifier
from harness.subjects import ours, running

REPOSITORY = "a/b"
BLOBS = [Content(1, number) for number in range(3)]
IMAGE = image(BLOBS[0], BLOBS[1:2], "image")
ARTIFACT = image(BLOBS[0], [], "artifact", IMAGE)
TAG = Key(Kind.TAG, REPOSITORY, "v1")
SESSION = Key(Kind.SESSION, REPOSITORY, "session")


CARELESS = ours(
    bug="stamps-ignored",
    configuration="""\
kind: Configuration
metadata: {name: careless}
spec: {manifests: {deleteReferenced: allow}}
""",
)
"""A registry that does all the harm that it is asked to do: ours refuses some of it."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running(CARELESS, tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def connection(registry):
    connection = Connection(lambda: registry.address)
    yield connection
    connection.close()


@pytest.fixture
def ledger(connection):
    """A ledger of an image with a tag, an artifact of it, a blob, and an open session: all of it is there."""
    ledger = Ledger()
    for content in BLOBS:
        effect = Effect(blob_key(REPOSITORY, content), PRESENT)
        attempt(ledger, [effect], lambda begin, content=content: in_one_put(connection, REPOSITORY, content, begin))
    for document, tags in ((IMAGE, [TAG]), (ARTIFACT, [])):
        ledger.know(document)
        put_manifest(connection, REPOSITORY, tags[0].name if tags else document.digest, document)
        effects = [Effect(Key(Kind.MANIFEST, REPOSITORY, document.digest), PRESENT)]
        attempt(ledger, [*effects, *(Effect(tag, document.digest) for tag in tags)], lambda begin: begin())
    location = start(connection, REPOSITORY)
    append(connection, location, Content(1, 9).data()[:10], 0)
    ledger.uploads[SESSION] = Upload(Content(1, 9), location)
    attempt(ledger, [Effect(SESSION, 10)], lambda begin: begin())
    return ledger


def verify(ledger, connection):
    return Verifier(ledger, connection, learn(connection), seed=1).verify(all_keys=True)


def rows(registry, sql, *values):
    connection = apsw.Connection(str(registry.data / "registry.db"))
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(sql, values)
    connection.close()


def test_an_acknowledged_state_has_no_faults(ledger, connection, registry):
    assert verify(ledger, connection) == []
    assert check_files(registry.data, deep=True) == []
    assert check_with_fsck(registry.data) == []


def test_a_session_is_carried_on_to_its_blob(ledger, connection):
    for seed in range(20):
        assert Verifier(ledger, connection, learn(connection), seed).verify(all_keys=True) == []
    assert ledger.allowed(SESSION) == {None}
    assert ledger.allowed(blob_key(REPOSITORY, Content(1, 9))) == {PRESENT}


def test_a_blob_that_is_gone_is_missed(ledger, connection):
    connection.ask("DELETE", f"/v2/{REPOSITORY}/blobs/{BLOBS[2].digest}")
    [fault] = verify(ledger, connection)
    assert fault == f"lost: blob {REPOSITORY} {BLOBS[2].digest}: allowed present, found absent"
    assert verify(ledger, connection) == []  # a loss is told once


def test_a_manifest_whose_part_is_gone_is_half(ledger, connection):
    connection.ask("DELETE", f"/v2/{REPOSITORY}/blobs/{BLOBS[1].digest}")
    faults = verify(ledger, connection)
    assert any(fault.startswith(f"lost: blob {REPOSITORY} {BLOBS[1].digest}") for fault in faults)
    assert any(fault.startswith(f"manifest {REPOSITORY} {IMAGE.digest}: its part") for fault in faults)
    assert any(fault.startswith(f"{TAG}: its part") for fault in faults)


def test_a_moved_or_deleted_tag_is_reported_as_lost(ledger, connection):
    put_manifest(connection, REPOSITORY, TAG.name, ARTIFACT)
    [fault] = verify(ledger, connection)
    assert fault == f"lost: {TAG}: allowed {IMAGE.digest}, found {ARTIFACT.digest}"
    connection.ask("DELETE", f"/v2/{REPOSITORY}/manifests/{TAG.name}")
    [fault] = verify(ledger, connection)
    assert fault.endswith("found absent")


def test_a_tag_that_was_not_pushed_is_reported(ledger, connection):
    put_manifest(connection, REPOSITORY, "stray", IMAGE)
    assert verify(ledger, connection) == [f"the tag list of {REPOSITORY} has stray"]
    connection.ask("DELETE", f"/v2/{REPOSITORY}/manifests/stray")


def test_a_referrer_that_is_not_listed_is_missed(ledger, connection, registry):
    rows(registry, "UPDATE manifests SET subject = NULL WHERE digest = ?", ARTIFACT.digest)
    assert verify(ledger, connection) == [f"the referrers of {REPOSITORY} {IMAGE.digest} lacks {ARTIFACT.digest}"]


def test_bytes_that_changed_do_not_pass(ledger, connection, registry):
    file = registry.blob_path(BLOBS[2].digest)
    data = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    file.chmod(0o444)
    [fault] = verify(ledger, connection)
    assert fault.startswith(f"blob {REPOSITORY} {BLOBS[2].digest}: bytes of sha256:")
    assert check_files(registry.data) == []
    assert check_files(registry.data, deep=True) == [f"a file with other bytes: {BLOBS[2].digest}"]


def test_a_file_that_is_gone_or_short_or_writable_is_seen_from_inside(ledger, connection, registry):
    file = registry.blob_path(BLOBS[2].digest)
    file.chmod(0o644)
    assert check_files(registry.data) == [f"a file with mode 644: {BLOBS[2].digest}"]
    file.write_bytes(b"short")
    assert check_files(registry.data) == [f"a file of 5 bytes, not {BLOBS[2].size}: {BLOBS[2].digest}"]
    file.unlink()
    assert check_files(registry.data) == [f"a row without its file: {BLOBS[2].digest}"]
    [missing, again] = check_with_fsck(registry.data)
    assert missing.startswith(f"fsck: missing: {BLOBS[2].digest}:")
    assert again.startswith(f"fsck after a repair: missing: {BLOBS[2].digest}:")
    assert any("found absent" in fault for fault in verify(ledger, connection))


def test_a_session_that_went_back_or_is_gone_is_missed(ledger, connection, registry):
    rows(registry, "UPDATE upload_sessions SET received = 5, received_digest = NULL")
    faults = verify(ledger, connection)
    assert faults[0] == f"lost: {SESSION}: allowed 10, found 5"


def test_a_session_whose_bytes_are_gone_is_missed(ledger, connection, registry):
    for file in (registry.data / "uploads").iterdir():
        file.unlink()
    assert verify(ledger, connection)[0] == f"lost: {SESSION}: allowed 10, found absent"


def test_a_session_that_cannot_continue_is_reported(ledger, connection, registry):
    rows(registry, "UPDATE upload_sessions SET received_digest = NULL")
    for file in (registry.data / "uploads").iterdir():
        file.write_bytes(bytes(10))
    faults = [
        fault
        for seed in range(6)
        for fault in Verifier(ledger, connection, learn(connection), seed).verify(all_keys=True)
    ]
    assert faults[0].startswith(f"{SESSION}: cannot go on at 10: PUT upload: 400")


def test_a_session_that_ended_elsewhere_is_missed(ledger, connection):
    content = Content(1, 9)
    finish(connection, ledger.uploads[SESSION].location, content.digest, content.data()[10:])
    [fault] = verify(ledger, connection)
    assert fault == f"lost: {SESSION}: allowed 10, found absent"


def test_a_registry_that_fails_to_answer_for_one_key_is_asked_for_the_others(ledger, connection, registry, monkeypatch):
    ask = Connection.ask

    def fail(self, method, path, *others, **named):
        if path.endswith(BLOBS[2].digest):
            raise Unanswered("500")
        return ask(self, method, path, *others, **named)

    monkeypatch.setattr(Connection, "ask", fail)
    assert verify(ledger, connection) == [f"lost: blob {REPOSITORY} {BLOBS[2].digest}: not answered at rest: 500"]
