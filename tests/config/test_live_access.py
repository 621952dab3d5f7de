"""Rules that follow files: with fakes, with real files, and in a real server on every worker."""

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

import pytest

from simple_registry.access.passwords import hash_password
from simple_registry.access.roles import User
from simple_registry.access.rules import AccessRules
from simple_registry.config.live_access import LOOKS_TO_RETRY, LiveAccess
from simple_registry.config.load import load_access
from simple_registry.config.values import ConfigError
from simple_registry.config.watch import signature

OLD, NEW = AccessRules(users={"old": User("old")}), AccessRules(users={"new": User("new")})


class Files:
    """A fake of the files: what loading them gives, or raises, and how often it was tried."""

    def __init__(self):
        self.content = OLD
        self.state = 0
        self.loads = 0

    def load(self):
        self.loads += 1
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def become(self, content):
        self.content = content
        self.state += 1

    def live(self, **how):
        return LiveAccess(self.load, lambda: self.state, **how)


def look(live, times=1):
    async def looks():
        for _ in range(times):
            await live.look()

    asyncio.run(looks())


def test_rules_are_loaded_once_and_again_only_when_the_files_change():
    files = Files()
    live = files.live()
    look(live, 3)
    assert (live.rules, live.status.ok, files.loads) == (OLD, True, 1)
    files.become(NEW)
    look(live, 3)
    assert (live.rules, live.status.ok, files.loads) == (NEW, True, 2)


def test_a_set_that_does_not_load_at_the_start_is_refused():
    files = Files()
    files.become(ConfigError("a.yaml:1: wrong"))
    with pytest.raises(ConfigError):
        files.live()


def test_what_changes_while_it_is_loaded_is_loaded_again():
    files = Files()

    def load():
        rules = files.load()
        if files.loads == 1:
            files.become(NEW)
        return rules

    live = LiveAccess(load, lambda: files.state)
    assert live.rules is OLD
    look(live)
    assert live.rules is NEW


def test_a_broken_set_keeps_the_old_rules_says_why_once_and_recovers(caplog):
    files = Files()
    live = files.live()
    with caplog.at_level(logging.INFO, "simple_registry"):
        for _ in range(3):
            files.become(ConfigError("a.yaml:1: wrong"))
            look(live)
    assert live.rules is OLD
    assert live.status.problem == "a.yaml:1: wrong"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the old ones stay in force: a.yaml:1: wrong" in caplog.text
    files.become(NEW)
    look(live)
    assert (live.rules, live.status.ok) == (NEW, True)


def test_what_did_not_load_is_tried_again_after_a_while_although_no_file_changed(caplog):
    files = Files()
    live = files.live()
    files.become(ConfigError("cannot read a.yaml: Too many open files"))
    look(live)
    files.content = NEW
    look(live, LOOKS_TO_RETRY - 1)
    assert (live.rules, files.loads) == (OLD, 2)
    look(live)
    assert (live.rules, live.status.ok, files.loads) == (NEW, True, 3)
    look(live, 2 * LOOKS_TO_RETRY)
    assert files.loads == 3


def test_a_mistake_that_stays_is_logged_once(caplog):
    files = Files()
    live = files.live()
    files.become(ConfigError("a.yaml:1: wrong"))
    look(live, 3 * LOOKS_TO_RETRY)
    assert files.loads == 4
    assert len(caplog.records) == 1


def test_a_defect_of_ours_keeps_the_old_rules_and_is_logged_with_its_traceback(caplog):
    files = Files()
    live = files.live()
    files.become(RuntimeError("a defect"))
    look(live)
    assert live.rules is OLD
    assert "see the log" in live.status.problem
    assert "RuntimeError: a defect" in caplog.text


def test_running_looks_again_and_again_until_it_is_cancelled():
    files = Files()
    live = files.live(interval=0.01)

    async def follow():
        task = asyncio.create_task(live.run())
        files.become(NEW)
        async with asyncio.timeout(5):
            while live.rules is not NEW:  # noqa: ASYNC110 (rules announce nothing; they are looked at)
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(follow())


# ---------------------------------------------------------------- real files


def user(name):
    return f"kind: User\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def live(tmp_path):
    (tmp_path / "a.yaml").write_text(user("old"))
    return LiveAccess(lambda: load_access([tmp_path], None), lambda: signature([tmp_path]))


def users(live):
    look(live)
    return set(live.rules.users)


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
    live = LiveAccess(lambda: load_access([tmp_path], None), lambda: signature([tmp_path]))
    assert users(live) == {"a", "b"}
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..1")
    assert users(live) == {"c", "d"}


def test_half_written_yaml_changes_nothing_until_it_is_whole(live, tmp_path):
    (tmp_path / "a.yaml").write_text("kind: User\nmetadata: {name:")
    assert users(live) == {"old"}
    assert re.search(r"a.yaml:[23]: this is not YAML", live.status.problem)
    (tmp_path / "a.yaml").write_text(user("new"))
    assert users(live) == {"new"}
    assert live.status.ok


def test_a_good_file_beside_a_broken_one_is_not_taken_alone(live, tmp_path):
    (tmp_path / "a.yaml").write_text(user("new"))
    (tmp_path / "b.yaml").write_text("kind: Usr\nmetadata: {name: x}\n")
    assert users(live) == {"old"}
    (tmp_path / "b.yaml").unlink()
    assert users(live) == {"new"}


def test_a_removed_directory_keeps_the_old_rules(live, tmp_path):
    shutil.rmtree(tmp_path)
    assert users(live) == {"old"}
    assert "this directory does not exist" in live.status.problem
    tmp_path.mkdir()
    (tmp_path / "a.yaml").write_text(user("new"))
    assert users(live) == {"new"}


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


def test_a_broken_set_keeps_the_old_rules_and_readiness_says_so(server):
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
    assert server.log.count("b.yaml:3: spec.resources is wrong") == WORKERS
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: server.log.count("b.yaml:3: spec.resources is wrong") > WORKERS, 10)
    assert server.catalog() == {200}
    (server.rules / "b.yaml").unlink()
    time.sleep(1.0)
    assert server.configuration() == {"current"}
