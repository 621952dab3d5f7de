"""The campaign of the order of system calls: a registry under strace, one operation at a time."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from faults.order.judge import Window, judge
from faults.order.operations import OPERATIONS, Client, Operation, Unsupported
from faults.scores import Scale, Score
from faults.strace import command, read_trace
from harness.subjects import Running, Subject, running

ROUNDS = {Scale.PROOF: 1, Scale.QUICK: 6, Scale.FULL: 400}
START_SECONDS = 1.0
"""Seconds after the first answer: what a server still writes about its start belongs to no operation."""
QUIET = 0.03
"""Seconds without a request before and after an operation: whatever a registry does then, it does after its answer."""


def order(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Check for every operation that all it depends on was on disk before its answer."""
    folder.mkdir(parents=True, exist_ok=True)
    trace = folder / "trace"
    done: list[tuple[Operation, Window]] = []
    faults: list[str] = []
    with running(subject, folder, wrap=command(trace)) as registry:
        time.sleep(START_SECONDS)
        for number in range(ROUNDS[scale]):
            for place, operation in enumerate(OPERATIONS):
                with suppress(Unsupported):
                    try:
                        done.append((operation, _observe(registry, operation, f"order/r{number}/o{place}")))
                    except _Failed as failure:
                        faults.append(f"{operation.name}: {failure}")
    with trace.open(errors="replace") as lines:
        verdicts = judge(str(registry.data), read_trace(lines), [window for _, window in done])
    return _score(subject, done, verdicts, faults)


class _Failed(Exception):
    """An operation was not answered as it must be."""


def _observe(registry: Running, operation: Operation, key: str) -> Window:
    """Do one operation, in quiet."""
    client = Client(registry)
    prepared = time.time()
    operation.prepare(client, key)
    time.sleep(QUIET)
    since = time.time()
    reply = operation.act(client, key)
    time.sleep(QUIET)
    if reply.status != operation.success:
        raise _Failed(f"answered {reply.status}")
    rests_on = since if operation.removes else prepared
    return Window(since, time.time(), reply.port, rests_on, operation.removes)


def _score(
    subject: Subject, done: Sequence[tuple[Operation, Window]], verdicts: Sequence[Sequence[str]], faults: list[str]
) -> Score:
    """Return the score, with the first violation of each operation."""
    violated: Counter[str] = Counter()
    first: dict[str, str] = {}
    for (operation, _), found in zip(done, verdicts, strict=True):
        if found:
            violated[operation.name] += 1
            first.setdefault(operation.name, found[0])
    kinds = {operation.name for operation, _ in done}
    figures = (
        f"{len(kinds) - len(violated)} of {len(kinds)} operations in order "
        f"({len(done) - violated.total()} of {len(done)} times)"
    )
    faults += [f"{name}, {violated[name]} times: {why}" for name, why in first.items()]
    return Score("order of system calls", subject.name, figures, faults)
