"""`uploads`: sessions listed and ended in a data directory that a server uses."""

import asyncio
import io
import json
import os

import pytest

from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.uploads import uploads
from simple_registry.faults import DataDirectoryRefused
from simple_registry.operations import session_turns
from support.access import READWRITE, binding, rules
from support.front import Front
from support.stores import on_disk
from support.time import SettableClock

DATA = b"some content"


@pytest.fixture
def front(tmp_path):
    """A server over the directory."""
    clock = SettableClock()
    access = rules(binding("bob", READWRITE, ""), binding("anonymous", READWRITE, ""), users=["bob", "anonymous"])
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock, rules=access) as front:
        yield front


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        stdout, stderr = io.StringIO(), io.StringIO()
        assert uploads(words, {"SIMPLE_REGISTRY_DATADIR": str(tmp_path / "data")}, stdout, stderr) == code
        return stdout.getvalue(), stderr.getvalue()

    return call


def session(front, repository="team/app", **how):
    location = front.post(f"/v2/{repository}/blobs/uploads/", **how).location
    return location.rpartition("/")[2], location


def test_sessions_are_listed_in_a_table(front, run):
    assert run("list")[0].split() == ["ID", "USER", "CLIENT", "REPOSITORY", "RECEIVED", "STARTED", "TOUCHED"]
    ours, location = session(front)
    front.patch(location, body=DATA)
    theirs, _ = session(front, "a", user=None, client="2001:db8::7")
    lines = sorted(run("list")[0].splitlines()[1:], key=lambda line: line.split()[1])
    times = ["2023-11-14T22:13:20Z"] * 2
    assert [line.split() for line in lines] == [
        [ours, "admin", "-", "team/app", "12", *times],
        [theirs, "anonymous", "2001:db8::/64", "a", "0", *times],
    ]


def test_sessions_of_one_user_are_listed_as_json(front, run):
    session(front)
    theirs, _ = session(front, user="bob")
    (listed,) = json.loads(run("list", "-user", "bob", "-json")[0])
    assert listed == {
        "id": theirs,
        "user": "bob",
        "client": None,
        "repository": "team/app",
        "received": 0,
        "started": "2023-11-14T22:13:20Z",
        "touched": "2023-11-14T22:13:20Z",
    }
    assert json.loads(run("list", "-user", "nobody", "-json")[0]) == []


def test_a_cancelled_session_is_gone_with_its_bytes(front, run):
    with front.unchanged():
        first, location = session(front)
        second, _ = session(front)
        front.patch(location, body=DATA)
        assert run("cancel", first, second) == ("", "sessions ended: 2\n")
    assert front.patch(location, body=DATA).codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_all_sessions_of_a_user_can_be_cancelled(front, run):
    _, ours = session(front)
    for _ in range(3):
        session(front, user="bob")
    assert run("cancel", "-user", "bob")[1] == "sessions ended: 3\n"
    assert run("cancel", "-user", "bob")[1] == "sessions ended: 0\n"
    assert front.get(ours).status == 204


def test_a_session_that_is_written_to_ends_with_the_request(front, run):
    upload, location = session(front)

    async def scenario():
        started = asyncio.Event()

        async def silent():
            yield DATA
            started.set()
            await asyncio.Event().wait()

        writing = asyncio.ensure_future(front.send("PATCH", location, body=silent()))
        await started.wait()
        said = await asyncio.to_thread(run, "cancel", upload)
        return said, await writing

    (_, said), reply = front.run(scenario())
    assert said == "sessions ended: 1\n"
    assert reply.status in {404, 409}
    assert front.get(location).status == 404


def test_a_session_that_stays_held_is_reported_and_does_not_stop_the_others(front, run, monkeypatch):
    monkeypatch.setattr(session_turns, "MAX_ATTEMPTS", 2)
    held, location = session(front)
    session(front)

    async def scenario():
        async with front.kept.stores.rows.sessions.hold(held):
            return await asyncio.to_thread(run, "cancel", "-user", "admin", code=1)

    _, said = front.run(scenario())
    assert f"session {held}: " in said
    assert said.endswith("sessions ended: 1\n")
    assert front.get(location).status == 204


def test_a_session_that_is_unknown_ends_no_other(front, run):
    upload, location = session(front)
    with pytest.raises(UsageError, match="no such session: none; 'uploads list' shows the ids"):
        run("cancel", upload, "none")
    assert front.get(location).status == 204


@pytest.mark.parametrize(
    "words", [(), ("cancel",), ("list", "id"), ("cancel", "id", "-user", "bob"), ("forget",), ("-x",)]
)
def test_invalid_arguments_are_refused(front, run, words):
    with front.unchanged(), pytest.raises(UsageError):
        run(*words)


def test_help_goes_to_standard_output(run):
    assert run("-help")[0].startswith("usage: simple-registry uploads list")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_only_the_owner_of_the_directory_may_run_it(front, run, tmp_path):
    os.chown(tmp_path / "data" / "format", 12345, -1)
    for words in (("list",), ("cancel", "-user", "admin")):
        with pytest.raises(DataDirectoryRefused, match="belongs to the user with id 12345"):
            run(*words)


def test_a_directory_of_another_kind_is_refused(tmp_path, capsys):
    assert main(["uploads", "list", "-datadir", str(tmp_path / "none")]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err
