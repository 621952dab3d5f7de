"""The campaign of damaged content: is it noticed, is it reported, and does a push heal it?

Every kind of damage is done to a blob and to a manifest, with cold caches and with warm caches in all workers. Then the
content is read in every way: by HEAD, GET, range, tag, digest, mount, and through a manifest. There must be no 200 of
the wrong size, no manifest with bytes of another digest, and no answer that keeps clients from pushing again. The
push must heal it.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faults.client import CONFIG, Answer, Client, Refused, digest_of, image_of, require
from faults.scores import Scale, Score
from harness.subjects import Running, Subject, running

SIZE = 20_000
ASKED = {Scale.PROOF: 4, Scale.QUICK: 8, Scale.FULL: 24}
"""How often each question is asked, each time on a new connection, so that every worker answers."""
ROUNDS = {Scale.PROOF: 1, Scale.QUICK: 3, Scale.FULL: 200}
HEALED, NOT_HEALED, SERVED = "healed", "NOT HEALED", "SERVED"


def _missing(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b" ")


def _flipped(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def _flipped_with_its_times(path: Path) -> None:
    found = path.stat()
    _flipped(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


def _exchanged(path: Path) -> None:
    """Another file of the same length and times takes its place, as a copy that keeps times does."""
    found, other = path.stat(), path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.rename(path)


def _directory(path: Path) -> None:
    path.unlink()
    (path / "holiday").mkdir(parents=True)


def _unreadable(path: Path) -> None:
    path.chmod(0)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "missing": _missing,
    "empty": _empty,
    "truncated": _truncated,
    "longer": _longer,
    "flipped": _flipped,
    "flipped with its times": _flipped_with_its_times,
    "zeroed": _zeroed,
    "exchanged": _exchanged,
    "a directory": _directory,
    "unreadable": _unreadable,
}
UNNOTICED = "flipped with its times"
"""Only reading everything reveals it. For a blob, the client does that, and later `scrub`."""


@dataclass
class Findings:
    """What was asked, and what was wrong."""

    asked: int = 0
    faults: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], str] = field(default_factory=dict)
    """By what was damaged, and how: the row and the column of the matrix."""

    def add(self, before: "Findings", after: "Findings", place: tuple[str, str], cell: str) -> None:
        """Add what came of one examination; the worst that happened at a place stays."""
        self.asked += before.asked
        self.faults += [fault for fault in (*before.faults, *after.faults) if fault not in self.faults]
        self.cells[place] = max(self.cells.get(place, HEALED), cell, key=[HEALED, NOT_HEALED, SERVED].index)

    def matrix(self) -> str:
        rows = dict.fromkeys(row for row, _ in self.cells)
        width = max(len(name) for name in DAMAGE) + 2
        lines = [" " * width + "".join(f"{row:<16}" for row in rows)]
        for damage in DAMAGE:
            cells = "".join(f"{self.cells.get((row, damage), '-'):<16}" for row in rows)
            lines.append(f"{damage:<{width}}{cells}")
        return "\n".join(lines)


def damage(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Damage content of a running registry in every way, ask for it, and push it again."""
    findings = Findings()
    with running(subject, folder) as registry:
        for number in range(ROUNDS[scale]):
            for name, warm in itertools.product(DAMAGE, (False, True)):
                key = f"{number}-{name}-{warm}".replace(" ", "-")
                for examination in (Examination("blob", name), Examination("manifest", name)):
                    examination.run(registry, key, ASKED[scale], findings, warm=warm)
    print(f"\n{subject.name}\n{findings.matrix()}")
    figures = f"{len(findings.cells)} kinds of damage, {findings.asked:,} questions"
    return Score("damage", subject.name, figures, findings.faults)


@dataclass(frozen=True, slots=True)
class Examination:
    """What is damaged, and how."""

    kind: str
    damage: str

    def run(self, registry: Running, key: str, times: int, findings: Findings, *, warm: bool) -> None:
        """Push an image, damage a part of it, ask, push again, ask again."""
        client = Client(registry.address)
        layer = f"{self.kind}-{key}".encode().ljust(SIZE, b".")
        repository = f"damage/{self.kind}"
        tag = key
        image = client.push_image(repository, tag, layer, note=f"{self.kind}-{key}")
        data = layer if self.kind == "blob" else image
        questions = [path for path in self._paths(repository, tag, data) for _ in range(times)]
        if warm:
            for question in questions:
                client.get(question)
        path = registry.blob_path(digest_of(data))
        before, after = Findings(), Findings()
        try:
            DAMAGE[self.damage](path)
            for question in questions:
                self._ask(client, question, data, before)
            if self.kind == "blob" and not self._is_for_the_client(client.get(questions[0]), data):
                self._use(client, repository, data, before)
            self._heal(client, repository, tag, layer, image)
            for answer in map(client.get, questions):
                if answer.status != 200 or answer.body != data:
                    self._blame(after, f"GET after a push gives {answer.status}: not healed")
        except (Refused, OSError) as error:
            self._blame(after, f"not healed: {error}")
        finally:
            if path.is_dir():
                shutil.rmtree(path)
        cell = SERVED if before.faults else NOT_HEALED if after.faults else HEALED
        findings.add(before, after, (f"{self.kind} {'warm' if warm else 'cold'}", self.damage), cell)

    def _paths(self, repository: str, tag: str, data: bytes) -> Iterator[str]:
        if self.kind == "blob":
            yield f"/v2/{repository}/blobs/{digest_of(data)}"
        else:
            yield f"/v2/{repository}/manifests/{tag}"
            yield f"/v2/{repository}/manifests/{digest_of(data)}"

    def _ask(self, client: Client, path: str, data: bytes, findings: Findings) -> None:
        """Ask for damaged content in every way in which it can be asked for."""
        findings.asked += 3
        head, whole = client.ask("HEAD", path), client.get(path)
        part = client.get(path, range="bytes=0-9")
        if self._is_for_the_client(whole, data):
            return
        if head.status != 404:
            self._blame(findings, f"HEAD gives {head.status}: no client pushes it again")
        for answer, right in ((whole, data), (part, data[:10])):
            if answer.status in {200, 206}:
                if answer.body in {data, right}:
                    continue  # from memory
                self._blame(findings, f"GET gives {answer.status} with {len(answer.body)} bytes of {len(data)}")
            elif answer.status != 404 or answer.codes is None:
                self._blame(findings, f"GET gives {answer}")

    def _is_for_the_client(self, whole: Answer, data: bytes) -> bool:
        """Return whether only a client can notice the damage, or there is none: root can read everything."""
        if self.damage == "unreadable":
            return whole.status == 200 and whole.body == data
        return self.kind == "blob" and self.damage == UNNOTICED

    def _use(self, client: Client, repository: str, data: bytes, findings: Findings) -> None:
        """Refer to a damaged blob: nothing new may rest on it."""
        findings.asked += 2
        mounted = client.mount(f"{repository}/mounted", digest_of(data), repository)
        if mounted.status != 202:
            self._blame(findings, f"a mount gives {mounted.status}")
        named = client.put_manifest(repository, "named", image_of(data, note="names it"))
        if named.status != 404 or named.codes != ["MANIFEST_BLOB_UNKNOWN"]:
            self._blame(findings, f"a manifest that names it gives {named}")

    def _heal(self, client: Client, repository: str, tag: str, layer: bytes, image: bytes) -> None:
        """Push everything again, whatever HEAD says.

        Raises: Refused.
        """
        for blob in (CONFIG, layer):
            require(201, client.push_in_one_put(repository, blob))
        require(201, client.put_manifest(repository, tag, image))

    def _blame(self, findings: Findings, what: str) -> None:
        fault = f"{self.kind} {self.damage}: {what}"
        if fault not in findings.faults:
            findings.faults.append(fault)
