"""The metrics on an address of their own."""

import asyncio
import contextlib
import http.client
import os
import re
import signal
import socket

import pytest
import uvloop

from simple_registry.server.exporter import start_exporter
from simple_registry.server.listeners import Listener


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def exchange(listener, *requests, text=b"up 1\n"):
    """Return the answers of an exporter, each to bytes on a new connection."""

    async def ask(request):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        with contextlib.closing(writer):
            writer.write(request)
            writer.write_eof()
            return await asyncio.wait_for(reader.read(), 5)

    async def metrics():
        return text

    async def run():
        exporter = start_exporter(metrics, [Listener(listener)])
        answers = [await ask(request) for request in requests]
        exporter.stop()
        await asyncio.wait_for(exporter.closed(), 5)
        return answers

    return uvloop.run(run())


def test_a_get_has_the_text_and_a_head_its_length(listener):
    got, head = exchange(
        listener, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    start, _, body = got.partition(b"\r\n\r\n")
    assert body == b"up 1\n"
    assert start.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n")
    assert b"content-length: 5" in start
    assert head.endswith(b"content-length: 5\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"GET /", b"404"), (b"GET /v2/", b"404"), (b"POST /metrics", b"405"), (b"nonsense", b"400")],
)
def test_other_requests_are_refused(listener, line, status):
    (answer,) = exchange(listener, line + b" HTTP/1.1\r\nHost: x\r\n\r\n", text=b"secret")
    assert answer.split(b" ")[1] == status
    assert b"secret" not in answer
    assert b"x-content-type-options: nosniff\r\n" in answer
    assert b"content-security-policy: default-src 'none'; sandbox\r\n" in answer


def scrape(process):
    port = int(re.search(r"metrics on http://127.0.0.1:(\d+)/metrics", process.log)[1])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        return int(answer.read().split()[1])


def test_every_worker_answers_and_so_does_a_new_one(start, stop_gently):
    process = start("-workers", "2", "-metrics-addr", "127.0.0.1:0").ready()
    assert scrape(process) in process.workers()
    for worker in process.workers():
        before = process.workers()
        os.kill(worker, signal.SIGKILL)
        process.until(lambda old=before: len(process.workers() - old) == 1 and len(process.workers()) == 2)
    assert scrape(process) in process.workers()
    stop_gently(process)
    with pytest.raises(ConnectionRefusedError):
        scrape(process)


def test_metrics_are_served_while_a_worker_hangs(start):
    process = start("-workers", "2", "-metrics-addr", "127.0.0.1:0").ready()
    hung = next(iter(process.workers()))
    os.kill(hung, signal.SIGSTOP)
    try:
        assert [scrape(process) != hung for _ in range(3)] == [True] * 3
    finally:
        os.kill(hung, signal.SIGCONT)


def test_an_address_in_use_is_refused_with_the_right_option(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("-metrics-addr", f"127.0.0.1:{taken.getsockname()[1]}")
        assert process.wait() == 2
    assert "address already in use; stop the other program or choose another address with -metrics-addr" in process.log
    assert not process.data.exists()


def test_an_address_that_is_not_loopback_is_warned_about(start):
    process = start("-metrics-addr", "0.0.0.0:0").ready()
    assert "every client that reaches the address of -metrics-addr can read the metrics" in process.log
