"""The campaign of clocks: the machine's clock jumps forward and back, by hours and years, while clients work.

libfaketime replaces the time of day in every process, for native code too; the monotonic clock and the times of files
stay correct. (It does not work for programs that ask the kernel directly, such as Go's.) The collector runs every
second, so that content that it wrongly considers old is gone before the next request.
"""

import glob
import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from faults.client import Answer, Client, digest_of, require
from faults.scores import Scale, Score
from harness import ROOT
from harness.subjects import DidNotStart, Running, Subject, running

MINUTE = 60
HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY
JUMPS = {
    Scale.PROOF: [30 * HOUR],
    Scale.QUICK: [2 * HOUR, -2 * HOUR, 30 * HOUR, -30 * HOUR, 10 * YEAR, -10 * YEAR],
    Scale.FULL: [sign * jump for _ in range(40) for jump in (2 * HOUR, 30 * HOUR, 10 * YEAR) for sign in (1, -1)],
}
"""Seconds; each begins where the one before ended."""
ROUNDS = 2.5
"""Seconds in which the collector comes twice, and libfaketime looks at its file."""
EVERY_SECOND = """\
kind: Configuration
metadata: {name: clocks}
spec: {garbageCollection: {interval: 1s, grace: 1h}, manifests: {deleteReferenced: allow}}
"""
"""Documents for a subject that collects garbage so often that it would be seen."""
SLEEP = """\
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds)
"""
"""For each Python process: libfaketime 0.9.10 has every `clock_nanosleep` until a point in time fail with EINVAL."""
TROUBLE = re.compile(r'"level":"error"|Traceback|"ms":-')


class NoFaketime(Exception):
    """libfaketime is not here."""


@dataclass
class Wall:
    """The clock on the wall of one registry."""

    file: Path
    offset: int = 0

    def jump(self, seconds: int) -> None:
        self.offset += seconds
        partial = self.file.with_suffix(".new")
        partial.write_text(f"{self.offset:+d}\n")
        partial.rename(self.file)

    def wrap(self) -> list[str]:
        """Return the prefix of a command that makes it see this clock.

        Raises: NoFaketime.
        """
        libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")  # noqa: PTH207 (one pattern)
        if not libraries:
            raise NoFaketime("libfaketime is missing; it is in Debian's package faketime")
        site = self.file.with_suffix(".site")
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(SLEEP)
        return [
            "env",
            f"PYTHONPATH={site}:{ROOT}",
            f"LD_PRELOAD={libraries[0]}",
            f"FAKETIME_TIMESTAMP_FILE={self.file}",
            "FAKETIME_CACHE_DURATION=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "NO_FAKE_STAT=1",
        ]


@dataclass
class Findings:
    kept: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, what: str, answer: Answer, *statuses: int) -> None:
        self.asked += 1
        if answer.status not in statuses:
            self.faults.append(f"{what} gives {answer}")


def clocks(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Set the clock under a registry that is in the middle of everything.

    Raises: NoFaketime.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wall, findings = Wall(folder / "clock"), Findings()
    wall.jump(0)
    with running(subject, folder / "server", wrap=wall.wrap()) as registry, ThreadPoolExecutor(1) as thread:
        for number, jump in enumerate(JUMPS[scale]):
            under_way = _begin(registry, findings, number, thread)
            time.sleep(1)  # so that all of it lies before the jump
            wall.jump(jump)
            time.sleep(ROUNDS)
            _require_jump(registry, findings, wall)
            under_way.end(registry, findings, f"after {jump / HOUR:+,.0f} hours", forward=jump > 0)
        _look(registry, findings, "in the end")
        for line in registry.log.read_text().splitlines():
            if TROUBLE.search(line):
                findings.faults.append(f"the log says {line[:300]}")
        registry.kill()
        try:
            with running(subject, folder / "server", wrap=wall.wrap()) as again:
                _look(again, findings, "after a restart")
        except DidNotStart as error:
            findings.faults.append(str(error)[-300:])
    figures = f"{len(JUMPS[scale])} jumps, {findings.asked:,} requests, {len(findings.kept)} documents kept"
    return Score("clocks", subject.name, figures, findings.faults)


@dataclass
class UnderWay:
    """What was begun before the clock was set."""

    session: Answer
    received: bytes
    whole: "Future[Answer]"
    let_go: list[Path]
    token: str | None

    def end(self, registry: Running, findings: Findings, when: str, *, forward: bool) -> None:
        """See that all of it can be ended."""
        client = Client(registry.address)
        path = self.session.headers["location"]
        rest = b"the rest"
        findings.expect(f"{when}: a session", client.get(path), 204)
        patched = client.ask("PATCH", path, rest)
        findings.expect(f"{when}: going on with a session", patched, 202)
        data = self.received + rest
        digest = digest_of(data)
        findings.expect(f"{when}: ending a session", client.ask("PUT", f"{path}?digest={digest}", b""), 201)
        findings.kept[f"/v2/clock/work/blobs/{digest}"] = data
        findings.expect(f"{when}: a request under way", self.whole.result(), 201)
        findings.faults += [f"{when}: {path.name} was collected early" for path in self.let_go if not path.exists()]
        if self.token is not None:
            # It lives for minutes; by a clock that was set back, for longer.
            answer = client.get("/v2/", authorization=f"Bearer {self.token}")
            findings.expect(f"{when}: a token of before", answer, 401 if forward else 200)
            fresh = _token(client)
            findings.expect(f"{when}: a new token", client.get("/v2/", authorization=f"Bearer {fresh}"), 200)
        _look(registry, findings, when)


def _begin(registry: Running, findings: Findings, number: int, thread: ThreadPoolExecutor) -> UnderWay:
    """Push, mount and delete, and be in the middle of two uploads."""
    client = Client(registry.address)
    layer, gone = f"layer {number}".encode(), f"gone {number}".encode()
    image = client.push_image("clock/work", f"v{number}", layer, note=str(number))
    findings.kept[f"/v2/clock/work/manifests/v{number}"] = image
    require(201, client.mount("clock/mounted", digest_of(layer), "clock/work"))
    require(202, client.ask("DELETE", f"/v2/clock/work/blobs/{digest_of(layer)}"))
    findings.kept[f"/v2/clock/mounted/blobs/{digest_of(layer)}"] = layer
    require(201, client.push_in_one_put("clock/work", gone))
    require(202, client.ask("DELETE", f"/v2/clock/work/blobs/{digest_of(gone)}"))
    received = f"session {number}".encode() * 1000
    session = require(202, client.ask("PATCH", require(202, client.start("clock/work")).headers["location"], received))
    whole = os.urandom(200_000)
    pushing = thread.submit(_push_slowly, registry.address, whole)
    findings.kept[f"/v2/clock/slow/blobs/{digest_of(whole)}"] = whole
    return UnderWay(session, received, pushing, [registry.blob_path(digest_of(gone))], _token(client))


def _push_slowly(address: str, data: bytes) -> Answer:
    """Push in one POST that begins before the clock is set, and ends after."""
    connection = HTTPConnection(address, timeout=30)
    try:
        connection.putrequest("POST", f"/v2/clock/slow/blobs/uploads/?digest={digest_of(data)}")
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders()
        half = len(data) // 2
        connection.send(data[:half])
        time.sleep(ROUNDS + 1.5)
        with suppress(OSError):
            connection.send(data[half:])
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, HTTPException) as error:
        return Answer(0, str(error).encode())
    finally:
        connection.close()


def _token(client: Client) -> str | None:
    answer = client.get("/token?service=simple-registry&scope=repository:clock/work:pull")
    found = re.search(rb'"token":"([^"]+)"', answer.body)
    return found[1].decode() if answer.status == 200 and found else None


def _look(registry: Running, findings: Findings, when: str) -> None:
    client = Client(registry.address)
    for path, data in findings.kept.items():
        answer = client.get(path)
        findings.expect(f"{when}: {path}", answer, 200)
        if answer.status == 200 and answer.body != data:
            findings.faults.append(f"{when}: {path} gives other bytes")


def _require_jump(registry: Running, findings: Findings, wall: Wall) -> None:
    """See that every worker did notice that the clock was set: a campaign that changes nothing would prove nothing."""
    logged = len(registry.log.read_text())
    for _ in range(8):
        Client(registry.address).get("/healthz")
    time.sleep(0.2)
    for said in re.findall(r'"time":"([^"]+)"', registry.log.read_text()[logged:]):
        if abs(datetime.fromisoformat(said).timestamp() - time.time() - wall.offset) > MINUTE:
            findings.faults.append(f"a clock shows {said}, {wall.offset / HOUR:+,.0f} hours from now were set")
