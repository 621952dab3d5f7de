"""Load generators, and parsers of their output.

`wrk` generates all load except HEAD: it would wait for the content announced in the answer to a HEAD. That load comes
from a loop in Python.
"""

import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MAX_WAIT = 60.0
"""Seconds beyond its own time after which a generator counts as stuck."""
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


class LoadFailed(Exception):
    """The server did not answer as planned, so there is nothing to measure; the message has the answer."""


class NotOffered(Exception):
    """The subject has no such feature."""


@dataclass(frozen=True, slots=True)
class Load:
    """The result of a generator: successful operations, bytes received, and the time."""

    operations: float
    received: float
    seconds: float

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


def get(
    address: str,
    path: str,
    *,
    seconds: int,
    connections: int = 16,
    threads: int = 1,
    headers: Mapping[str, str] | None = None,
    scheme: str = "http",
) -> Load:
    """GET one path repeatedly; over TLS with the scheme `https`, without verification of the certificate.

    One thread reads small answers faster than any registry sends them, but at most 2 GiB a second of large ones.

    Raises:
        LoadFailed: an answer is missing or not 2xx.
    """
    options = [f"-H{name}: {value}" for name, value in (headers or {}).items()]
    command = ["wrk", f"-d{seconds}s", f"-t{threads}", f"-c{connections}", "--timeout", "30s", *options]
    return parse_wrk(_output([*command, f"{scheme}://{address}{path}"], seconds), path)


def parse_wrk(output: str, path: str = "") -> Load:
    """Parse the output of wrk.

    Raises:
        LoadFailed: as `get`.
    """
    found = re.search(r"(\d+) requests in [0-9.]+m?s, ", output)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    transfer = re.search(r"Transfer/sec:\s+([0-9.]+)([KMG]?)B", output)
    if not found or not rate or not transfer or "Non-2xx" in output or "Socket errors" in output:
        raise LoadFailed(f"GET {path}:\n{output}")
    requests, a_second = int(found[1]), float(rate[1])
    received_a_second = float(transfer[1]) * _UNITS[transfer[2]]
    # A transfer cut off at the end counts as bytes, not as a request. Both rates are over the same time.
    seconds = requests / a_second if requests else 1.0
    return Load(requests, received_a_second * seconds, seconds)


def replay(address: str, plans: Path, threads: int, *, seconds: int, authorization: str = "") -> Load:
    """Play the plans in `plans.<thread>` (see `bench.plans`) for a time.

    Raises:
        LoadFailed: an answer had an unplanned status, or a plan was too short.
    """
    return parse_replay(_output(_replay_command(address, plans, threads, seconds, authorization), seconds), exhausted=0)


def play(address: str, plans: Path, threads: int, *, seconds: int, authorization: str = "") -> Load:
    """Play the plans in `plans.<thread>` (see `bench.plans`) to their end, for `seconds` at most.

    Raises:
        LoadFailed: an answer had an unplanned status, or the time was too short.
    """
    played = [Path(f"{plans}.{thread}.played") for thread in range(threads)]
    for path in played:
        path.unlink(missing_ok=True)
    command = _replay_command(address, plans, threads, seconds, authorization)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not all(path.exists() for path in played):
            time.sleep(0.05)
        output = interrupted(process)
    return parse_replay(output, exhausted=threads)


def interrupted(process: subprocess.Popen[str]) -> str:
    """End a run of wrk early; return its results, which it prints as at the end of its time."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=MAX_WAIT)
    return output


def parse_replay(output: str, *, exhausted: int) -> Load:
    """Parse the output of replay.lua; `exhausted` threads must have reached the end of their plans.

    Raises:
        LoadFailed
    """
    found = re.search(r"finished (\d+) refused (\d+) exhausted (\d+) seconds ([0-9.]+)", output)
    if not found or int(found[2]) or int(found[3]) != exhausted or "Socket errors" in output:
        raise LoadFailed(output[-2000:])
    return Load(int(found[1]), 0, float(found[4]))


def _replay_command(address: str, plans: Path, threads: int, seconds: int, authorization: str) -> Sequence[str]:
    options = [f"-d{seconds}s", f"-t{threads}", f"-c{threads}", "--timeout", "60s", "-s", str(HERE / "replay.lua")]
    return ["wrk", *options, f"http://{address}/", "--", str(plans), authorization]


def head(
    address: str, path: str, *, seconds: int, connections: int = 16, headers: Mapping[str, str] | None = None
) -> Load:
    """Send HEAD for one path repeatedly; each connection sends the next request after each answer.

    Raises:
        LoadFailed: an answer was not 200.
    """
    lines = [
        f"HEAD {path} HTTP/1.1",
        f"Host: {address}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    host, _, port = address.rpartition(":")
    sockets = [socket.create_connection((host, int(port)), timeout=MAX_WAIT) for _ in range(connections)]
    try:
        started = time.perf_counter()
        answers = _send_heads(sockets, request, started + seconds)
        return Load(answers, 0, time.perf_counter() - started)
    finally:
        for connection in sockets:
            connection.close()


def _send_heads(sockets: Sequence[socket.socket], request: bytes, until: float) -> int:
    waiting = {connection.fileno(): connection for connection in sockets}
    poll = select.epoll()
    for fd, connection in waiting.items():
        poll.register(fd, select.EPOLLIN)
        connection.sendall(request)
    answers = 0
    with poll:
        while time.perf_counter() < until:
            for fd, _ in poll.poll(MAX_WAIT):
                answer = waiting[fd].recv(65536)
                if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(b"\r\n\r\n"):
                    raise LoadFailed(f"{request!r}: {answer!r}")
                answers += 1
                waiting[fd].sendall(request)
    return answers


def _output(command: Sequence[str], seconds: int) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + MAX_WAIT).stdout
    except subprocess.CalledProcessError as error:
        raise LoadFailed(f"{command[0]}: {error.stderr or error.stdout}") from error
