"""The campaign of read-only disks, mounted so or after a failure: content is served, changes are refused clearly.

served, stopped ──► mounted read-only ──► start          also after a kill, with rows in the database's log
serving ──► the disk fails (ext4 makes itself read-only) ──► a worker dies ──► everything restarts
repaired ──► start ──► pushes again
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from faults.client import WAYS, Answer, Client, digest_of, image_of
from faults.ext4 import Ext4, NoDisk
from faults.scores import Scale, Score
from harness.subjects import DidNotStart, Running, Subject, running, wait_until_ready

MIB = 1 << 20
DISK = 96 * MIB
IMAGES = 5
ROUNDS = {Scale.PROOF: 1, Scale.QUICK: 1, Scale.FULL: 30}


@dataclass
class Findings:
    """What was pushed, and what went wrong."""

    kept: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0
    faults: list[str] = field(default_factory=list)

    def blame(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def read_only(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Take writing away from a registry in every way, and look at what it still does.

    Raises: NoDisk.
    """
    findings = Findings()
    with Ext4(folder, DISK) as disk:
        data = disk.path / "data"

        def use(what: str, do: Callable[[Findings, Running, str], None]) -> None:
            try:
                with running(subject, folder / "server", data=data) as registry:
                    do(findings, registry, what)
            except DidNotStart as error:
                findings.blame(f"{what}: {str(error)[:40]} … {str(error)[-300:]}")

        for _ in range(ROUNDS[scale]):
            for push in (_push_and_stop, _push_and_kill):
                use("before", push)
                with mounted_read_only(disk.path):
                    use(f"started on a read-only disk{push.__name__[5:].replace('_', ' ')}", look)
            use("serving when the disk failed", partial(_fail, disk.path))
            use("started on a disk that failed", look)
            disk.replug()
            use("repaired", _push_again)
    figures = f"{ROUNDS[scale]} rounds, {findings.asked:,} requests, {len(findings.kept)} documents kept"
    return Score("read-only disk", subject.name, figures, findings.faults)


def _push_and_stop(findings: Findings, registry: Running, _what: str) -> None:
    _push(findings, registry)
    registry.stop()


def _push_and_kill(findings: Findings, registry: Running, _what: str) -> None:
    _push(findings, registry)
    registry.kill()


def _push(findings: Findings, registry: Running) -> None:
    client = Client(registry.address)
    for image in range(IMAGES):
        key = f"{len(findings.kept)}-{image}"
        layer = f"layer {key}".encode().ljust(10_000, b".")
        manifest = client.push_image("read/only", f"v{key}", layer, note=key)
        findings.kept[f"/v2/read/only/manifests/v{key}"] = manifest
        findings.kept[f"/v2/read/only/blobs/{digest_of(layer)}"] = layer


def look(findings: Findings, registry: Running, what: str) -> None:
    """Pull everything, list everything, and try to change something by every way."""
    client = Client(registry.address)
    _pull(findings, client, what)
    for path in ("/v2/_catalog", "/v2/read/only/tags/list"):
        _expect(findings, f"{what}: GET {path}", client.get(path), 200)
    manifest = next(data for path, data in findings.kept.items() if "/manifests/" in path)
    changes = {f"a push {way}": push(client, "read/refused", os.urandom(1000)) for way, push in WAYS.items()}
    changes["a new manifest"] = client.put_manifest("read/only", "new", image_of(note="new"))
    changes["moving a tag"] = client.put_manifest("read/only", "moved", manifest)
    changes["deleting a manifest"] = client.ask("DELETE", f"/v2/read/only/manifests/{digest_of(manifest)}")
    for change, answer in changes.items():
        _expect(findings, f"{what}: {change}", answer, 405, 503, 507)
        if answer.codes is None:
            findings.blame(f"{what}: {change} is refused without the specification's JSON: {answer}")
        elif b"read-only" not in answer.body and answer.status != 405:
            findings.blame(f"{what}: {change} is refused without saying why: {answer}")
    _pull(findings, client, what)


def _pull(findings: Findings, client: Client, what: str) -> None:
    for path, data in findings.kept.items():
        answer = client.get(path)
        _expect(findings, f"{what}: a pull", answer, 200)
        if answer.status == 200 and answer.body != data:
            findings.blame(f"{what}: {path} gives other bytes")
        _expect(findings, f"{what}: a HEAD", client.ask("HEAD", path), 200)


def _fail(disk: Path, findings: Findings, registry: Running, what: str) -> None:
    """Let the disk fail under a registry that serves, and then a worker die, if it has any."""
    _pull(findings, Client(registry.address), "before")
    fail(disk)
    look(findings, registry, what)
    for worker in registry.processes()[1:2]:
        os.kill(worker, signal.SIGKILL)
        wait_until_ready(registry)
        look(findings, registry, f"{what} and a worker died")


def _push_again(findings: Findings, registry: Running, what: str) -> None:
    client = Client(registry.address)
    _pull(findings, client, what)
    for way, push in WAYS.items():
        _expect(findings, f"{what}: a push {way}", push(client, "read/again", os.urandom(1000)), 201)
    registry.stop()


def _expect(findings: Findings, what: str, answer: Answer, *statuses: int) -> None:
    findings.asked += 1
    if answer.status not in statuses:
        findings.blame(f"{what} gives {answer}")


@contextmanager
def mounted_read_only(disk: Path) -> Iterator[None]:
    """Mount an idle disk read-only for the length of the block.

    Raises: NoDisk.
    """
    _mount(disk, "remount,ro")
    try:
        yield
    finally:
        _mount(disk, "remount,rw")


def fail(disk: Path) -> None:
    """Make ext4 do what it does when its device fails: nothing is written any more.

    Raises: NoDisk.
    """
    _mount(disk, "remount,abort")


def _mount(disk: Path, options: str) -> None:
    done = subprocess.run(["mount", "-o", options, str(disk)], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise NoDisk(f"mount -o {options}: {done.stderr.strip()}")
