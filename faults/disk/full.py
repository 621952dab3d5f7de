"""The campaign of full disks: filled to the last byte, by pushes and by another program.

    some room ──► pushes until refused ──► not one byte left ──► restart ──► room again ──► everything verified

Pulls and listings must work, and so must what needs only rows: moving tags, mounting, deleting. Pushes of new content
must get 507 and the specification's JSON, leave nothing visible in part, free the space that they used, and work again
as soon as there is space, without a restart.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from faults.client import WAYS, Answer, Client, Refused, digest_of, image_of
from faults.ext4 import Ext4
from faults.scores import Scale, Score
from harness.subjects import DidNotStart, Running, Subject, running

MIB = 1 << 20
DISK = 512 * MIB
"""Large enough for blocks of 4 KiB; with smaller ones, SQLite cannot start on a full disk."""
ROOM = 50 * MIB
"""What is free of it in the beginning."""
IMAGES = 8
LAYER = 256 * 1024
HUGE = 16 * MIB
"""A blob that does not fit any more once the disk is nearly full."""
MOVES = {Scale.PROOF: 20, Scale.QUICK: 600, Scale.FULL: 5000}
"""Tags moved without one free byte."""
FILLED = {Scale.PROOF: 1, Scale.QUICK: 3, Scale.FULL: 40}
"""How often the disk is filled and freed."""
LEAK = 2 * MIB
"""Room that may be missing after pushes that were refused: directories, the database, a log."""


@dataclass
class Diary:
    """What was granted, and what went wrong."""

    kept: dict[str, bytes] = field(default_factory=dict)
    """What each path must give."""
    refused: list[str] = field(default_factory=list)
    """Paths of content whose push was refused."""
    asked: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, what: str, answer: Answer, *statuses: int) -> None:
        self.asked += 1
        if answer.status not in statuses:
            self.blame(f"{what} gives {answer}")

    def blame(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def full_disk(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Fill the disk of a running registry, look at what it does, and free it again.

    Raises: NoDisk.
    """
    diary, documents = Diary(), 0
    for number in range(FILLED[scale]):
        diary.kept.clear()
        diary.refused.clear()
        with Ext4(folder / str(number), DISK) as disk:
            occupy(disk.path, ROOM)
            try:
                _fill(subject, disk.path / "data", diary, number, MOVES[scale])
            except (DidNotStart, Refused) as error:
                diary.blame(f"{str(error)[:60]} … {str(error)[-300:]}")
        documents += len(diary.kept)
    figures = f"filled {FILLED[scale]} times, {diary.asked:,} requests, {documents} documents kept"
    return Score("full disk", subject.name, figures, diary.faults)


def _fill(subject: Subject, data: Path, diary: Diary, number: int, moves: int) -> None:
    """Fill one disk, look, free it, and start over it when it is full again."""
    folder = data.parents[1] / "server"
    with running(subject, folder, data=data) as registry:
        client = Client(registry.address)
        prepare(client, diary, number)
        _fill_with_pushes(client, registry, diary)
        with filled(data.parent):
            look(client, diary, number, moves)
            pushes_are_refused(client, diary)
        _recover(client, diary)
        verify(client, diary)
        with filled(data.parent):
            registry.stop() if number % 2 else registry.kill()
            _start_full(subject, folder, data, diary)


def prepare(client: Client, diary: Diary, number: int) -> None:
    """Push images while there is room."""
    for image in range(IMAGES):
        layer = f"layer {number} {image}".encode().ljust(LAYER, b".")
        tag = f"v{number}-{image}"
        manifest = client.push_image("full/disk", tag, layer, note=tag)
        diary.kept[f"/v2/full/disk/manifests/{tag}"] = manifest
        diary.kept[f"/v2/full/disk/manifests/{digest_of(manifest)}"] = manifest
        diary.kept[f"/v2/full/disk/blobs/{digest_of(layer)}"] = layer


def _fill_with_pushes(client: Client, registry: Running, diary: Diary) -> None:
    """Push blobs until no other one fits; a refused push must free its space."""
    for piece in range(2 * ROOM // HUGE):
        data = os.urandom(HUGE)
        before = room(registry.data)
        way = [*WAYS][piece % len(WAYS)]
        answer = WAYS[way](client, "full/pushed", data)
        if answer.status == 201:
            diary.kept[f"/v2/full/pushed/blobs/{digest_of(data)}"] = data
            continue
        require_clear(diary, f"a push {way} that finds too little room", answer)
        diary.refused.append(f"/v2/full/pushed/blobs/{digest_of(data)}")
        if room(registry.data) < before - LEAK:
            diary.blame(f"a push {way} that was refused keeps {(before - room(registry.data)) / MIB:.1f} MiB")
        if piece >= len(WAYS):
            return
    diary.blame(f"pushes of {2 * ROOM} bytes fit into {ROOM}")


def look(client: Client, diary: Diary, number: int, moves: int) -> None:
    """Ask for everything that must go on without one free byte."""
    verify(client, diary)
    for path in ("/v2/", "/v2/_catalog", "/v2/full/disk/tags/list"):
        diary.expect(f"GET {path} on a full disk", client.get(path), 200, 401)  # 401 asks an anonymous caller to log in
    diary.expect("a token on a full disk", client.get("/token?service=faults"), 200, 404)  # 404: it makes none
    diary.expect("referrers on a full disk", client.get(f"/v2/full/disk/referrers/{digest_of(b'')}"), 200, 404)
    manifests = [diary.kept[f"/v2/full/disk/manifests/v{number}-{image}"] for image in range(IMAGES)]
    for move in range(moves):
        manifest = manifests[move % IMAGES]
        answer = client.put_manifest("full/disk", f"moving-{number}", manifest)
        diary.expect("moving a tag on a full disk", answer, 201)
        if answer.status == 201:
            diary.kept[f"/v2/full/disk/manifests/moving-{number}"] = manifest
        elif move > IMAGES:
            break
    layer = digest_of(f"layer {number} 0".encode().ljust(LAYER, b"."))
    diary.expect("a mount on a full disk", client.mount(f"full/mounted{number}", layer, "full/disk"), 201)
    gone = f"/v2/full/disk/manifests/v{number}-{IMAGES - 1}"
    digest = digest_of(diary.kept[gone])
    diary.expect("deleting a tag on a full disk", client.ask("DELETE", gone), 202, 400, 405)
    by_digest = f"/v2/full/disk/manifests/{digest}"
    diary.expect("deleting a manifest on a full disk", client.ask("DELETE", by_digest), 202)
    blob = f"/v2/full/disk/blobs/{digest_of(f'layer {number} {IMAGES - 1}'.encode().ljust(LAYER, b'.'))}"
    diary.expect("deleting a blob on a full disk", client.ask("DELETE", blob), 202)
    for path in (gone, by_digest, blob):
        diary.kept.pop(path, None)
        diary.expect("what was deleted", client.get(path), 404)
    if diary.kept.get(f"/v2/full/disk/manifests/moving-{number}") == manifests[-1]:
        del diary.kept[f"/v2/full/disk/manifests/moving-{number}"]  # its manifest was deleted


def pushes_are_refused(client: Client, diary: Diary) -> None:
    """Push by every way onto a disk without a free byte."""
    for way, push in WAYS.items():
        data = f"refused {way}".encode().ljust(LAYER, b".")
        answer = push(client, "full/refused", data)
        require_clear(diary, f"a push {way} on a full disk", answer)
        diary.refused.append(f"/v2/full/refused/blobs/{digest_of(data)}")
    manifest = image_of(note="refused")
    require_clear(diary, "a new manifest on a full disk", client.put_manifest("full/disk", "new", manifest))
    diary.refused.append("/v2/full/disk/manifests/new")


def require_clear(diary: Diary, what: str, answer: Answer) -> None:
    """See that a push was refused for lack of room, in words that a client can show."""
    diary.expect(what, answer, 507, 413)
    if answer.codes is None:
        diary.blame(f"{what} is refused without the specification's JSON: {answer}")


def _recover(client: Client, diary: Diary) -> None:
    """Push again, now that there is room, without a restart."""
    for way, push in WAYS.items():
        data = f"again {way}".encode().ljust(LAYER, b".")
        answer = push(client, "full/again", data)
        diary.expect(f"a push {way} once there is room", answer, 201)
        if answer.status == 201:
            diary.kept[f"/v2/full/again/blobs/{digest_of(data)}"] = data


def _start_full(subject: Subject, folder: Path, data: Path, diary: Diary) -> None:
    """Start over a disk without a free byte: what it holds must be served."""
    try:
        with running(subject, folder, data=data) as registry:
            verify(Client(registry.address), diary)
            registry.stop()
    except DidNotStart as error:
        diary.blame(f"does not start or stop on a full disk: {str(error)[:60]} … {str(error)[-300:]}")


def verify(client: Client, diary: Diary) -> None:
    """See that everything granted is there, and nothing that was refused."""
    for path, data in diary.kept.items():
        answer = client.get(path)
        diary.expect("GET of something kept", answer, 200)
        if answer.status == 200 and answer.body != data:
            diary.blame(f"{path} gives other bytes")
        diary.expect("HEAD of something kept", client.ask("HEAD", path), 200)
    for path in diary.refused:
        diary.expect("HEAD of something refused", client.ask("HEAD", path), 404)


def room(path: Path) -> int:
    """Return the bytes that any user can still write."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def occupy(disk: Path, leave: int) -> None:
    """Take room until only so much is left; nothing is written for it."""
    with (disk / "occupied").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room(disk) - leave)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave not one free byte for the length of the block, not even to root."""
    path = disk / "another-program"
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(b"\xff" * size)
            except OSError:
                continue
        with suppress(OSError):
            os.fsync(file.fileno())
    try:
        yield
    finally:
        path.unlink()
