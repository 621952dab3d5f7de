"""The campaign of failing system calls: every call of an operation fails, or kills the process, one at a time.

A recording lists the calls of an operation. For each shot, strace attaches to one thread of the running server; the
operation is done and, if it was refused, repeated; then the state is read. The server is killed and restarted from time
to time, and at once after a commit that could not be made durable: a refused change must not come back.
"""

import dataclasses
import json
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from faults.injection.judge import acknowledged, believed
from faults.injection.shots import FOREVER, KILL, Shot, shots, touched
from faults.injection.target import Target
from faults.order.operations import OPERATIONS, Client, Operation, Reply, State, Unsupported
from faults.scores import Scale, Score
from faults.strace import Call
from harness.subjects import Subject, ours

OURS = "simple-registry"
STATUS = {"ENOSPC": 507, "EIO": 503, "ENOLCK": 503, "ENOMEM": 503}
"""The expected answer; an interrupted call (EINTR) must not be visible at all."""
READ_NOTHING = ("rows", "files")
"""Roles of threads that no GET needs, so that one can be asked while the tracer is there."""
SHOTS_A_LIFE = 40
"""Shots after which the server is killed and started again, and all that was done since is asked for."""
SECONDS = {Scale.PROOF: 60.0, Scale.QUICK: 100.0, Scale.FULL: 3 * 3600.0}
"""After which what is left is left out, and the score says so."""
PROOF = ("blob by POST, PATCH and PUT", "manifest by tag")


def injection(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Let every system call of every operation fail in turn."""
    is_ours = subject.name.startswith(OURS)
    target = Target(calm(subject) if is_ours else subject, folder, by_role=is_ours)
    range_ = _Range(target, time.monotonic() + SECONDS[scale])
    try:
        range_.shoot(
            [operation for operation in OPERATIONS if scale is not Scale.PROOF or operation.name in PROOF], scale
        )
        range_.faults += [f"in the end: {what}" for what in rows_without_files(target.registry.data)]
    finally:
        target.close()
    hits = ", ".join(f"{count} {fault}" for fault, count in sorted(range_.hits.items()))
    figures = (
        f"{range_.hits.total()} calls failed ({hits}), {range_.refused} operations refused, {range_.lives} restarts, "
        f"{range_.missed} shots missed, {range_.left_out} left out: {len(range_.faults)} unsafe, "
        f"{len(range_.unclear)} unclear answers"
    )
    return Score("failing system calls", subject.name, figures, [*range_.faults, *range_.unclear])


def calm(subject: Subject) -> Subject:
    """Return ours with one worker and one thread for files, so that calls come from the same threads every time."""
    bug = subject.name.removeprefix(OURS).removeprefix(" with ")
    return dataclasses.replace(ours(bug="+".join(filter(None, [bug, "one-file-thread"])), workers=1), name=subject.name)


def rows_without_files(data: Path) -> list[str]:
    """Return the contents that our database speaks of and that are not there; nothing for other registries."""
    if not (data / "registry.db").exists():
        return []
    with closing(sqlite3.connect(data / "registry.db")) as connection:
        rows = connection.execute("SELECT digest, size FROM contents WHERE state <> 'condemned'").fetchall()
    found = []
    for digest, size in rows:
        algorithm, encoded = digest.split(":")
        path = data / "blobs" / algorithm / encoded[:2] / encoded
        if not path.exists() or path.stat().st_size != size:
            found.append(f"the row of {digest} has no file")
    return found


@dataclass(slots=True)
class _Shooting:
    """One shot under way, and what its operation is about."""

    operation: Operation
    key: str
    shot: Shot
    faults: list[str]
    sound: bool = True

    def fault(self, what: str) -> None:
        """Note the first thing that went wrong; what follows may follow from it."""
        if self.sound:
            self.sound = False
            self.faults.append(f"{self.operation.name}: {self.shot}: {what}")

    def require(self, client: Client, state: State, when: str) -> None:
        """Note what does not hold."""
        for each in state:
            if not each.holds(client):
                self.fault(f"{when}: not {each}")

    def holds(self, client: Client, state: State) -> bool:
        return all(each.holds(client) for each in state)


@dataclass(slots=True)
class _Range:
    """Shoots, and counts."""

    target: Target
    deadline: float
    left_out: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    refused: int = 0
    lives: int = 0
    faults: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    """Refusals that do not give the client the reason."""
    done: list[_Shooting] = field(default_factory=list)
    """What was done in this life of the server."""
    number: int = 0

    def shoot(self, operations: Sequence[Operation], scale: Scale) -> None:
        """Let each call of these operations fail, in no order, so that what time is left out is a bit of everything."""
        planned: list[tuple[Operation, Shot]] = []
        for operation in operations:
            with suppress(Unsupported):
                planned += [(operation, shot) for shot in self._record(operation, scale)]
        random.Random(0).shuffle(planned)
        for place, (operation, shot) in enumerate(planned):
            if time.monotonic() > self.deadline:
                self.left_out = len(planned) - place
                break
            self._shoot(operation, shot)
            if len(self.done) >= SHOTS_A_LIFE:
                self.end_life()
        self.end_life()

    def end_life(self) -> None:
        """Kill the server, start it again, and ask for all that was done before."""
        self.target.restart()
        self.lives += 1
        for shooting in self.done:
            shooting.require(self.target.client, shooting.operation.after(shooting.key), "after a restart")
        self.done = []

    def _record(self, operation: Operation, scale: Scale) -> Sequence[Shot]:
        key = self._key()
        operation.prepare(self.target.client, key)
        with self.target.traced():
            operation.act(self.target.client, key)
        return shots(self.target.calls(), self.target.root, self.target.roles, scale)

    def _key(self) -> str:
        self.number += 1
        return f"shot/{self.number}"

    def _shoot(self, operation: Operation, shot: Shot) -> None:
        shooting = _Shooting(operation, self._key(), shot, self.faults)
        operation.prepare(self.target.client, shooting.key)
        existing = list(_paths(self.target.registry.data))
        again_under_it = shot.role in READ_NOTHING and not (shot.fault == KILL or shot.fault.endswith(FOREVER))
        with self.target.traced(shot):
            since = time.time()
            reply = operation.act(self.target.client, shooting.key)
            until = time.time()
            if again_under_it and not _comes_back(shot):
                self._settle(shooting, reply)
                self._again(shooting, reply)
        calls = self.target.calls()
        ended = reply.status == 0 and not self.target.alive()
        if ended:
            self.target.recover()
        if not (ended if shot.fault == KILL else _hit(calls, self.target.root)):
            self.missed += 1  # the call was another one this time
            return
        self.hits[shot.fault.removesuffix(FOREVER)] += 1
        if ended and shot.fault != KILL:
            shooting.fault("the server ended")
        if shot.fault != KILL:
            self._judge(shooting, calls, existing, (since, until) if reply.succeeded else None)
        if _comes_back(shot):
            self._settle(shooting, reply)
            self._restart_over(shooting, reply)
            self._again(shooting, reply)
        elif not again_under_it:
            self._settle(shooting, reply)
            self._again(shooting, reply)
        self.done.append(shooting)

    def _settle(self, shooting: _Shooting, reply: Reply) -> None:
        """Check the answer, and that the state agrees with it."""
        operation, client = shooting.operation, self.target.client
        before, after = operation.before(shooting.key), operation.after(shooting.key)
        if reply.status == 0 and shooting.shot.fault == KILL:
            if not shooting.holds(client, before) and not shooting.holds(client, after):
                shooting.fault("neither done nor undone")
            return
        if reply.succeeded:
            shooting.require(client, after, "though it was answered so")
            return
        self.refused += 1
        wrong = wrong_refusal(shooting.shot, reply)
        if wrong:
            self.unclear.append(f"{operation.name}: {shooting.shot}: {wrong}")
        shooting.require(client, before, f"after {reply.status}")

    def _again(self, shooting: _Shooting, reply: Reply) -> None:
        """Do again what was not done; now it must be."""
        client, after = self.target.client, shooting.operation.after(shooting.key)
        if not reply.succeeded and not (reply.status == 0 and after and shooting.holds(client, after)):
            again = shooting.operation.act(client, shooting.key)
            if not again.succeeded:
                shooting.fault(f"once more: answered {again.status} {again.body[:100]!r}")
        shooting.require(client, after, "in the end")

    def _restart_over(self, shooting: _Shooting, reply: Reply) -> None:
        """Start the server over a commit that failed: what was refused must not have happened."""
        self.end_life()
        if not reply.succeeded:
            operation = shooting.operation
            shooting.require(self.target.client, operation.before(shooting.key), "refused, and after a restart")

    def _judge(
        self, shooting: _Shooting, calls: list[Call], existing: Sequence[str], done: tuple[float, float] | None
    ) -> None:
        root = self.target.root
        if done is not None or shooting.shot.role in READ_NOTHING:  # else nothing was acknowledged in this trace
            for wrong in believed(calls, root):
                shooting.fault(wrong)
        if done is not None:
            for lost in acknowledged(calls, root, existing, *done):
                shooting.fault(f"acknowledged: {lost}")


def wrong_refusal(shot: Shot, reply: Reply) -> str | None:
    """Return what is wrong with the way in which an operation was refused."""
    error = shot.fault.removesuffix(FOREVER)
    if error == "EINTR":
        return f"the client was answered {reply.status}"
    if reply.status == 0:
        return "the client had no answer"
    if reply.status != STATUS.get(error, reply.status):
        return f"answered {reply.status}, not {STATUS[error]}"
    try:
        json.loads(reply.body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError):
        return f"answered {reply.status} without an error document"
    return None


def _hit(calls: Iterable[Call], root: str) -> bool:
    """Return whether calls failed, and only calls on data: the threads of other registries share their work."""
    failed = [call for call in calls if call.injected]
    return bool(failed) and all(touched(call, root) for call in failed)


def _comes_back(shot: Shot) -> bool:
    """Return whether a shot leaves a commit in the log that a restart could replay."""
    return shot.call == "fdatasync" and shot.role == "rows" and shot.fault.startswith("EIO")


def _paths(data: Path) -> Iterator[str]:
    """Return all paths below a directory."""
    for folder, directories, files in os.walk(data):
        yield from (f"{folder}/{name}" for name in [*directories, *files])
