"""The campaign of starvation: writers on every worker at once, the share of the slowest, and the longest wait.

Writers are spread evenly over the processes, so that differences between them are not chance; readers work beside them.
A fair queue shows in how many pushes overtake another: they were requested later and answered earlier. Unlike waiting
times, that depends neither on the machine nor on its load.
"""

import time
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from faults.histories.clients import ACCEPT, CONFIG, MANIFEST_TYPE, digest_of, manifest
from faults.scores import Scale, Score
from faults.wire import Wire, wires_to_each
from harness.subjects import Subject, running

CAMPAIGN = "no writer starves"
PUSHERS, READERS = 16, 4
SECONDS = {Scale.PROOF: 6.0, Scale.QUICK: 20.0, Scale.FULL: 60.0}
MOUNTS = 8
"""Of so many pushes all but one are mounts: they make the queue for the database long, and not that for the disk."""
LEAST_SHARE = 0.5
"""Of the mean, that the slowest pusher must get."""
MOST_OF_MEAN = 12.0
"""How many times the mean wait of all the 99th percentile of a pusher may be. Ours had 3 to 7 in these runs."""
CROWD = 100
MOST_OVERTAKEN = 1 / 200
"""The share of pushes that a crowd may overtake. In ten runs over four workers no push of ours was, though the machine
had twice the work it could do in half of them; where writers sleep instead of queueing, it was one in eighty. A process
that gets no processor, or no disk, for a fifth of a second makes it one in a thousand."""


@dataclass(slots=True)
class Waits:
    """When each request of one connection began and ended, in seconds, and what was not answered as it should."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        return [ended - began for began, ended in self.spans]


def starvation(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Check that every one of many writers gets its share."""
    with running(subject, folder) as registry:
        wires = wires_to_each(registry, each=PUSHERS + READERS)
        workers = len(wires) // (PUSHERS + READERS)
        pushing, reading = wires[:PUSHERS], wires[PUSHERS : PUSHERS + READERS]  # each in turn to another process
        prepare(pushing[0])
        end = time.monotonic() + SECONDS[scale]
        with ThreadPoolExecutor(PUSHERS + READERS) as threads:
            pushers = [threads.submit(repeat, end, push(wire, number)) for number, wire in enumerate(pushing)]
            readers = [threads.submit(repeat, end, read(wire)) for wire in reading]
            pushes, reads = [each.result() for each in pushers], [each.result() for each in readers]
        for wire in wires:
            wire.close()
    return Score(CAMPAIGN, subject.name, figures(pushes, reads, workers, SECONDS[scale]), faults(pushes, reads))


def prepare(wire: Wire) -> None:
    """Push what manifests need, and the tag that is read."""
    digest = digest_of(CONFIG)
    location = wire.ask("POST", "/v2/starve/blobs/uploads/").headers["location"]
    path = location[location.index("/v2/") :]
    wire.ask("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest}", CONFIG)
    wire.ask("PUT", "/v2/starve/manifests/read", manifest("read"), {"Content-Type": MANIFEST_TYPE})


def repeat(end: float, request: Callable[[int], int]) -> Waits:
    """Make requests one after another until `end`, numbered from 0; each returns a status."""
    waits, number = Waits(), 0
    while (started := time.monotonic()) < end:
        status = request(number)
        waits.spans.append((started, time.monotonic()))
        if status not in {200, 201}:
            waits.refused.append(status)
        number += 1
    return waits


def push(wire: Wire, pusher: int) -> Callable[[int], int]:
    """Return what pushes: mounts, which do nothing but write rows, and now and then a new manifest for a tag."""
    mount = f"/v2/starve/p{pusher}/{{}}/blobs/uploads/?mount={digest_of(CONFIG)}&from=starve"

    def one(number: int) -> int:
        if number % MOUNTS:
            return wire.ask("POST", mount.format(number)).status
        data = manifest(f"{pusher} {number}")
        return wire.ask("PUT", f"/v2/starve/manifests/t{pusher}", data, {"Content-Type": MANIFEST_TYPE}).status

    return one


def read(wire: Wire) -> Callable[[int], int]:
    """Return what pulls a manifest."""
    return lambda _number: wire.ask("GET", "/v2/starve/manifests/read", headers=ACCEPT).status


def slowest_share(pushes: Sequence[Waits]) -> float:
    """Return how much of the mean the slowest got."""
    counts = [len(each.spans) for each in pushes]
    return min(counts) * len(counts) / sum(counts) if sum(counts) else 0.0


def percentile(waits: Sequence[Waits], percent: int) -> float:
    """Return the wait that so many percent do not exceed, in milliseconds."""
    seconds = sorted(wait for each in waits for wait in each.seconds)
    return 1000 * seconds[min(len(seconds) - 1, len(seconds) * percent // 100)] if seconds else 0.0


def mean(waits: Sequence[Waits]) -> float:
    """Return the mean wait in milliseconds."""
    seconds = [wait for each in waits for wait in each.seconds]
    return 1000 * sum(seconds) / len(seconds)


def slowest_percentile(waits: Sequence[Waits], percent: int) -> float:
    """Return the percentile of the connection with the worst one."""
    return max(percentile([each], percent) for each in waits)


def overtakings(waits: Sequence[Waits]) -> list[int]:
    """Return of each request how many others were asked for later and served earlier."""
    counts: list[int] = []
    begun: list[float] = []
    for began, _ in sorted((span for each in waits for span in each.spans), key=lambda span: span[1]):
        counts.append(len(begun) - bisect_right(begun, began))
        insort(begun, began)
    return counts


def overtaken_share(waits: Sequence[Waits]) -> float:
    """Return which part of the requests a crowd overtook."""
    counts = overtakings(waits)
    return sum(count > CROWD for count in counts) / len(counts) if counts else 0.0


def figures(pushes: Sequence[Waits], reads: Sequence[Waits], workers: int, seconds: float) -> str:
    """Say in one line how it went."""
    pushed, pulled = (sum(len(each.spans) for each in waits) for waits in (pushes, reads))
    return (
        f"{len(pushes)} pushers over {workers} processes: {pushed / seconds:,.0f} pushes/s, the slowest connection got "
        f"{slowest_share(pushes):.2f} of the mean, mean wait {mean(pushes):.0f} ms, "
        f"worst p99 {slowest_percentile(pushes, 99):.0f} ms, longest {percentile(pushes, 100):.0f} ms, "
        f"{overtaken_share(pushes):.2%} overtaken by more than {CROWD}; "
        f"readers beside: {pulled / seconds:,.0f}/s, p99 {percentile(reads, 99):.0f} ms"
    )


def faults(pushes: Sequence[Waits], reads: Sequence[Waits]) -> Sequence[str]:
    """Return what was not as promised."""
    found = []
    if (share := slowest_share(pushes)) < LEAST_SHARE:
        found.append(f"the slowest of {len(pushes)} pushers got {share:.2f} of the mean, less than {LEAST_SHARE}")
    if (overtaken := overtaken_share(pushes)) > MOST_OVERTAKEN:
        found.append(
            f"{overtaken:.2%} of the pushes were served after more than {CROWD} that were asked for later, "
            f"more than {MOST_OVERTAKEN:.2%}"
        )
    if (worst := slowest_percentile(pushes, 99) / mean(pushes)) > MOST_OF_MEAN:
        found.append(f"one pusher's p99 was {worst:.1f} times the mean wait, more than {MOST_OF_MEAN}")
    refused = [status for each in (*pushes, *reads) for status in each.refused]
    if refused:
        found.append(f"{len(refused)} requests were answered {', '.join(map(str, sorted(set(refused))))}")
    return found
