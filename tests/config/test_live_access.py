"""Rules that follow files: with real files, and in a real server on every worker."""

import asyncio
import contextlib
import http.client
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest

from simple_registry.access.caller import Identity
from simple_registry.access.passwords import hash_password
from simple_registry.config.live_access import LiveAccess
from simple_registry.config.load import follow_documents
from simple_registry.config.settings import Administrator
from simple_registry.config.values import Secret
from support.busy_threads import run_beside_busy_threads

# ---------------------------------------------------------------- real files


ROLE = "kind: Role\nmetadata: {name: r}\nspec: {resources: ['*'], verbs: [pull]}\n"


def user(name):
    return f"kind: User\nmetadata: {{name: {name}}}\n"


def follow(directory, administrator=None):
    return LiveAccess(follow_documents((directory,), administrator))


@pytest.fixture
def live(tmp_path):
    (tmp_path / "a.yaml").write_text(user("old"))
    return follow(tmp_path)


def poll(live, times=2):
    async def polls():
        for _ in range(times):
            await live.poll()

    asyncio.run(polls())


def users(live):
    poll(live)
    return set(live.rules.users)


def test_running_looks_again_and_again_until_it_is_cancelled(tmp_path):
    (tmp_path / "a.yaml").write_text(user("old"))
    live = LiveAccess(follow_documents((tmp_path,), None), interval=0.01)

    async def scenario():
        task = asyncio.create_task(live.run())
        (tmp_path / "a.yaml").write_text(user("new"))
        async with asyncio.timeout(5):
            while "new" not in live.rules.users:  # noqa: ASYNC110 (rules announce nothing; they are looked at)
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_look_needs_no_thread_of_requests(live, tmp_path):
    (tmp_path / "a.yaml").write_text(user("new"))
    run_beside_busy_threads(live.poll)
    run_beside_busy_threads(live.poll)
    assert set(live.rules.users) == {"new"}


def test_a_set_that_does_not_load_is_logged_once_and_counted(live, tmp_path, caplog):
    (tmp_path / "a.yaml").write_text("kind: Usr\nmetadata: {name: x}\n")
    with caplog.at_level(logging.INFO, "simple_registry"):
        poll(live, 5)
        (tmp_path / "b.yaml").write_text(ROLE)
        poll(live)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the old ones stay in force: " in caplog.text
    assert (live.stale is None, live.failures, live.reloads) == (False, 2, 0)
    (tmp_path / "a.yaml").write_text(user("new"))
    assert users(live) == {"new"}
    assert (live.stale is None, live.failures, live.reloads) == (True, 2, 1)


def test_an_editor_that_renames_is_followed(live, tmp_path):
    (tmp_path / ".a.yaml.swp").write_text(user("new"))
    (tmp_path / ".a.yaml.swp").rename(tmp_path / "a.yaml")
    assert users(live) == {"new"}


def test_a_swapped_folder_as_kubernetes_mounts_it_is_followed_as_a_whole(tmp_path):
    for version, names in (("..1", "ab"), ("..2", "cd")):
        (tmp_path / version).mkdir()
        for file, name in zip(("x.yaml", "y.yaml"), names, strict=True):
            (tmp_path / version / file).write_text(user(name))
    (tmp_path / "..data").symlink_to("..1")
    for file in ("x.yaml", "y.yaml"):
        (tmp_path / file).symlink_to(f"..data/{file}")
    live = follow(tmp_path)
    assert users(live) == {"a", "b"}
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..1")
    assert users(live) == {"c", "d"}


def test_half_written_yaml_changes_nothing_until_it_is_whole(live, tmp_path):
    (tmp_path / "a.yaml").write_text("kind: User\nmetadata: {name:")
    assert users(live) == {"old"}
    assert "a.yaml:2: the last line has no end" in live.stale
    (tmp_path / "a.yaml").write_text(user("new"))
    assert users(live) == {"new"}
    assert live.stale is None


def test_a_valid_file_is_not_loaded_without_a_broken_one(live, tmp_path):
    (tmp_path / "a.yaml").write_text(user("new"))
    (tmp_path / "b.yaml").write_text("kind: Usr\nmetadata: {name: x}\n")
    assert users(live) == {"old"}
    (tmp_path / "b.yaml").unlink()
    assert users(live) == {"new"}


def test_a_removed_directory_keeps_the_old_rules(live, tmp_path):
    shutil.rmtree(tmp_path)
    assert users(live) == {"old"}
    assert "this directory does not exist" in live.stale
    tmp_path.mkdir()
    (tmp_path / "a.yaml").write_text(user("new"))
    assert users(live) == {"new"}


# ---------------------------------------------------------------- documents that are being written

WRITTEN = """\
kind: User
metadata: {name: bob}
spec: {groups: [team]}
---
kind: Role
metadata: {name: all}
spec: {resources: ['*'], verbs: ['*']}
---
kind: RoleBinding
metadata: {name: bob}
spec:
  subjects: [{kind: Group, name: team}]
  roleRef: {name: all}
  scopes:
  - ^team/shared(:.+)?$
---
kind: Token
metadata: {name: robot}
spec:
  username: bob
  valueHash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  scopes: ['repository:^team/shared$:pull']
  expiresAt: 2999-01-31T12:00:00Z
---
kind: TokenIssuer
metadata: {name: ci}
spec:
  issuer: https://ci.example
  audience: registry
  keys: {jwksFile: keys.json}
  conditions:
    project: team/shared
    ref: main
"""
FORMER = WRITTEN.replace("shared", "former")


TEAM = Identity("any", frozenset({"team"}))


def width(rules):
    """Return what rules allow that narrower ones would not."""
    bindings = {scope.text for bound in rules.policy.bindings_of(TEAM) for scope in bound.scopes}
    tokens = {(token.expires_at, repr(token.limit)) for token in rules.tokens.values()}
    return bindings | tokens | {issuer.conditions for issuer in rules.issuers}


def test_a_writer_that_pauses_between_any_two_bytes_never_widens_anything(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(WRITTEN)
    allowed = width(follow_documents((tmp_path,), None).value.rules)
    file.write_text(FORMER)
    documents = follow_documents((tmp_path,), None)
    allowed |= width(documents.value.rules)
    with file.open("wb", buffering=0) as written:  # in place, as editors, cp and scp write
        for end in range(len(WRITTEN)):
            written.write(WRITTEN[end : end + 1].encode())
            for _ in range(3):
                documents.poll()
            assert "a program writes to it" in documents.stale
            assert width(documents.value.rules) <= allowed, WRITTEN[:end]
    documents.poll()
    assert documents.stale is None
    assert "^team/shared(:.+)?$" in width(documents.value.rules)


def test_a_writer_that_ends_too_early_never_widens_a_line(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(FORMER)
    documents = follow_documents((tmp_path,), None)
    allowed = width(documents.value.rules)
    for end in range(len(WRITTEN)):
        file.write_text(WRITTEN[:end])
        documents.poll()  # at the end of a line it may pause for one poll, where the system does not report writers
        if not WRITTEN[:end].endswith("\n"):
            documents.poll()
            documents.poll()
            assert documents.stale is not None
        assert width(documents.value.rules) <= allowed, WRITTEN[:end]


@pytest.mark.parametrize("content", ["", "# who may do what\n", "---\n"])
def test_a_file_that_is_emptied_keeps_the_old_rules(live, tmp_path, content):
    (tmp_path / "b.yaml").write_text(ROLE)
    poll(live)
    (tmp_path / "b.yaml").write_text(content)
    poll(live)
    assert live.stale == f"{tmp_path}/b.yaml: it holds no documents any more; remove the file if they are to go"
    (tmp_path / "b.yaml").unlink()
    poll(live)
    assert live.stale is None


def test_a_directory_that_is_emptied_keeps_the_old_rules(live, tmp_path):
    (tmp_path / "a.yaml").rename(tmp_path / "a.yaml.disabled")
    assert users(live) == {"old"}
    assert f"{tmp_path}: no documents are left below it" in live.stale
    (tmp_path / "a.yaml.disabled").rename(tmp_path / "a.yaml")
    assert users(live) == {"old"}
    assert live.stale is None


def test_one_of_several_directories_that_is_emptied_keeps_the_old_rules(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(user(name))
    documents = follow_documents((tmp_path / "one", tmp_path / "two"), None)
    (tmp_path / "two/a.yaml").unlink()
    documents.poll()
    documents.poll()
    assert set(documents.value.rules.users) == {"one", "two"}
    assert "two: no documents are left below it" in documents.stale


def test_a_file_that_was_empty_from_the_start_may_be(tmp_path):
    (tmp_path / "a.yaml").write_text(user("old"))
    (tmp_path / "empty.yaml").touch()
    live = follow(tmp_path)
    (tmp_path / "a.yaml").write_text(user("new"))
    assert users(live) == {"new"}


ISSUER = """\
kind: TokenIssuer
metadata: {name: ci}
spec: {issuer: https://ci.example, audience: registry, keys: {jwksFile: keys.json}}
"""


@pytest.mark.parametrize("named", [user("bob"), ISSUER])
def test_the_administrator_of_the_first_start_ends_when_documents_name_users(tmp_path, named):
    administrator = Administrator("admin", Secret(hash_password("secret", 4)), provisional=True)
    live = follow(tmp_path, administrator)
    assert users(live) == {"admin"}
    (tmp_path / "a.yaml").write_text(named)
    assert "admin" not in users(live)
    (tmp_path / "a.yaml").write_text(ROLE)
    assert users(live) == set()
    assert live.stale is None


# ---------------------------------------------------------------- a real server

WORKERS = 3
CALLS = 24
"""New connections, which the kernel spreads over the workers."""

DOCUMENTS = """\
kind: User
metadata: {{name: bob}}
spec: {{passwordHash: {hashed}}}
---
kind: Role
metadata: {{name: readonly}}
spec: {{resources: [catalog], verbs: [pull]}}
---
kind: RoleBinding
metadata: {{name: bob}}
spec: {{subjects: [{{kind: User, name: bob}}], roleRef: {{name: readonly}}, scopes: ['{scope}']}}
"""
CATALOG, NOTHING = "^$", "^nothing/here$"


class Server:
    """A registry with several workers, and the documents that it follows."""

    def __init__(self, directory):
        self.rules = directory / "rules"
        self.rules.mkdir()
        self.log_path = directory / "log"
        self._hash = hash_password("secret", 4)
        self.write(NOTHING)
        arguments = ["-datadir", str(directory / "data"), "-cfgdir", str(self.rules), "-addr", "127.0.0.1:0"]
        environment = {name: text for name, text in os.environ.items() if not name.startswith("SIMPLE_REGISTRY_")}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "simple_registry", *arguments, "-workers", str(WORKERS), "-log-format", "json"],
                stderr=log,
                stdout=log,
                env=environment,
            )
        found = self.until(lambda: re.search(r"listening on http://127.0.0.1:(\d+)", self.log), 20)
        self.port = int(found[1])

    @property
    def log(self):
        return self.log_path.read_text()

    def write(self, scope):
        partial = self.rules / ".partial"
        partial.write_text(DOCUMENTS.format(hashed=self._hash, scope=scope))
        partial.rename(self.rules / "a.yaml")

    def until(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return found

    def get(self, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            credentials = b64encode(b"bob:secret").decode()
            connection.request("GET", path, headers={"Authorization": f"Basic {credentials}"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def workers(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def catalog(self):
        return {self.get("/v2/_catalog")[0] for _ in range(CALLS)}

    def configuration(self):
        return {json.loads(self.get("/readyz")[1])["configuration"] for _ in range(CALLS)}


@pytest.fixture
def server(tmp_path):
    with contextlib.ExitStack() as stack:
        made = Server(tmp_path)
        stack.callback(made.process.wait, 20)
        stack.callback(made.process.terminate)
        yield made


def test_a_change_is_in_force_on_every_worker_within_a_second(server):
    assert server.catalog() == {403}
    for scope, status in ((CATALOG, 200), (NOTHING, 403)):
        server.write(scope)
        time.sleep(1.0)
        assert server.catalog() == {status}


def test_a_broken_set_keeps_the_old_rules_and_shows_in_readiness(server):
    server.write(CATALOG)
    time.sleep(1.0)
    assert server.catalog() == {200}
    assert server.configuration() == {"current"}
    (server.rules / "b.yaml").write_text(
        "kind: Role\nmetadata: {name: x}\nspec: {resources: [layers], verbs: [pull]}\n"
    )
    time.sleep(1.0)
    assert server.catalog() == {200}
    assert server.configuration() == {"stale"}
    assert server.log.count("b.yaml:3: spec.resources[0] is wrong") == WORKERS
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: server.log.count("b.yaml:3: spec.resources[0] is wrong") > WORKERS, 10)
    assert server.catalog() == {200}
    (server.rules / "b.yaml").unlink()
    time.sleep(1.0)
    assert server.configuration() == {"current"}


def test_a_worker_that_dies_while_documents_are_broken_is_replaced_with_the_rules_in_force(server):
    server.write(CATALOG)
    server.until(lambda: server.catalog() == {200}, 10)
    (server.rules / "b.yaml").write_text("kind: User\nmetadata: {nam: x}\n")
    server.until(lambda: server.configuration() == {"stale"}, 10)
    victims = server.workers()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    server.until(lambda: len(server.workers() - victims) == WORKERS, 10)
    assert server.catalog() == {200}
    assert server.configuration() == {"stale"}
    assert server.log.count("a worker died and is replaced") == WORKERS
    (server.rules / "b.yaml").unlink()
    server.until(lambda: server.configuration() == {"current"}, 10)


def test_documents_that_vanish_leave_everything_as_it_was(server):
    server.write(CATALOG)
    server.until(lambda: server.catalog() == {200}, 10)
    (server.rules / "a.yaml").rename(server.rules / "a.yaml.disabled")
    server.until(lambda: server.configuration() == {"stale"}, 10)
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: "not reloaded, nothing was changed" in server.log, 10)
    assert server.catalog() == {200}


def test_a_file_that_is_open_for_writing_is_in_force_on_no_worker(server):
    binding = DOCUMENTS.format(hashed="", scope=CATALOG).rpartition("---\n")[2].replace("{name: bob}", "{name: b}", 1)
    with (server.rules / "b.yaml").open("wb", buffering=0) as written:
        written.write(binding.encode())
        server.until(lambda: server.configuration() == {"stale"}, 10)
        victims = server.workers()
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        server.until(lambda: len(server.workers() - victims) == WORKERS, 10)
        time.sleep(1.0)
        assert server.catalog() == {403}
        assert server.configuration() == {"stale"}
        server.process.send_signal(signal.SIGHUP)
        server.until(lambda: "not reloaded, nothing was changed: " in server.log, 10)
        assert server.catalog() == {403}
    server.until(lambda: server.catalog() == {200}, 10)
    server.until(lambda: server.configuration() == {"current"}, 10)


def test_a_pipe_among_the_documents_keeps_no_worker_from_being_replaced_and_no_server_from_its_end(server):
    os.mkfifo(server.rules / "z.yaml")
    server.until(lambda: server.configuration() == {"stale"}, 10)
    assert "z.yaml: it is not a regular file" in server.log
    victims = server.workers()
    os.kill(min(victims), signal.SIGKILL)
    server.until(lambda: len(server.workers() - victims) == 1, 10)
    server.process.terminate()
    assert server.process.wait(20) == 0
