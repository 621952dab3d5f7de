"""The campaign of `fsck` beside a server under load and its collector: every finding is a false alarm.

Clients push, pull, mount, tag, delete and push again, each in its own repository and in an order in which no manifest
ever lacks a part; the collector removes content after five seconds. Meanwhile `fsck` runs repeatedly, quick and deep,
with and without `--repair`. At the end, every image that was not deleted must exist.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from faults.client import Client, digest_of, require
from faults.fsck.command import Failed, Report, fsck_for
from faults.scores import Scale, Score
from harness.subjects import Subject, ours, running

COLLECTING = "kind: Configuration\nmetadata: {name: fsck}\nspec: {garbageCollection: {interval: 1s, grace: 5s}}\n"
CLIENTS = 4
SECONDS = {Scale.PROOF: 15, Scale.QUICK: 40, Scale.FULL: 3600}
SHARED = [f"layer {number} that several push".encode().ljust(2000, b".") for number in range(20)]


def collecting(*, bug: str = "") -> Subject:
    """Return our registry with a collector that hardly waits."""
    return ours(bug=bug, configuration=COLLECTING)


@dataclass
class Worker:
    """One client at work in a repository of its own."""

    client: Client
    repository: str
    random: random.Random
    images: dict[str, tuple[bytes, bytes, list[bytes]]] = field(default_factory=dict)
    """By tag: the manifest, its own layer and its other layers."""
    operations: int = 0

    def work(self, over: Event) -> None:
        """Push and delete until stopped."""
        while not over.is_set():
            if len(self.images) > 5 and self.random.random() < 0.7:
                self._delete(self.random.choice(sorted(self.images)))
            else:
                self._push(f"v{self.random.randrange(12)}")

    def _push(self, tag: str) -> None:
        if tag in self.images:
            self._delete(tag)
        # Few different layers, so that content comes, goes and comes again while it is looked at.
        own = f"{self.repository} {self.random.randrange(30)}".encode().ljust(self.random.randrange(20, 60_000), b".")
        others = self.random.sample(SHARED, 3)
        manifest = self.client.push_image(self.repository, tag, own, *others, note=f"{self.repository}:{tag}")
        self.images[tag] = (manifest, own, others)
        self.operations += 6

    def _delete(self, tag: str) -> None:
        """Delete an image as operators do: the manifest first, then what no other manifest of the repository needs."""
        manifest, own, others = self.images.pop(tag)
        require(202, self.client.ask("DELETE", f"/v2/{self.repository}/manifests/{digest_of(manifest)}"))
        needed = {blob for _, layer, more in self.images.values() for blob in (layer, *more)}
        for blob in {own, *others} - needed:
            answer = self.client.ask("DELETE", f"/v2/{self.repository}/blobs/{digest_of(blob)}")
            if answer.status != 404:  # its grace may have begun with another image, and be over
                require(202, answer)
            self.operations += 1

    def lost(self) -> Iterator[str]:
        """Yield what should be there and is not."""
        for tag, (manifest, own, others) in self.images.items():
            if self.client.get(f"/v2/{self.repository}/manifests/{tag}").body != manifest:
                yield f"{self.repository}:{tag} is lost"
            for blob in (own, *others):
                if self.client.get(f"/v2/{self.repository}/blobs/{digest_of(blob)}").body != blob:
                    yield f"{self.repository}:{tag} lacks {digest_of(blob)}"


def fsck_online(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Check a registry at work again and again. `subject` is one of `collecting`."""
    faults: list[str] = []
    reports: list[Report] = []
    with running(subject, folder) as registry:
        client = Client(registry.address)
        workers = [Worker(client, f"online/{number}", random.Random(number)) for number in range(CLIENTS)]
        over = Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            working = [pool.submit(worker.work, over) for worker in workers]
            try:
                reports = fsck_for(subject, folder, SECONDS[scale])
            except Failed as error:
                faults.append(str(error))
            over.set()
            failures = [each.exception() for each in working]
        faults += [f"a client failed: {error}" for error in failures if error is not None]
        faults += [lost for worker in workers for lost in worker.lost()]
        operations = sum(worker.operations for worker in workers)
        registry.stop()
    faults += [f"false alarm: {finding}" for each in reports for finding in each.findings]
    checked = sum(each.summary["contents"] for each in reports)
    figures = f"{len(reports)} checks of {checked:,} contents in all, beside {operations:,} requests"
    return Score("fsck online", subject.name, figures, faults)
