"""The campaign of lost databases: missing, empty or damaged, over content that still exists.

Content without its database looks like an empty registry. A start must refuse that, say what to do, and change nothing.
Over an older backup of the database it must start.
"""

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from faults.client import Client
from faults.scores import Scale, Score
from harness.subjects import DidNotStart, Subject, running


def _deleted(database: Path) -> None:
    for path in (database, log_of(database), database.with_name("registry.db-shm")):
        path.unlink(missing_ok=True)


def _deleted_but_for_its_log(database: Path) -> None:
    database.unlink()


def _emptied(database: Path) -> None:
    log_of(database).unlink(missing_ok=True)
    os.truncate(database, 0)


def _emptied_with_its_log(database: Path) -> None:
    os.truncate(database, 0)


def _without_tables(database: Path) -> None:
    _deleted(database)
    connection = sqlite3.connect(database)
    connection.executescript("CREATE TABLE a (b); DROP TABLE a;")
    connection.close()


def _random_bytes(database: Path) -> None:
    log_of(database).unlink(missing_ok=True)
    database.write_bytes(os.urandom(database.stat().st_size))


def _cut(database: Path) -> None:
    _fold(database)
    connection = sqlite3.connect(database)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    os.truncate(database, (pages - 1) * 4096)  # the file is longer: it grows by chunks


def _of_another_program(database: Path) -> None:
    _deleted(database)
    connection = sqlite3.connect(database)
    connection.executescript("CREATE TABLE recipes (cake);")
    connection.close()


LOSSES: Mapping[str, Callable[[Path], None]] = {
    "deleted": _deleted,
    "deleted but for its log": _deleted_but_for_its_log,
    "emptied": _emptied,
    "emptied, with its log": _emptied_with_its_log,
    "without tables": _without_tables,
    "random bytes": _random_bytes,
    "cut": _cut,
    "of another program": _of_another_program,
}


def log_of(database: Path) -> Path:
    return database.with_name("registry.db-wal")


def _fold(database: Path) -> None:
    """Bring the rows of the log into the database."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def lost_database(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Lose the database of a registry, after a stop and after a kill, and start it over what is left."""
    ends = (True,) if scale is Scale.PROOF else (False, True)
    faults: list[str] = []
    starts = 0
    for name, lose in LOSSES.items():
        for killed in ends:
            starts += 1
            place = folder / f"{starts}"
            data = place / "data"
            with running(subject, place) as registry:
                Client(registry.address).push_image("lost/database", "v1", b"layer")
                registry.kill() if killed else registry.stop()
            lose(data / "registry.db")
            before = _contents(data)
            log = place / "server.log"
            said = log.stat().st_size
            fault = f"{name}, after a {'kill' if killed else 'stop'}"
            try:
                with running(subject, place):
                    faults.append(f"{fault}: it starts")
            except DidNotStart:
                line = log.read_text()[said:].strip()
                if "\n" in line or not any(word in line for word in ("restore it from a backup", "choose another")):
                    faults.append(f"{fault}: {line[-300:]}")
            after = _contents(data)
            if before != after:
                changed = sorted(str(path) for path, _ in set(before.items()) ^ set(after.items()))
                faults.append(f"{fault}: the refusal changed {', '.join(changed)[:200]}")
    faults += _older_backup(subject, folder / "older")
    return Score("lost database", subject.name, f"{starts} starts over {len(LOSSES)} kinds of loss", faults)


def _older_backup(subject: Subject, folder: Path) -> list[str]:
    """Return what is wrong when the database is an older one than the content: nothing should be."""
    database = folder / "data" / "registry.db"
    with running(subject, folder) as registry:
        old = Client(registry.address).push_image("lost/database", "old", b"old")
        backup = folder / "backup.db"
        connection = sqlite3.connect(database)
        connection.execute("VACUUM INTO ?", (str(backup),))
        connection.close()
        Client(registry.address).push_image("lost/database", "new", b"new")
        registry.stop()
    _deleted(database)
    backup.rename(database)
    with running(subject, folder) as registry:
        client = Client(registry.address)
        if client.get("/v2/lost/database/manifests/old").body != old:
            return ["an older backup: what it holds is not served"]
        if client.get("/v2/lost/database/manifests/new").status != 404:
            return ["an older backup: what it does not hold is served"]
        client.push_image("lost/database", "new", b"new")
    return []


def _contents(data: Path) -> dict[Path, bytes]:
    """Return every file, but for what a start notes of itself."""
    notes = {"server.lock", "registry.db-shm"}
    return {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path.name not in notes}
