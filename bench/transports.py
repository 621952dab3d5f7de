"""What TLS and HTTP/2 cost a transfer: our registry with and without a certificate, and curl, which speaks all of it.

    HTTP/1.1 ◄── cost of TLS ──► HTTP/1.1 over TLS ◄── cost of HTTP/2 ──► HTTP/2 over TLS

curl decrypts on the same cores, so the server's CPU time for each MiB says more than the rate.
"""

import hashlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from faults.subjects import DidNotStart, running

TLS = "simple-registry, TLS"
HTTP1, HTTP2 = "HTTP/1.1", "HTTP/2"
START_SECONDS = 30


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


def upload(version: str) -> Callable[[Round], Sample]:
    """PUT one new large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        target = round_.target
        content = large_content(round_.data.size.large, f"{target.name} {version} {round_.number}")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        file = round_.folder / "upload"
        file.write_bytes(content)
        with target.connect() as client:
            session = client.start(REPOSITORY)
        path = f"{session}{'&' if '?' in session else '?'}digest={digest}"
        with spending(target) as spent:
            seconds = _curl(target, version, path, 201, "-T", str(file), "-HExpect:", f"-HContent-Type: {OCTETS}")
        size = len(content) / MIB
        return spent.sample(size / seconds, size)

    return measure


def download(version: str) -> Callable[[Round], Sample]:
    """GET the large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        with spending(round_.target) as spent:
            seconds = _curl(round_.target, version, round_.data.blob_path("large"), 200)
        size = round_.data.size.large / MIB
        return spent.sample(size / seconds, size)

    return measure


def _curl(target: Target, version: str, path: str, status: int, *options: str) -> float:
    """Make one request and return the seconds it took.

    Raises:
        NotOffered: HTTP/2 without TLS.
        LoadFailed: the status or the protocol is another one.
    """
    if version == HTTP2 and target.authority is None:
        raise NotOffered("HTTP/2 without TLS")
    trust = [] if target.authority is None else ["--cacert", str(target.authority)]
    told = "%{http_code} %{http_version} %{time_total}"
    command = ["curl", "-sS", "-o", "/dev/null", "-w", told, "--http2" if version == HTTP2 else "--http1.1", *trust]
    headers = [f"-H{name}: {value}" for name, value in target.headers.items()]
    finished = subprocess.run(
        [*command, *headers, *options, f"{target.scheme}://{target.address}{path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE * 5,
    )
    wanted = f"{status} {version.removeprefix('HTTP/')} "
    if finished.returncode or not finished.stdout.startswith(wanted):
        raise LoadFailed(f"curl {path}: {finished.stdout} {finished.stderr}")
    return float(finished.stdout.split()[2])


def rate(version: str, path: Callable[[Round], str]) -> Callable[[Round], Sample]:
    """GET something small over and over, 16 connections."""

    def measure(round_: Round) -> Sample:
        if version == HTTP2 and round_.target.authority is None:
            raise NotOffered("HTTP/2 without TLS")
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
    for version in (HTTP1, HTTP2):
        up, down, small = upload(version), download(version), rate(version, lambda _: f"/v2/{IMAGE}/manifests/{TAG}")
        found += [
            Workload(f"upload, {version}", f"PUT of {{large}}, {version}", "MiB/s", up, beside="upload", writes=True),
            Workload(f"download, {version}", f"GET of {{large}}, {version}", "MiB/s", down, beside="download"),
            Workload(f"manifest, {version}", f"manifest GET, {version}", "requests/s", small, beside="manifest, TLS"),
        ]
    return sorted(found, key=lambda workload: workload.beside)


WORKLOADS = _all()
