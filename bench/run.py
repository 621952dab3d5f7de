"""Compare Simple Registry with other registries on this machine, in one run: `make bench`.

Every registry gets the same kind of content and the same load from the same generators, one registry after another, on
loopback. Peers that are not installed are left out. README.md says what is measured and what to make of it.
"""

import argparse
import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from e2e.gotools import DISTRIBUTION, ToolUnavailable, build  # noqa: E402
from e2e.images import MANIFEST, write_single_layout  # noqa: E402
from e2e.server import serve  # noqa: E402

REPOSITORY = "bench/image"
MIB = 1024 * 1024
PUSHERS = 4
PUSHED_EACH = 20_000
PEER = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "{address}", secret: bench}}
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A registry that runs: where it is and the credentials it wants (none for peers, see README.md)."""

    address: str
    authorization: str

    def call(self, method: str, path: str, body: bytes = b"", content_type: str = "application/octet-stream") -> str:
        """Send one request, expect success, and return the Location of the answer, if any."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        headers = {"Content-Type": content_type}
        if self.authorization:
            headers["Authorization"] = self.authorization
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise SystemExit(f"{method} {path}: {response.status} {answer[:300]!r}")
        return re.sub(r"^https?://[^/]+", "", response.headers.get("Location", ""))

    def push_blob(self, content: bytes) -> str:
        """Push one blob as docker does, POST then a streamed PATCH then an empty PUT, and return its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        session = self.call("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
        session = self.call("PATCH", session, content)
        self.call("PUT", f"{session}{'&' if '?' in session else '?'}digest={digest}")
        return digest


# --- the registries -------------------------------------------------------------------------------------------------


@contextmanager
def simple_registry(folder: Path) -> Iterator[Subject]:
    with serve(folder) as registry:
        credentials = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        yield Subject(registry.endpoint, f"Basic {credentials}")


def distribution(program: str) -> Callable[[Path], object]:
    """Return what starts a program of the `distribution` family."""

    @contextmanager
    def start(folder: Path) -> Iterator[Subject]:
        address = f"127.0.0.1:{_free_port()}"
        folder.mkdir()
        (folder / "config.yml").write_text(PEER.format(folder=folder, address=address))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, "serve", folder / "config.yml"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"OTEL_TRACES_EXPORTER": "none"},
            )
        try:
            _wait_for(address, process)
            yield Subject(address, "")
        finally:
            process.kill()
            process.wait()

    return start


def registries(*, build_peers: bool) -> dict[str, Callable[[Path], object]]:
    """Return what can be started here, by name."""
    found: dict[str, Callable[[Path], object]] = {"simple-registry": simple_registry}
    if program := shutil.which("docker-registry"):
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        found[f"docker-registry {version}"] = distribution(program)
    if build_peers:
        try:
            found[f"distribution {DISTRIBUTION.version}"] = distribution(str(build(DISTRIBUTION)))
        except ToolUnavailable as error:
            print(f"without distribution: {error}", file=sys.stderr)
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    for _ in range(200):
        try:
            socket.create_connection((host, int(port))).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{process.args} did not start")


# --- the measures ---------------------------------------------------------------------------------------------------


def manifest_gets(subject: Subject, folder: Path, seconds: int) -> float:
    """Requests a second for one manifest by tag, over 16 connections."""
    layout = write_single_layout(folder / "layout")
    for path in (layout.path / "blobs" / "sha256").iterdir():
        if f"sha256:{path.name}" != layout.root():
            subject.push_blob(path.read_bytes())
    subject.call("PUT", f"/v2/{REPOSITORY}/manifests/v1", layout.blob(layout.root()), MANIFEST)
    output = _wrk(subject, seconds, f"/v2/{REPOSITORY}/manifests/v1", "-c16", "-t1", f"-HAccept: {MANIFEST}")
    return float(_find(r"Requests/sec:\s+([0-9.]+)", output))


def blob_gets(subject: Subject, _folder: Path, seconds: int) -> float:
    """MiB a second for one blob of 16 MiB, over 4 connections."""
    digest = subject.push_blob(os.urandom(16 * MIB))
    output = _wrk(subject, seconds, f"/v2/{REPOSITORY}/blobs/{digest}", "-c4", "-t1")
    number, unit = re.findall(r"Transfer/sec:\s+([0-9.]+)([KMG]?)B", output)[0]
    return float(number) * {"": 1 / MIB, "K": 1 / 1024, "M": 1, "G": 1024}[unit]


def small_pushes(subject: Subject, folder: Path, seconds: int) -> float:
    """New blobs of 1 KB a second, POST and PUT, over 4 connections."""
    digests = folder / "digests"
    with digests.open("w") as lines:
        for thread in range(PUSHERS):
            for index in range(PUSHED_EACH):
                digest = hashlib.sha256(f"{thread}-{index}-".encode() + b"x" * 1000).hexdigest()
                lines.write(f"sha256:{digest}\n")
    options = [f"-c{PUSHERS}", f"-t{PUSHERS}", "-s", str(HERE / "pushes.lua")]
    arguments = ["--", str(digests), str(PUSHED_EACH), REPOSITORY, subject.authorization]
    output = _wrk(subject, seconds, "/", *options, after=arguments)
    created, refused, took = re.findall(r"created (\d+) refused (\d+) seconds ([0-9.]+)", output)[0]
    if int(refused):
        print(f"{refused} pushes were refused", file=sys.stderr)
    return int(created) / float(took)


def large_push(subject: Subject, _folder: Path, _seconds: int) -> float:
    """MiB a second for one new blob of 100 MiB, pushed as docker does; the median of three."""
    took = []
    for _ in range(3):
        content = os.urandom(100 * MIB)
        hashlib.sha256(content)
        started = time.perf_counter()
        subject.push_blob(content)
        took.append(time.perf_counter() - started)
    return 100 / statistics.median(took)


MEASURES: dict[str, Callable[[Subject, Path, int], float]] = {
    "manifest GETs/s": manifest_gets,
    "16 MiB blob GET, MiB/s": blob_gets,
    "1 KB blob pushes/s": small_pushes,
    "100 MiB push, MiB/s": large_push,
}


def _wrk(subject: Subject, seconds: int, path: str, *options: str, after: list[str] | None = None) -> str:
    command = ["wrk", f"-d{seconds}s", "--timeout", "10s", *options]
    if subject.authorization:
        command.append(f"-HAuthorization: {subject.authorization}")
    command += [f"http://{subject.address}{path}", *(after or [])]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if "Non-2xx" in output:
        print(output, file=sys.stderr)
    return output


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"no {pattern!r} in:\n{text}")
    return found[1]


# --- the table ------------------------------------------------------------------------------------------------------


def measure(seconds: int, *, build_peers: bool) -> dict[str, dict[str, float]]:
    """Run every measure against every registry; results by registry, then by measure."""
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        for number, (name, start) in enumerate(registries(build_peers=build_peers).items()):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            with start(folder / "server") as subject:  # type: ignore[attr-defined]
                results[name] = {what: measured(subject, folder, seconds) for what, measured in MEASURES.items()}
            print(f"measured {name}", file=sys.stderr)
            shutil.rmtree(folder)
    return results


def table(results: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table: what each registry did and, for peers, how many times as much ours did."""
    ours, *peers = results
    lines = [f"| | {' | '.join(results)} |", f"|---|{'---:|' * len(results)}"]
    for what in MEASURES:
        mine = results[ours][what]
        cells = [
            f"{mine:,.0f}",
            *(f"{results[peer][what]:,.0f} ({mine / results[peer][what]:.1f} to 1)" for peer in peers),
        ]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each measure (default: 5)")
    parser.add_argument("--no-build", action="store_true", help="only peers that are installed, build none")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("wrk is needed: apt install wrk", file=sys.stderr)
        return 1
    print(table(measure(options.seconds, build_peers=not options.no_build)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
