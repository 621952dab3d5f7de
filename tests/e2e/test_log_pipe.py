"""Two workers that write to one pipe: no line of the log or the audit log is torn, whatever clients send."""

import http.client
import json
import os
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e import server

FORGED = "2026-01-01T00:00:00.000Z%20info%20%20%20%20forged%20"
LONG = "/v2/" + FORGED * (30_000 // len(FORGED))
CLIENTS, REQUESTS = 6, 40
READ = 8 * 1024
"""Bytes that the reader takes at once: less than writers have ready, so that they wait for it."""
TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:info   |warning|error  ) (?!forged)\S.*")


@pytest.fixture
def pipes(tmp_path):
    """Start a server whose log and audit log are pipes; return its address and what to call for all it wrote."""
    running = []

    def begin(form):
        command = server.command(tmp_path, "127.0.0.1:0", None, "")
        process = subprocess.Popen(
            [*command, "-workers", "2", "-log-format", form, "-audit-log", "-"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.append(process)
        written = {name: bytearray() for name in ("stdout", "stderr")}
        ready = threading.Event()

        def drain(name):
            while data := os.read(getattr(process, name).fileno(), READ):
                written[name] += data
                if b"listening on" in written[name]:
                    ready.set()

        drains = [threading.Thread(target=drain, args=(name,), daemon=True) for name in written]
        for thread in drains:
            thread.start()
        assert ready.wait(server.START_SECONDS), written
        address = server.READY.search(written["stderr"].decode())[2]

        def end():
            process.terminate()
            assert process.wait(server.STOP_SECONDS) == 0
            for thread in drains:
                thread.join(server.STOP_SECONDS)
            return [written[name].decode().splitlines() for name in ("stderr", "stdout")]

        return address, end

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def ask(address):
    """Send long requests and short ones in turn, on connections that fall to both workers."""
    for number in range(REQUESTS):
        connection = http.client.HTTPConnection(address, timeout=30)
        path = LONG if number % 2 else "/v2/team/app/tags/list"
        connection.request("GET", path, headers={"User-Agent": "\xe9" * 3000, "Authorization": "Bearer wrong"})
        connection.getresponse().read()
        connection.close()


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_line_is_torn_or_forged(pipes, form):
    address, end = pipes(form)
    with ThreadPoolExecutor(CLIENTS) as clients:
        for done in [clients.submit(ask, address) for _ in range(CLIENTS)]:
            done.result()
    log, audit = end()
    requests = [line for line in log if '"message":"request"' in line or " request method=" in line]
    assert len(requests) == CLIENTS * REQUESTS
    if form == "json":
        assert {json.loads(line)["logger"] for line in log} >= {"simple_registry.access"}
    else:
        assert [line for line in log if not TEXT_LINE.fullmatch(line)] == []
    assert [json.loads(line)["event"] for line in audit] == ["rules.change"] + ["request.refused"] * (len(audit) - 1)
    assert len(audit) >= CLIENTS * REQUESTS // 2
