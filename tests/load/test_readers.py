"""Clients that request much and read nothing: their memory is bounded, and the next client is served."""

import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import time
from pathlib import Path

import pytest

from e2e.server import serve

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
CLIENTS = 200
MAX_MEMORY = {False: 50, True: 75}
"""MiB for all clients, without and with TLS."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def large_manifest(number):
    """Return a manifest of almost 4 MiB."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(b"{}"), "size": 2}
    filler = {"number": str(number), "filler": "x" * (4 * MIB - 2000)}
    image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [], "annotations": filler}
    return json.dumps(image).encode()


def memory(registry):
    """Return the memory of all processes of a server (PSS, MiB)."""
    children = Path(f"/proc/{registry.pid}/task/{registry.pid}/children").read_text().split()
    size = 0
    for pid in (registry.pid, *children):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        size += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return size / 1024


def connect(registry):
    host, _, port = registry.endpoint.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=30)
    if registry.authority is None:
        return sock
    return ssl.create_default_context(cafile=str(registry.authority)).wrap_socket(sock, server_hostname=host)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_clients_that_never_read_are_bounded(tmp_path, tls):
    blob = os.urandom(64 * MIB)
    with serve(tmp_path, tls=tls, options=["-workers", "2"]) as registry, contextlib.ExitStack() as opened:
        for data in (b"{}", blob):
            path = f"/v2/a/blobs/uploads/?digest={digest(data)}"
            assert registry.request("POST", path, body=data).status == 201
        for number in range(20):
            headers = {"Content-Type": MANIFEST}
            path = f"/v2/a/manifests/m{number}"
            assert registry.request("PUT", path, body=large_manifest(number), headers=headers).status == 201
        credentials = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        head = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
        wanted = [
            f"GET /v2/a/blobs/{digest(blob)} {head}\r\n",
            f"GET /v2/a/blobs/{digest(blob)} {head}Range: bytes=0-8388607,16777216-25165823\r\n\r\n",
            *(f"GET /v2/a/manifests/m{number} {head}\r\n" for number in range(20)),
        ]
        time.sleep(1)
        before = memory(registry)

        for number in range(CLIENTS):
            sock = opened.enter_context(connect(registry))
            sock.sendall(5 * wanted[number % len(wanted)].encode())
        time.sleep(3)
        after = memory(registry)
        started = time.monotonic()
        answer = registry.request("GET", "/v2/a/tags/list")

        print(f"\n{before:.0f} MiB before, {after:.0f} MiB with {CLIENTS} clients that do not read")
        assert after - before < MAX_MEMORY[tls]
        assert (answer.status, time.monotonic() - started < 2) == (200, True)
