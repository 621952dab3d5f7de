"""The campaign of `fsck`: random damage of every kind to a filled store must be found exactly, and repaired.

fill ──► damage ──► fsck finds all of it, nothing else ──► fsck --repair, twice ──► nothing is lost
     ──► damaged content is answered 404 ──► all is pushed again ──► all can be pulled, fsck finds nothing
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from faults.client import CONFIG, Client, digest_of, image_of, require
from faults.damage.content import DAMAGE
from faults.fsck.command import Failed, Report, fsck
from faults.scores import Scale, Score
from harness.subjects import Running, Subject, running

ROUNDS = {Scale.PROOF: 1, Scale.QUICK: 3, Scale.FULL: 300}
SHARED = b"a layer of every image".ljust(3000, b".")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Image:
    """An image with one layer of its own and one that all share."""

    repository: str
    tag: str
    layer: bytes

    @property
    def manifest(self) -> bytes:
        return image_of(self.layer, SHARED, note=self.tag)


@dataclass
class Damaged:
    """A stopped store under the knife: what was done to it, and what a check must therefore say."""

    data: Path
    random: random.Random
    images: list[Image]
    expected: list[Key] = field(default_factory=list)
    """What a check finds."""
    remaining: list[Key] = field(default_factory=list)
    """What a check finds after the repair."""
    gone: list[tuple[Image, str]] = field(default_factory=list)
    """Content that must be answered 404 after the repair."""
    tags: list[tuple[str, str]] = field(default_factory=list)
    """Tags that must be deleted."""

    def victim(self) -> Image:
        """Return an image that nothing was done to yet."""
        return self.images.pop()

    def path(self, digest: str) -> Path:
        algorithm, encoded = digest.split(":")
        return self.data / "blobs" / algorithm / encoded[:2] / encoded

    def execute(self, sql: str, *bindings: object) -> None:
        """Change rows against all rules."""
        connection = apsw.Connection(str(self.data / "registry.db"))
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(sql, bindings)
        connection.close()

    def expect(self, kind: str, about: str, *, remains: str | None = None) -> None:
        """Note a finding, and as what it is found after the repair."""
        self.expected.append((kind, about))
        if remains is not None:
            self.remaining.append((remains, about))

    def file(self, place: str, data: bytes) -> None:
        path = self.data / place
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o444)

    def noise(self) -> bytes:
        return self.random.randbytes(self.random.randrange(1, 5000))


# ---------------------------------------------------------------- damage

KINDS = {
    "missing": "missing",
    "empty": "short",
    "truncated": "short",
    "longer": "long",
    "flipped": "flipped",
    "flipped with its times": "flipped",
    "zeroed": "flipped",
    "exchanged": "flipped",
    "a directory": "not-a-file",
    "unreadable": "unreadable",
}

REMAINS = {"unreadable": None, "a directory": "missing"}
"""As what damage is found after the repair, where that is not the same."""


def _content(damage: str) -> Callable[[Damaged], None]:
    def do(store: Damaged) -> None:
        image = store.victim()
        digest = digest_of(store.random.choice([image.layer, image.manifest]))
        DAMAGE[damage](store.path(digest))
        store.expect(KINDS[damage], digest, remains=REMAINS.get(damage, KINDS[damage]))
        if damage != "unreadable":
            store.gone.append((image, digest))

    return do


def _wrong_size_in_row(store: Damaged) -> None:
    digest = digest_of(store.victim().layer)
    store.execute("UPDATE contents SET size = size + 1 WHERE digest = ?", digest)
    store.expect("short", digest)


def _row_of_content_lost(store: Damaged) -> None:
    image = store.victim()
    digest = digest_of(store.random.choice([image.layer, image.manifest]))
    store.execute("DELETE FROM contents WHERE digest = ?", digest)
    store.expect("dangling", f"{image.repository}@{digest}")


def _row_of_manifest_lost(store: Damaged) -> None:
    image = store.victim()
    digest = digest_of(image.manifest)
    for table in ("manifest_children", "manifests"):
        store.execute(f"DELETE FROM {table} WHERE digest = ?", digest)
    store.expect("dangling", f"{image.repository}:{image.tag}")
    store.expect("miscounted", digest)
    for part in (image.layer, SHARED, CONFIG):
        store.expect("miscounted", f"{image.repository}@{digest_of(part)}")


def _part_lost(store: Damaged) -> None:
    image = store.victim()
    layer = digest_of(image.layer)
    store.execute("DELETE FROM repository_blobs WHERE digest = ?", layer)
    store.expect("dangling", f"{image.repository}@{digest_of(image.manifest)}", remains="dangling")
    store.expect("miscounted", layer, remains="miscounted")


def _tag_of_nothing(store: Damaged) -> None:
    image = store.victim()
    store.execute(
        "INSERT INTO tags (repository, tag, digest) VALUES (?, 'nothing', ?)",
        image.repository,
        digest_of(store.noise()),
    )
    store.expect("dangling", f"{image.repository}:nothing", remains="dangling")
    store.tags.append((image.repository, "nothing"))


def _tag_malformed(store: Damaged) -> None:
    image = store.victim()
    store.execute("UPDATE tags SET digest = 'sha256:' WHERE repository = ? AND tag = ?", image.repository, image.tag)
    store.expect("malformed", f"{image.repository}:{image.tag}")


def _condemned(store: Damaged) -> None:
    digest = digest_of(store.victim().layer)
    store.execute("UPDATE contents SET state = 'condemned' WHERE digest = ?", digest)
    store.expect("miscounted", digest)


def _unneeded(store: Damaged) -> None:
    image = store.victim()
    digest = digest_of(image.layer)
    store.execute("UPDATE repository_blobs SET state = 'unneeded' WHERE digest = ?", digest)
    store.expect("miscounted", f"{image.repository}@{digest}")


def _repository_lost(store: Damaged) -> None:
    repository = store.victim().repository
    store.execute("DELETE FROM repositories WHERE name = ?", repository)
    store.expect("dangling", repository)


def _orphan(store: Damaged, *, whole: bool) -> None:
    data = store.noise()
    digest = digest_of(data)
    store.file(str(store.path(digest).relative_to(store.data)), data if whole else data + b"x")
    store.expect("orphan", digest)


def _stray(store: Damaged, place: str) -> None:
    place += f"-{store.random.randrange(10**9)}"
    store.file(place, store.noise())
    store.expect("stray", place)


def _leftover(store: Damaged) -> None:
    place = f"uploads/put-{store.random.randrange(10**9)}"
    store.file(place, store.noise())
    store.expect("leftover", place)


def _cut_upload(store: Damaged) -> None:
    session = store.random.choice([path for path in (store.data / "uploads").iterdir() if path.stat().st_mode & 0o200])
    os.truncate(session, session.stat().st_size - 1)
    session.chmod(0o400)  # so that it is not chosen again
    store.expect("cut-upload", f"uploads/{session.name}")


WAYS: list[Callable[[Damaged], None]] = [
    *map(_content, DAMAGE),
    _wrong_size_in_row,
    _row_of_content_lost,
    _row_of_manifest_lost,
    _part_lost,
    _tag_of_nothing,
    _tag_malformed,
    _condemned,
    _unneeded,
    _repository_lost,
    lambda store: _orphan(store, whole=True),
    lambda store: _orphan(store, whole=False),
    lambda store: _stray(store, "blobs/stray"),
    lambda store: _stray(store, "blobs/sha256/stray"),
    lambda store: _stray(store, "blobs/sha512/ab/stray"),
    lambda store: _stray(store, "uploads/a stray"),
    _leftover,
    _cut_upload,
]
SESSIONS = 3


# ---------------------------------------------------------------- the campaign


@dataclass
class Trial:
    """One round over a data directory of its own."""

    subject: Subject
    folder: Path
    random: random.Random
    faults: list[str] = field(default_factory=list)
    planted: int = 0
    repaired: int = 0

    def run(self) -> None:
        """Fill, damage, check, repair, heal, check."""
        images = self._images()
        with running(self.subject, self.folder) as registry:
            self._fill(registry, images)
            registry.stop()
        self._expect("of a sound store", fsck(self.subject, self.folder, "--deep"), [])
        store = Damaged(self.folder / "data", self.random, list(images))
        for damage in self.random.sample(WAYS, self.random.randrange(len(WAYS) // 2, len(WAYS) + 1)):
            damage(store)
        self.planted += len(store.expected)
        self._expect("deep", fsck(self.subject, self.folder, "--deep"), store.expected)
        shallow = [key for key in store.expected if key[0] != "flipped"]
        self._expect("shallow", fsck(self.subject, self.folder), shallow)
        self._repair(store)
        with running(self.subject, self.folder) as registry:
            self._heal(registry, images, store)
            registry.stop()
        self._expect("after the repair and a push", fsck(self.subject, self.folder, "--deep"), [])

    def _images(self) -> list[Image]:
        return [
            Image(f"r{number:02}/app", f"v{number}", self.random.randbytes(self.random.randrange(2, 9000)))
            for number in range(len(WAYS))
        ]

    def _fill(self, registry: Running, images: list[Image]) -> None:
        client = Client(registry.address)
        for image in images:
            client.push_image(image.repository, image.tag, image.layer, SHARED, note=image.tag)
        # Not damage: content whose only holding was deleted, sessions with and without bytes.
        unheld = self.random.randbytes(100)
        require(201, client.push_in_one_put("unheld", unheld))
        require(202, client.ask("DELETE", f"/v2/unheld/blobs/{digest_of(unheld)}"))
        require(202, client.start("r00/app"))
        for _ in range(SESSIONS):
            started = require(202, client.start("r00/app"))
            require(202, client.ask("PATCH", started.headers["location"], self.random.randbytes(1000)))

    def _repair(self, store: Damaged) -> None:
        first = fsck(self.subject, self.folder, "--deep", "--repair")
        self.repaired += first.summary["repaired"]
        for finding in first.findings:
            done = finding.get("done", "")
            if "moved to " in done and not (store.data / done.partition("moved to ")[2].partition(",")[0]).exists():
                self.faults.append(f"repair lost what it moved: {finding}")
        for which in ("the repair", "a second repair"):
            found = fsck(self.subject, self.folder, "--deep", *(["--repair"] if "second" in which else []))
            self._expect(f"after {which}", found, store.remaining)

    def _heal(self, registry: Running, images: list[Image], store: Damaged) -> None:
        client = Client(registry.address)
        for image, digest in store.gone:
            kind = "manifests" if digest == digest_of(image.manifest) else "blobs"
            answer = client.ask("HEAD", f"/v2/{image.repository}/{kind}/{digest}")
            if answer.status != 404:
                self.faults.append(
                    f"HEAD of damaged content gives {answer.status} after the repair: no client pushes it"
                )
        for repository, tag in store.tags:
            require(202, client.ask("DELETE", f"/v2/{repository}/manifests/{tag}"))
        for image in images:
            client.push_image(image.repository, image.tag, image.layer, SHARED, note=image.tag)
        for image in images:
            for path, data in (
                (f"manifests/{image.tag}", image.manifest),
                *((f"blobs/{digest_of(blob)}", blob) for blob in (image.layer, SHARED, CONFIG)),
            ):
                if client.get(f"/v2/{image.repository}/{path}").body != data:
                    self.faults.append(f"{image.repository}/{path} is not what was pushed")

    def _expect(self, when: str, report: Report, expected: list[Key]) -> None:
        found, wanted = Counter(report.about()), Counter(expected)
        self.faults += [f"{when}: not found: {key}" for key in wanted - found]
        self.faults += [f"{when}: found what is not there: {key}" for key in found - wanted]
        if report.code != bool(expected):
            self.faults.append(f"{when}: exit code {report.code} with {len(expected)} damages")


def fsck_campaign(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Damage many stores at random, each with its own seed, and ask `fsck` what is wrong with them. Ours only."""
    faults: list[str] = []
    planted = repaired = 0
    for seed in range(ROUNDS[scale]):
        trial = Trial(subject, folder / str(seed), random.Random(seed))
        try:
            trial.run()
        except (AssertionError, Failed) as error:
            trial.faults.append(f"broke off: {error}")
        planted, repaired = planted + trial.planted, repaired + trial.repaired
        faults += [f"seed {seed}: {fault}" for fault in trial.faults]
    figures = f"{ROUNDS[scale]} stores, {planted} damages, {repaired} repaired at once, the rest healed by pushes"
    return Score("fsck", subject.name, figures, faults)
