"""What TLS and HTTP/2 cost a transfer: our registry with and without a certificate, and curl, which speaks all of it.

    HTTP/1.1 ◄── cost of TLS ──► HTTP/1.1 over TLS ◄── cost of HTTP/2 ──► HTTP/2 over TLS

The clients are Go's HTTP stack, which container clients are built on, and curl. They send HTTP/2 in other pieces: Go
fills the frames that we allow, curl sends 16 KiB at a time. They encrypt on the same cores, so the server's CPU time
for each MiB says more than the rate.
"""

import hashlib
import itertools
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench import loading
from bench.generators import PATIENCE, Load, LoadFailed, NotOffered
from bench.loading import IMAGE, MIB, TAG, Size
from bench.plans import OCTETS
from bench.pushes import REPOSITORY, large_content
from bench.results import Sample
from bench.subjects import Target, ours
from bench.workloads import Round, Workload, rate_of, spending
from e2e.certificates import issue
from e2e.gotools import CACHE, ToolUnavailable, go_command
from faults.subjects import DidNotStart, running

TLS = "simple-registry, TLS"
HTTP1, HTTP2 = "HTTP/1.1", "HTTP/2"
HERE = Path(__file__).parent
START_SECONDS = 30

Sender = Callable[[Target, str, str, str, Path | None], float]
"""Makes one request: target, version of HTTP, method, path, file to send; returns the seconds it took."""


@contextmanager
def targets(folder: Path, size: Size) -> Iterator[tuple[loading.Data, list[Target]]]:
    """Run our registry twice, without and with a certificate, each with a large blob in it."""
    data = loading.make(Size(tags=0, repositories=0, referrers=0, large=size.large))
    secret = folder / "tls"
    secret.mkdir()
    certificates = issue(secret)
    plain, encrypted = ours(), ours(TLS, "-cert", str(certificates.certificate), "-key", str(certificates.key))
    with (
        running(plain.subject, folder / "plain-server") as first,
        running(encrypted.subject, folder / "tls-server", wait=False) as second,
    ):
        found = [Target(plain, first), Target(encrypted, second, certificates.authority)]
        _wait(found[1])
        for target in found:
            loading.load(target, data, folder)
        yield data, found


def _wait(target: Target) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with target.connect() as client:
                client.read("/v2/")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise DidNotStart(f"{target.name} did not become ready")


def upload(sender: Sender, version: str) -> Callable[[Round], Sample]:
    """PUT one new large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        target = round_.target
        _require(target, version)
        content = large_content(round_.data.size.large, f"{target.name} {sender.__name__} {version} {round_.number}")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        file = round_.folder / "upload"
        file.write_bytes(content)
        with target.connect() as client:
            session = client.start(REPOSITORY)
        path = f"{session}{'&' if '?' in session else '?'}digest={digest}"
        with spending(target) as spent:
            seconds = sender(target, version, "PUT", path, file)
        size = len(content) / MIB
        return spent.sample(size / seconds, size)

    return measure


def download(sender: Sender, version: str) -> Callable[[Round], Sample]:
    """GET the large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        _require(round_.target, version)
        with spending(round_.target) as spent:
            seconds = sender(round_.target, version, "GET", round_.data.blob_path("large"), None)
        size = round_.data.size.large / MIB
        return spent.sample(size / seconds, size)

    return measure


def _require(target: Target, version: str) -> None:
    if version == HTTP2 and target.authority is None:
        raise NotOffered("HTTP/2 without TLS")


def curl(target: Target, version: str, method: str, path: str, file: Path | None) -> float:
    """Make one request with curl and return the seconds it took. Raises: LoadFailed."""
    options = ["-sS", "-o", "/dev/null", "-w", "%{http_code} HTTP/%{http_version} %{time_total}"]
    options.append("--http2" if version == HTTP2 else "--http1.1")
    if target.authority is not None:
        options += ["--cacert", str(target.authority)]
    if file is not None:
        options += ["-T", str(file), "-HExpect:", f"-HContent-Type: {OCTETS}"]
    headers = [f"-H{name}: {value}" for name, value in target.headers.items()]
    return _seconds(["curl", *options, *headers, f"{target.scheme}://{target.address}{path}"], version, method)


def go(target: Target, version: str, method: str, path: str, file: Path | None) -> float:
    """Make one request with Go's HTTP stack and return the seconds it took. Raises: LoadFailed."""
    words = [method, f"{target.scheme}://{target.address}{path}", str(target.authority or "")]
    words += [target.entrant.authorization, str(file or "")]
    only = {} if version == HTTP2 else {"GODEBUG": "http2client=0"}
    return _seconds([_go_program(), *words], version, method, os.environ | only)


def _seconds(command: Sequence[str], version: str, method: str, environment: Mapping[str, str] | None = None) -> float:
    finished = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE * 5, env=environment
    )
    status, protocol, seconds = (*finished.stdout.split(), "", "", "")[:3]
    if status != {"PUT": "201", "GET": "200"}[method] or protocol.removesuffix(".0") != version:
        raise LoadFailed(f"{command[0]}: {finished.stdout} {finished.stderr}")
    return float(seconds)


@cache
def _go_program() -> str:
    """Build `transfer/main.go` and return the path of the program. Raises: LoadFailed."""
    program = CACHE / "tools" / "transfer"
    try:
        command = [go_command(), "build", "-o", str(program), str(HERE / "transfer" / "main.go")]
    except ToolUnavailable as error:
        raise LoadFailed(str(error)) from error
    environment = os.environ | {"CGO_ENABLED": "0", "GO111MODULE": "off"}
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if finished.returncode:
        raise LoadFailed(finished.stderr)
    return str(program)


def rate(version: str, path: Callable[[Round], str]) -> Callable[[Round], Sample]:
    """GET something small over and over, 16 connections."""

    def measure(round_: Round) -> Sample:
        _require(round_.target, version)
        url = f"{round_.target.scheme}://{round_.target.address}{path(round_)}"
        options = ["--h1"] if version == HTTP1 else []
        return rate_of(round_, lambda: _h2load([*options, f"-D{round_.seconds}", "-c16", "-t1", url]))

    return measure


def _h2load(options: Sequence[str]) -> Load:
    finished = subprocess.run(["h2load", *options], capture_output=True, text=True, check=False, timeout=PATIENCE)
    return parse_h2load(finished.stdout + finished.stderr)


def parse_h2load(output: str) -> Load:
    """Read what h2load prints in the end.

    Raises:
        LoadFailed: an answer was not 2xx.
    """
    finished = re.search(r"finished in ([0-9.]+)(m?s), ", output)
    counts = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    if not finished or not counts or any(int(counts[index]) for index in (2, 3, 4)) or not int(counts[1]):
        raise LoadFailed(output[-2000:])
    seconds = float(finished[1]) / (1000 if finished[2] == "ms" else 1)
    return Load(int(counts[1]), 0, seconds)


def _all() -> list[Workload]:
    found = []
    for version, sender in itertools.product((HTTP1, HTTP2), (go, curl)):
        up, down, by = upload(sender, version), download(sender, version), f"{sender.__name__}, {version}"
        found += [
            Workload(f"upload, {by}", f"PUT of {{large}} by {by}", "MiB/s", up, beside="upload", writes=True),
            Workload(f"download, {by}", f"GET of {{large}} by {by}", "MiB/s", down, beside="download"),
        ]
    for version in (HTTP1, HTTP2):
        small = rate(version, lambda _: f"/v2/{IMAGE}/manifests/{TAG}")
        found.append(
            Workload(f"manifest, {version}", f"manifest GET, {version}", "requests/s", small, beside="manifest, TLS")
        )
    return sorted(found, key=lambda workload: workload.beside)


WORKLOADS = _all()
