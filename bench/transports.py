"""The cost of TLS for transfers: our registry with and without a certificate.

The clients are curl and Go's HTTP stack, on which container clients are built. They encrypt on the same cores, so the
server's CPU time for each MiB is more meaningful than the rate.
"""

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench import generators, loading
from bench.generators import MAX_WAIT, LoadFailed
from bench.loading import IMAGE, MIB, TAG, Size
from bench.plans import OCTETS
from bench.pushes import REPOSITORY, large_content
from bench.results import Sample
from bench.subjects import Target, ours
from bench.workloads import Round, Workload, rate_of, spending
from harness.certificates import issue
from harness.gotools import CACHE, ToolUnavailable, go_command
from harness.subjects import DidNotStart, running

TLS = "simple-registry, TLS"
HERE = Path(__file__).parent
START_SECONDS = 30

Sender = Callable[[Target, str, str, Path | None], float]
"""Makes one request: target, method, path, file to send; returns the seconds it took."""


@contextmanager
def targets(folder: Path, size: Size) -> Iterator[tuple[loading.Data, list[Target]]]:
    """Run our registry twice, without and with a certificate, each with a large blob."""
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


def upload(sender: Sender) -> Callable[[Round], Sample]:
    """PUT one new large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        target = round_.target
        content = large_content(round_.data.size.large, f"{target.name} {sender.__name__} {round_.number}")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        file = round_.folder / "upload"
        file.write_bytes(content)
        with target.connect() as client:
            session = client.start(REPOSITORY)
        path = f"{session}{'&' if '?' in session else '?'}digest={digest}"
        with spending(target) as spent:
            seconds = sender(target, "PUT", path, file)
        size = len(content) / MIB
        return spent.sample(size / seconds, size)

    return measure


def download(sender: Sender) -> Callable[[Round], Sample]:
    """GET the large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        with spending(round_.target) as spent:
            seconds = sender(round_.target, "GET", round_.data.blob_path("large"), None)
        size = round_.data.size.large / MIB
        return spent.sample(size / seconds, size)

    return measure


def curl(target: Target, method: str, path: str, file: Path | None) -> float:
    """Make one request with curl and return the seconds it took. Raises: LoadFailed."""
    options = ["-sS", "--http1.1", "-o", "/dev/null", "-w", "%{http_code} %{time_total}"]
    if target.authority is not None:
        options += ["--cacert", str(target.authority)]
    if file is not None:
        options += ["-T", str(file), "-HExpect:", f"-HContent-Type: {OCTETS}"]
    headers = [f"-H{name}: {value}" for name, value in target.headers.items()]
    return _seconds(["curl", *options, *headers, f"{target.scheme}://{target.address}{path}"], method)


def go(target: Target, method: str, path: str, file: Path | None) -> float:
    """Make one request with Go's HTTP stack and return the seconds it took. Raises: LoadFailed."""
    words = [method, f"{target.scheme}://{target.address}{path}", str(target.authority or "")]
    words += [target.entrant.authorization, str(file or "")]
    return _seconds([_go_program(), *words], method)


def _seconds(command: Sequence[str], method: str) -> float:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MAX_WAIT * 5)
    status, seconds = (*finished.stdout.split(), "", "")[:2]
    if status != {"PUT": "201", "GET": "200"}[method]:
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


def manifest(round_: Round) -> Sample:
    """GET a manifest repeatedly, 16 connections."""
    target, path = round_.target, f"/v2/{IMAGE}/manifests/{TAG}"
    return rate_of(round_, lambda: generators.get(target.address, path, seconds=round_.seconds, scheme=target.scheme))


def _all() -> list[Workload]:
    found = []
    for sender in (go, curl):
        by = sender.__name__
        up, down = upload(sender), download(sender)
        found += [
            Workload(f"TLS: download, {by}", f"GET of {{large}} by {by}", "MiB/s", down, group="TLS: download"),
            Workload(f"TLS: upload, {by}", f"PUT of {{large}} by {by}", "MiB/s", up, group="TLS: upload", writes=True),
        ]
    found.append(Workload("TLS: manifest", "manifest GET", "requests/s", manifest))
    return sorted(found, key=lambda workload: workload.group or workload.name)


WORKLOADS = _all()
