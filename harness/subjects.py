"""The registries that campaigns and benchmarks start: over which folder, with which processes and files.

    with running(OURS, folder) as registry:      over folder/data, which can hold the data of an earlier run
        registry.address                         127.0.0.1:41234, plain HTTP, everything is permitted
        registry.kill()                          SIGKILL to all of its processes at once

A subject is a value, so that a campaign runs against ours, against others, and against ours with a planted bug
(`faults.planted.bugs`): only a campaign that has caught something proves anything.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from harness import ROOT
from harness.gotools import DISTRIBUTION, ToolUnavailable, build

START_SECONDS = 30.0
STOP_SECONDS = 30.0
OPEN_ACCESS = """\
kind: User
metadata: {name: anonymous}
---
kind: Role
metadata: {name: everything}
spec: {resources: ["*"], verbs: ["*"]}
---
kind: RoleBinding
metadata: {name: open}
spec: {subjects: [{kind: User, name: anonymous}], roleRef: {name: everything}, scopes: ["^.*$"]}
"""
DISTRIBUTION_CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {data}}}
  cache: {{blobdescriptor: inmemory}}
  delete: {{enabled: true}}
http: {{addr: "{address}", secret: faults}}
"""


class DidNotStart(AssertionError):
    """A registry did not answer; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """The command that starts a registry."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """A registry. `command` prepares `folder` and returns the command that starts it over `data` on `address`."""

    name: str
    command: Callable[[Path, Path, str], Command]
    blob_path: Callable[[Path, str], Path]
    """Returns the path of the bytes of a digest in a data directory."""


def our_blob(data: Path, digest: str) -> Path:
    algorithm, encoded = digest.split(":")
    return data / "blobs" / algorithm / encoded[:2] / encoded


def their_blob(data: Path, digest: str) -> Path:
    algorithm, encoded = digest.split(":")
    return data / "docker/registry/v2/blobs" / algorithm / encoded[:2] / encoded / "data"


def ours(*, bug: str = "", configuration: str = "", workers: int = 2) -> Subject:
    """Return our registry, with the planted `bug` of that name (see `faults.planted.bugs`) and more YAML documents."""

    def command(folder: Path, data: Path, address: str) -> Command:
        documents = folder / "documents"
        documents.mkdir(exist_ok=True)
        (documents / "access.yaml").write_text(OPEN_ACCESS)
        (documents / "more.yaml").write_text(configuration)
        program = ["-m", "faults.planted.bugs", bug] if bug else ["-m", "simple_registry"]
        options = ["-datadir", str(data), "-addr", address, "-workers", str(workers), "-cfgdir", str(documents)]
        return Command([sys.executable, *program, "serve", *options], {"PYTHONPATH": str(ROOT)})

    return Subject(f"simple-registry with {bug}" if bug else "simple-registry", command, our_blob)


OURS = ours()


def peer(name: str, program: str) -> Subject:
    """Return a program of the `distribution` family."""

    def command(folder: Path, data: Path, address: str) -> Command:
        configuration = folder / "config.yml"
        configuration.write_text(DISTRIBUTION_CONFIGURATION.format(data=data, address=address))
        return Command([program, "serve", str(configuration)], {"OTEL_TRACES_EXPORTER": "none"})

    return Subject(name, command, their_blob)


def peers() -> list[Subject]:
    """Return the other registries that this machine can start."""
    found = []
    if program := shutil.which("docker-registry"):
        found.append(peer("docker-registry 2.8", program))
    with suppress(ToolUnavailable):
        found.append(peer(f"distribution {DISTRIBUTION.version}", str(build(DISTRIBUTION))))
    return found


# ---------------------------------------------------------------- running subjects


@dataclass(frozen=True, slots=True)
class Running:
    """A running registry. `log` is the file of its output; `process` leads its own process group."""

    subject: Subject
    address: str
    data: Path
    log: Path
    process: subprocess.Popen[bytes]

    def blob_path(self, digest: str) -> Path:
        return self.subject.blob_path(self.data, digest)

    def connect(self, timeout: float = 30) -> HTTPConnection:
        return HTTPConnection(self.address, timeout=timeout)

    def processes(self) -> list[int]:
        """Return its processes: the first one and all descendants."""
        found, unseen = [], [self.process.pid]
        while unseen:
            pid = unseen.pop()
            with suppress(OSError):
                unseen += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
                found.append(pid)
        return found

    def kill(self) -> None:
        """Kill all processes at once, as the kernel does when memory runs out; return when all have ended."""
        processes = self.processes()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_for_the_end(processes)

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise DidNotStart(f"{self.subject.name} did not stop:\n{log_tail(self.log)}") from error


@contextmanager
def running(
    subject: Subject, folder: Path, *, data: Path | None = None, wrap: Sequence[str] = (), wait: bool = True
) -> Iterator[Running]:
    """Run a subject over `data` (default: `folder/data`) for the length of the block, then kill it.

    `wrap` is a prefix of its command: a tracer, `setpriv`, and so on. Without `wait` it can be unready, or have ended.

    Raises:
        DidNotStart: it did not answer in time, or ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = data or folder / "data"
    address = f"127.0.0.1:{free_port()}"
    command = subject.command(folder, data, address)
    log = folder / "server.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [*wrap, *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=os.environ | command.environment,
            start_new_session=True,
        )
    registry = Running(subject, address, data, log, process)
    try:
        if wait:
            wait_until_ready(registry)
        yield registry
    finally:
        registry.kill()


def wait_until_ready(registry: Running, seconds: float = START_SECONDS) -> None:
    """Return once it answers `GET /v2/`.

    Raises:
        DidNotStart: it did not in time, or ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and registry.process.poll() is None:
        with suppress(OSError), closing(registry.connect(timeout=5)) as connection:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
            return
        time.sleep(0.02)
    raise DidNotStart(f"{registry.subject.name} did not become ready:\n{log_tail(registry.log)}")


def wait_for_the_end(processes: Sequence[int], seconds: float = STOP_SECONDS) -> bool:
    """Wait until all of these processes have ended; return whether they did in time."""
    deadline = time.monotonic() + seconds
    while any(map(_runs, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _runs(pid: int) -> bool:
    """Return whether a process still has a thread; its first one may be a zombie while others end."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except OSError:
        return False


def log_tail(log: Path, characters: int = 4000) -> str:
    return log.read_text(errors="replace")[-characters:]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
