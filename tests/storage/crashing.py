"""A program that pushes and dies: for every point at which it can, one child process is killed exactly there.

    python -m storage.crashing disk|rows <directory>

`disk` kills before each changing system call of the stores of files; `rows` before each write and sync that SQLite
does. What the child acknowledged stands in `<directory>/<point>/acknowledged`; the last child lives to its end.
"""

import os
import signal
import sys
from pathlib import Path

import apsw

from simple_registry.oci.names import Tag
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.records import Place
from simple_registry.storage.sqlite.engine.migrate import migrate
from storage.filesystem.disks import KillingDisk
from storage.support import OTHER, REPOSITORY, ManualClock, manifest_of, opened_stores, push, run
from support.actors import ACTOR


class Fuse:
    """Kills the process when it has burnt down."""

    left = -1

    def burn(self):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


FUSE = Fuse()


class KillingFile(apsw.VFSFile):
    def xWrite(self, data, offset):  # noqa: N802
        FUSE.burn()
        super().xWrite(data, offset)

    def xSync(self, flags):  # noqa: N802
        FUSE.burn()
        super().xSync(flags)


class KillingVFS(apsw.VFS):
    def __init__(self):
        super().__init__("killing", base="unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802
        return KillingFile("unix", name, flags)


async def use(stores, acknowledge):
    """Do the usual operations of a registry, and return their results."""
    doomed = await push(stores, "c", b"doomed")
    await stores.rows.blobs.remove_blob(REPOSITORY, doomed.digest, actor=ACTOR)
    stores.clock.time += 10
    first = await push(stores, "a", b"first" * 1000)
    acknowledge(REPOSITORY, first.digest)
    again = await push(stores, "b", b"first" * 1000, OTHER)
    acknowledge(OTHER, again.digest)
    data = b"manifest"
    manifest = manifest_of(data, children=(first.digest,))
    await stores.content.put(manifest.digest, data)
    await stores.rows.manifests.put_manifest(
        REPOSITORY, manifest, tags=[Tag("v1")], parts=(), place=Place(""), removals=0, actor=ACTOR
    )
    acknowledge(REPOSITORY, manifest.digest)
    await stores.rows.garbage.end_holdings(stores.clock.now(), 9)
    for record in await stores.rows.garbage.page_condemned(None, 9):
        await stores.content.remove(record)
        await stores.rows.garbage.forget([record])
    last = await push(stores, "d", b"last")
    acknowledge(REPOSITORY, last.digest)


def live(path: Path, kind: str, point: int) -> None:
    """Push into a new data directory until killed."""
    path.mkdir()
    directory = DataDirectory.claim(path / "data")
    migrate(directory.layout.database)
    disk = Disk()
    if kind == "disk":
        disk = KillingDisk(point)
    else:
        keep = KillingVFS()
        assert keep
        FUSE.left = point
    with (
        opened_stores(directory.layout, ManualClock(), disk) as stores,
        (path / "acknowledged").open("a", buffering=1) as file,
    ):
        run(use(stores, lambda repository, digest: file.write(f"{repository} {digest}\n")))
    (path / "finished").touch()


def main(kind: str, root: Path) -> None:
    for point in range(500):
        child = os.fork()
        if child == 0:
            try:
                live(root / str(point), kind, point)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        if (root / str(point) / "finished").exists():
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
