"""The programs that make load, and what they say.

`wrk` for everything that it can send; a loop of our own for HEAD, because wrk takes the Content-Length of an answer to
HEAD for a body that is to come, and waits for it in vain.
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
"""Seconds beyond its own time after which a generator is stuck."""
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


class LoadFailed(Exception):
    """The server did not do what the load is about, so there is nothing to measure; the message has the answer."""


class NotOffered(Exception):
    """The subject has no such feature."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator did: operations that were answered well, bytes received, and for how long."""

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
    """GET one path over and over; over TLS with the scheme `https`, where wrk checks no certificate.

    One thread takes small answers faster than any registry gives them, but no more than 2 GiB a second of large ones.

    Raises:
        LoadFailed: an answer was not 2xx, or did not come.
    """
    options = [f"-H{name}: {value}" for name, value in (headers or {}).items()]
    command = ["wrk", f"-d{seconds}s", f"-t{threads}", f"-c{connections}", "--timeout", "30s", *options]
    return parse_wrk(_output([*command, f"{scheme}://{address}{path}"], seconds), path)


def parse_wrk(output: str, path: str = "") -> Load:
    """Read what wrk prints in the end.

    Raises:
        LoadFailed: see above.
    """
    found = re.search(r"(\d+) requests in [0-9.]+m?s, ", output)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    transfer = re.search(r"Transfer/sec:\s+([0-9.]+)([KMG]?)B", output)
    if not found or not rate or not transfer or "Non-2xx" in output or "Socket errors" in output:
        raise LoadFailed(f"GET {path}:\n{output}")
    requests, a_second = int(found[1]), float(rate[1])
    received_a_second = float(transfer[1]) * _UNITS[transfer[2]]
    # A transfer that is cut off at the end counts for bytes, not for requests; both rates are over the same time.
    seconds = requests / a_second if requests else 1.0
    return Load(requests, received_a_second * seconds, seconds)


def replay(address: str, plans: Path, threads: int, *, seconds: int, authorization: str = "") -> Load:
    """Play for so long what `bench.plans` wrote to `plans.<thread>`.

    Raises:
        LoadFailed: an answer had another status than planned, or a plan was too short for the time.
    """
    return parse_replay(_output(_replay_command(address, plans, threads, seconds, authorization), seconds), exhausted=0)


def play(address: str, plans: Path, threads: int, *, seconds: int, authorization: str = "") -> Load:
    """Play all that `bench.plans` wrote to `plans.<thread>`, for `seconds` at most.

    Raises:
        LoadFailed: an answer had another status than planned, or it took too long.
    """
    played = [Path(f"{plans}.{thread}.played") for thread in range(threads)]
    for path in played:
        path.unlink(missing_ok=True)
    command = _replay_command(address, plans, threads, seconds, authorization)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not all(path.exists() for path in played):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)  # it prints what it did, as at the end of its time
        output, _ = process.communicate(timeout=MAX_WAIT)
    return parse_replay(output, exhausted=threads)


def parse_replay(output: str, *, exhausted: int) -> Load:
    """Read what replay.lua prints; so many threads must have come to the end of their plans.

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
    """Ask HEAD of one path over and over: every connection asks again as soon as it has its answer.

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
        answers = _ask(sockets, request, started + seconds)
        return Load(answers, 0, time.perf_counter() - started)
    finally:
        for connection in sockets:
            connection.close()


def _ask(sockets: Sequence[socket.socket], request: bytes, until: float) -> int:
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
