"""Mixed load for minutes: pulls and pushes, with slow readers, slow writers, resets and garbage.

Meanwhile the registry is reloaded and workers are killed. At the end, memory and descriptors have not grown, every
request was answered, and no log line is torn.

`SOAK_SECONDS` is the duration (default 600). All traffic is on loopback.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import math
import os
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from e2e.server import serve

pytestmark = pytest.mark.soak

SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
WARM_UP = SECONDS / 4
RELOAD_EVERY, KILL_EVERY = 20.0, 30.0
SETTLED = 5.0
"""Seconds after which a reload or a killed worker no longer affects a connection."""
KIB = 1024
BLOB = random.Random(1).randbytes(1024 * KIB)
LARGE = random.Random(2).randbytes(16 * 1024 * KIB)
IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
QUICK = """\
kind: Configuration
metadata: {name: soak}
spec: {limits: {headerTimeout: 3s, bodyTimeout: 5s, drainTimeout: 3s}, garbageCollection: {interval: 10s, grace: 20s}}
"""


class Soak:
    """The clients, and their results."""

    def __init__(self, registry):
        self.registry = registry
        host, _, port = registry.endpoint.rpartition(":")
        self.address = (host, int(port))
        credentials = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        self.authorization = f"Basic {credentials}"
        self.ends_at = time.monotonic() + SECONDS
        self.met = Counter()
        self.wrong = []
        self.kills = []
        """The times at which workers were killed; requests on their connections are lost."""

    def over(self):
        return time.monotonic() >= self.ends_at

    def request(self, connection, method, path, body=None, headers=()):
        connection.request(method, path, body, {"Authorization": self.authorization, **dict(headers)})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer

    def repeat(self, name, act):
        """Repeat something on one connection; reconnect when it was lost with a killed worker."""
        connection = None
        while not self.over():
            connection = connection or http.client.HTTPConnection(*self.address, timeout=30)
            began = time.monotonic()
            try:
                act(connection)
                self.met[name] += 1
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                failed = time.monotonic()
                if not any(began - SETTLED < moment < failed for moment in self.kills):
                    last = max((moment for moment in self.kills if moment < failed), default=-math.inf)
                    self.wrong.append(f"{name}, {failed - last:.1f} s after the last disturbance: {error!r}")
        if connection is not None:
            connection.close()

    def expect(self, what, found, *wanted):
        if found not in wanted:
            self.wrong.append(f"{what}: {found}, not {wanted}")

    # ---------------------------------------------------------------- good clients

    def pull(self, connection):
        status, data, _ = self.request(connection, "GET", f"/v2/soak/blobs/{digest(BLOB)}")
        self.expect("pull", (status, data == BLOB), (200, True))
        status, _, _ = self.request(connection, "GET", "/v2/soak/tags/list")
        self.expect("tags", status, 200)

    def push(self, connection):
        data = os.urandom(300 * KIB)
        status, _, answer = self.request(connection, "POST", "/v2/soak/blobs/uploads/")
        self.expect("start", status, 202)
        place = answer.headers["location"]
        chunks = (data[at : at + 32 * KIB] for at in range(0, len(data), 32 * KIB))
        connection.request("PATCH", place, chunks, {"Authorization": self.authorization})  # in chunks, without a length
        answer = connection.getresponse()
        answer.read()
        self.expect("append", answer.status, 202)
        status, _, _ = self.request(connection, "PUT", f"{place}?digest={digest(data)}")
        self.expect("finish", status, 201)
        status, found, _ = self.request(connection, "GET", f"/v2/soak/blobs/{digest(data)}")
        self.expect("read back", (status, found == data), (200, True))
        status, _, _ = self.request(connection, "DELETE", f"/v2/soak/blobs/{digest(data)}")
        self.expect("delete", status, 202)

    def refused(self, connection):
        connection.request("PUT", "/v2/soak/manifests/v1", bytes(2 * 1024 * KIB), {"Authorization": "Basic eDp5"})
        answer = connection.getresponse()
        answer.read()
        self.expect("refused", answer.status, 401, 429)
        time.sleep(0.5)

    # ---------------------------------------------------------------- bad clients

    def misbehave(self, name, act):
        while not self.over():
            with contextlib.suppress(OSError), socket.create_connection(self.address, timeout=15) as sock:
                act(sock)
                self.met[name] += 1

    def head(self, method, path, *lines):
        text = "".join(f"{line}\r\n" for line in (f"Authorization: {self.authorization}", *lines))
        return f"{method} {path} HTTP/1.1\r\nHost: soak\r\n{text}\r\n".encode()

    def read_slowly(self, sock):
        sock.sendall(self.head("GET", f"/v2/soak/blobs/{digest(LARGE)}"))
        for _ in range(20):
            sock.recv(16 * KIB)
            time.sleep(0.1)

    def read_nothing(self, sock):
        for _ in range(20):
            sock.sendall(self.head("GET", f"/v2/soak/blobs/{digest(LARGE)}"))
        time.sleep(8)

    def write_slowly(self, sock):
        sock.sendall(self.head("PUT", "/v2/soak/manifests/slow", "Content-Length: 100000"))
        for _ in range(30):
            sock.sendall(b"x" * 10)
            time.sleep(0.1)

    def reset(self, sock):
        sock.sendall(self.head("PUT", "/v2/soak/manifests/reset", "Transfer-Encoding: chunked") + b"5\r\nhel")
        time.sleep(0.02)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send_garbage(self, sock):
        sock.sendall(
            random.choice([b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, self.head("GET", "/v2/")[:-5]])
        )
        sock.recv(KIB)
        time.sleep(0.1)

    # ---------------------------------------------------------------- disturbances

    def workers(self):
        children = Path(f"/proc/{self.registry.pid}/task/{self.registry.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def disturb(self):
        reload_at, kill_at = time.monotonic() + RELOAD_EVERY, time.monotonic() + KILL_EVERY
        while not self.over():
            now = time.monotonic()
            if now >= reload_at:
                os.kill(self.registry.pid, signal.SIGHUP)
                self.kills.append(
                    now
                )  # an old worker closes idle connections, on which a client may just send a request
                self.met["reloads"] += 1
                reload_at = now + RELOAD_EVERY
            if now >= kill_at and self.workers():
                self.kills.append(now)
                os.kill(random.choice(self.workers()), signal.SIGKILL)
                self.met["kills"] += 1
                kill_at = now + KILL_EVERY
            time.sleep(0.2)

    def usage(self):
        """Return the memory (PSS, MiB) and the descriptors of all processes."""
        memory, descriptors = 0, 0
        for pid in (self.registry.pid, *self.workers()):
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                memory += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
                descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return memory / KIB, descriptors


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": IMAGE_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", BLOB),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", LARGE)],
    }
).encode()
"""It needs both blobs, so that they stay."""


def mean(values):
    return sum(values) / len(values)


def test_memory_and_descriptors_do_not_grow_and_every_request_is_answered(tmp_path):
    with serve(tmp_path, configuration=QUICK, options=["-workers", "2", "-log-format", "json"]) as registry:
        soak = Soak(registry)
        with contextlib.closing(http.client.HTTPConnection(*soak.address)) as connection:
            for data in (BLOB, LARGE):
                path = f"/v2/soak/blobs/uploads/?digest={digest(data)}"
                assert soak.request(connection, "POST", path, data)[0] == 201
            kept = soak.request(connection, "PUT", "/v2/soak/manifests/kept", IMAGE, {"Content-Type": IMAGE_TYPE})
            assert kept[0] == 201
        _, idle_descriptors = soak.usage()
        good = {"pull": soak.pull, "push": soak.push, "refused": soak.refused}
        bad = {
            "slow reader": soak.read_slowly,
            "no reader": soak.read_nothing,
            "slow writer": soak.write_slowly,
            "reset": soak.reset,
            "garbage": soak.send_garbage,
        }
        threads = [threading.Thread(target=soak.repeat, args=item) for item in good.items() for _ in range(2)]
        threads += [threading.Thread(target=soak.misbehave, args=item) for item in bad.items() for _ in range(4)]
        threads.append(threading.Thread(target=soak.disturb))
        for thread in threads:
            thread.start()
        samples = []
        while not soak.over():
            time.sleep(2)
            samples.append((time.monotonic(), *soak.usage()))
        for thread in threads:
            thread.join()
        time.sleep(12)  # until old workers have ended and idle connections are closed
        _, after_descriptors = soak.usage()

    begin = samples[0][0] + WARM_UP
    third = (samples[-1][0] - begin) / 3
    early = [memory for moment, memory, _ in samples if begin <= moment < begin + third]
    late = [memory for moment, memory, _ in samples if moment >= begin + 2 * third]
    print(f"\n{dict(soak.met)}")
    print(f"memory {mean(early):.0f} then {mean(late):.0f} MiB, at most {max(memory for _, memory, _ in samples):.0f}")
    print(f"descriptors: {idle_descriptors} before, {after_descriptors} after, at most {max(d for _, _, d in samples)}")
    assert soak.wrong == []
    assert mean(late) < mean(early) * 1.15 + 10
    assert after_descriptors <= idle_descriptors + 10
    lines = registry.log.read_text().splitlines()
    torn = [line for line in lines if not _is_line(line)]
    assert torn == []


def _is_line(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
