"""The metrics on an address of their own: one request, one answer, and nobody who holds it up."""

import asyncio
import contextlib
import http.client
import os
import re
import signal
import socket

import pytest

from simple_registry.server import exporter as module
from simple_registry.server.exporter import Exporter


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def exchange(listener, *requests, text=b"up 1\n"):
    """Return what an exporter answers to bytes, each sent on a connection of its own."""

    async def ask(request):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        with contextlib.closing(writer):
            writer.write(request)
            with contextlib.suppress(ConnectionResetError):
                return await asyncio.wait_for(reader.read(), 5)

    async def run():
        exporter = Exporter(lambda: text)
        await exporter.start(listener)
        try:
            return [await ask(request) for request in requests]
        finally:
            exporter.stop()

    return asyncio.run(run())


def test_a_get_has_the_text_and_a_head_its_length(listener):
    got, head = exchange(listener, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /metrics?a=b HTTP/1.0\r\n\r\n")
    start, _, body = got.partition(b"\r\n\r\n")
    assert body == b"up 1\n"
    assert start.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
    assert head == start + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"GET / HTTP/1.1", b"404"), (b"GET /v2/ HTTP/1.1", b"404"), (b"POST /metrics HTTP/1.1", b"405"), (b"", b"404")],
)
def test_nothing_else_is_there(listener, line, status):
    (answer,) = exchange(listener, line + b"\r\n\r\n", text=b"secret")
    assert answer.split(b" ")[1] == status
    assert b"secret" not in answer


def test_who_dawdles_or_goes_on_for_ever_is_told_nothing(listener, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    answers = exchange(
        listener, b"GET /metrics HTTP/1.1\r\n", b"GET /" + b"x" * 20_000, b"GET /metrics HTTP/1.1\r\n\r\n"
    )
    assert not answers[0]
    assert not answers[1]
    assert answers[2].endswith(b"up 1\n")


def test_who_does_not_take_the_answer_is_cut_off(listener, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    size = 16 * 1024 * 1024

    async def run():
        exporter = Exporter(lambda: b"x" * size)
        await exporter.start(listener)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(listener.getsockname())
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            await asyncio.sleep(1)
            client.settimeout(0.5)
            received = await asyncio.to_thread(everything, client)
        exporter.stop()
        return received

    def everything(client):
        received = 0
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while data := client.recv(65536):
                received += len(data)
        return received

    assert asyncio.run(run()) < size


def test_too_many_at_once_are_sent_away(listener, monkeypatch):
    monkeypatch.setattr(module, "CONNECTIONS", 2)

    async def run():
        exporter = Exporter(lambda: b"up 1\n")
        await exporter.start(listener)
        idle = [await asyncio.open_connection(*listener.getsockname()) for _ in range(3)]
        ended = [
            await asyncio.wait_for(reader.read(), 2) if number == 2 else None for number, (reader, _) in enumerate(idle)
        ]
        for _, writer in idle:
            writer.close()
        exporter.stop()
        return ended

    assert asyncio.run(run()) == [None, None, b""]


def scrape(process):
    port = int(re.search(r"metrics on http://127.0.0.1:(\d+)/metrics", process.log)[1])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        return int(answer.read().split()[1])


def test_any_worker_answers_and_a_new_one_too(start, stop_gently):
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


def test_a_hung_worker_keeps_nobody_from_the_metrics(start):
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


def test_an_open_address_is_warned_of(start):
    process = start("-metrics-addr", "0.0.0.0:0").ready()
    assert "whoever reaches the address of -metrics-addr reads the metrics" in process.log
