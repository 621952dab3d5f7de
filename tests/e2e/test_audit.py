"""The audit log of a real server has every push, with user and time, through rotations and killed workers."""

import base64
import contextlib
import http.client
import json
import os
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path

import bcrypt
import pytest

from e2e.server import PASSWORD, serve
from simple_registry.oci.digests import digest_of as digest_value
from support.documents import encode, image

ADA = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
DOCUMENTS = f"""\
kind: User
metadata: {{name: ada}}
spec: {{passwordHash: "{ADA}"}}
---
kind: User
metadata: {{name: grace}}
spec: {{passwordHash: "{ADA}"}}
---
kind: Role
metadata: {{name: pusher}}
spec: {{resources: [blobs, manifests], verbs: [pull, push, delete]}}
---
kind: RoleBinding
metadata: {{name: team-pushes}}
spec:
  subjects: [{{kind: User, name: ada}}, {{kind: User, name: grace}}]
  roleRef: {{name: pusher}}
  scopes: ['^team/']
"""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "server"


@pytest.fixture
def registry(folder):
    folder.mkdir()
    with serve(
        folder, configuration=DOCUMENTS, options=["-workers", "3", "-audit-log", str(folder / "audit")]
    ) as served:
        yield served


def digest_of(data):
    return str(digest_value(data))


class Client:
    """Pushes images as a user, and remembers every tag that was acknowledged, in order."""

    def __init__(self, registry, user, tag):
        self.registry, self.user, self.tag = registry, user, tag
        self.acknowledged = []
        self.doubtful = []

    def send(self, method, path, body=b"", **headers):
        host, _, port = self.registry.endpoint.rpartition(":")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
            proof = base64.b64encode(f"{self.user}:{PASSWORD}".encode()).decode()
            connection.request(method, path, body, {"Authorization": f"Basic {proof}", **headers})
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def push(self, number):
        layer = f"{self.user} {self.tag} {number}".encode()
        data = encode(image(layer))
        digest = digest_of(data)
        try:
            for blob in (b"{}", layer):
                query = f"digest={digest_of(blob)}"
                assert self.send("POST", f"/v2/team/app/blobs/uploads/?{query}", blob) == 201
            status = self.send("PUT", f"/v2/team/app/manifests/{self.tag}", data, **{"Content-Type": MANIFEST})
        except (OSError, http.client.HTTPException):  # its worker was killed
            self.doubtful.append(digest)
            return
        assert status == 201
        self.acknowledged.append(digest)


def lines(*paths):
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def history(found, tag):
    events = [line for line in found if line["event"] == "tag.set" and line["reference"] == tag]
    return [(line["identity"], line["digest"], line.get("previous")) for line in events]


def workers(registry):
    return {int(pid) for pid in Path(f"/proc/{registry.pid}/task/{registry.pid}/children").read_text().split()}


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_pushes_are_recorded_in_order_through_a_rotation(registry, folder):
    clients = [Client(registry, "ada", "v1"), Client(registry, "grace", "v2")]
    threads = [threading.Thread(target=lambda each=each: [each.push(n) for n in range(25)]) for each in clients]
    for thread in threads:
        thread.start()
    until(lambda: (folder / "audit").exists() and len(lines(folder / "audit")) > 20)
    before = workers(registry)
    (folder / "audit").rename(folder / "audit.1")
    os.kill(registry.pid, signal.SIGHUP)
    until(lambda: not workers(registry) & before)
    for thread in threads:
        thread.join()
    extra = Client(registry, "ada", "v1")
    extra.push("after")
    found = lines(folder / "audit.1", folder / "audit")
    assert len(lines(folder / "audit")) > 0
    for client in clients:
        told = history(found, client.tag)
        # Old workers may write to the old file after new ones to the new: each line names the one before it.
        assert {identity for identity, _, _ in told} == {client.user}
        by_previous = {previous: digest for _, digest, previous in told}
        chain = [by_previous[None]]
        while chain[-1] in by_previous:
            chain.append(by_previous[chain[-1]])
        assert chain == client.acknowledged + extra.acknowledged * (client.tag == extra.tag)
        assert client.doubtful == []
    rules = [line for line in found if line["event"] == "rules.change"]
    assert [line["users"] for line in rules] == [3]  # with the administrator
    assert {line["binding"] for line in found if line not in rules} == {"team-pushes"}


def test_every_acknowledged_change_is_recorded_although_workers_are_killed(registry, folder):
    clients = [Client(registry, "ada", "v1"), Client(registry, "grace", "v2")]
    over = threading.Event()

    def push(client):
        for number in range(200):
            client.push(number)
            if over.is_set():
                return

    threads = [threading.Thread(target=push, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    # Each worker once: a slot whose worker dies a third time within seconds is left empty for a while.
    for worker in workers(registry):
        count = sum(len(client.acknowledged) for client in clients)
        until(lambda: sum(len(client.acknowledged) for client in clients) >= count + 5)  # noqa: B023 (called here)
        os.kill(worker, signal.SIGKILL)
    over.set()
    for thread in threads:
        thread.join()
    found = lines(folder / "audit")
    assert (folder / "server.log").read_text().count("a worker died") >= 2
    for client in clients:
        told = {digest for _, digest, _ in history(found, client.tag)}
        assert set(client.acknowledged) <= told
        assert told <= {*client.acknowledged, *client.doubtful}
        for (_, digest, _), (_, _, previous) in pairwise(history(found, client.tag)):
            assert previous == digest or client.doubtful


def test_a_refusal_is_recorded_with_its_reason(registry, folder):
    client = Client(registry, "ada", "v1")
    assert client.send("PUT", "/v2/other/app/manifests/v1", b"{}", **{"Content-Type": MANIFEST}) == 403
    _, line = lines(folder / "audit")
    assert (line["event"], line["identity"], line["repository"]) == ("request.refused", "ada", "other/app")
    assert "'team-pushes'" in line["reason"]
    assert line["address"] == "127.0.0.1"


def test_a_reload_with_a_file_that_cannot_be_opened_changes_nothing(registry, folder):
    before = workers(registry)
    (folder / "audit").unlink(missing_ok=True)
    (folder / "audit").mkdir()
    os.kill(registry.pid, signal.SIGHUP)
    until(lambda: "not reloaded, nothing was changed: cannot write the audit" in (folder / "server.log").read_text())
    assert workers(registry) == before
    Client(registry, "ada", "v1").push(1)
    assert (folder / "server.log").read_text().count("the audit log cannot be written: Is a directory") == 4
