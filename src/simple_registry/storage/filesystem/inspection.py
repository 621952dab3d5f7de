"""The files of a data directory for `fsck`: content, strays, and the quarantine."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence

from simple_registry.faults import StorageFault
from simple_registry.files import FileStamp
from simple_registry.oci.digests import ALGORITHMS, Digest
from simple_registry.storage.filesystem.data_directory import ContentTree
from simple_registry.storage.filesystem.disk import NAMED_FILE, Disk
from simple_registry.storage.filesystem.file_reader import hash_file
from simple_registry.storage.filesystem.layout import Layout, is_session
from simple_registry.storage.filesystem.placement import PLACE, stamp_of
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.inspection import Flaw, Stored
from simple_registry.storage.records import Place

_SHARDS = frozenset(f"{number:02x}" for number in range(256))
_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class FilesystemInspection:
    """Everything below `blobs/` and `uploads/`. Each content has one place, its path."""

    def __init__(self, layout: Layout, disk: Disk, threads: Threads) -> None:
        self._layout = layout
        self._disk = disk
        self._threads = threads
        self._tree = ContentTree(disk, layout)

    def check(self) -> None:
        """Raise StorageFault unless content can be listed. A backup has no uploads, and no directory of them."""
        self._tree.check()

    def path(self, digest: Digest) -> str:
        """Return the path of content below the data directory."""
        return self._layout.relative(self._layout.blob(digest))

    def session_path(self, session: str) -> str:
        """Return the path of a session's bytes below the data directory."""
        return self._layout.relative(self._layout.session(session))

    async def listing(self, prefix: str) -> Sequence[Stored]:
        """Return what is stored under digests that begin with `algorithm:xx`, in order of digest."""
        return await self._threads.run(self._list, prefix)

    async def find(self, digest: Digest, place: Place) -> Stored | None:  # noqa: ARG002 (each digest has one place)
        """Return what has the name of a digest."""
        return self._stored(digest)

    async def hash(self, stored: Stored, read: Callable[[int], None]) -> Digest | None:
        """Return the digest of the stored bytes, or `None` if they were replaced or removed meanwhile."""
        return await self._threads.run(self._hash, stored, read)

    async def keep(self, stored: Stored) -> bool:
        """Make the stored bytes and their name durable. Return whether they are still there."""
        return await self._threads.run(self._keep, stored)

    async def strays(self) -> Sequence[tuple[str, float]]:
        """Return the paths of strays, in order, each with the time of its last change."""
        return await self._threads.run(self._strays)

    async def set_aside(self, path: str, name: str) -> str:
        """Move a file or directory to the quarantine, under `name` and a number. Return its path there."""
        return await self._threads.run(self._set_aside, path, name)

    async def clear_name(self, digest: Digest) -> str | None:
        """Move a directory that has the name of content to the quarantine. Return its path there, if there was one."""
        return await self._threads.run(self._clear_name, digest)

    async def keep_damaged(self, stored: Stored) -> str | None:
        """Give a file of content a second name in the quarantine. Return its path there, or `None` if it has none."""
        return await self._threads.run(self._keep_damaged, stored)

    async def remove_quarantined(self, digest: Digest) -> tuple[str, ...]:
        """Remove the files that the quarantine has under the name of this content. Return their paths."""
        return await self._threads.run(self._remove_quarantined, digest)

    async def set_mode(self, digest: Digest) -> None:
        """Set the mode of a file of content to the one that content has."""
        await self._threads.run(self._disk.make_path_read_only, self._layout.blob(digest))

    def _list(self, prefix: str) -> list[Stored]:
        algorithm, _, shard = prefix.partition(":")
        names = filter(_is_content_name(algorithm, shard), self._names(self._layout.shard(algorithm, shard)))
        found = (self._stored(Digest(algorithm, name)) for name in sorted(names))
        return [stored for stored in found if stored is not None]

    def _stored(self, digest: Digest) -> Stored | None:
        status = self._disk.stat(self._layout.blob(digest))
        return None if status is None else stored_file(digest, status)

    def _hash(self, stored: Stored, read: Callable[[int], None]) -> Digest | None:
        path = self._layout.blob(stored.digest)
        return hash_file(self._disk, path, stored.version, stored.digest.algorithm, read)

    def _keep(self, stored: Stored) -> bool:
        fd = self._disk.open_read(self._layout.blob(stored.digest))
        if fd is None:
            return False
        try:
            self._disk.fsync(fd)
            self._disk.fsync_directory(self._layout.blob_directory(stored.digest))
            return FileStamp.of(self._disk.stat_open(fd)) == stored.version
        finally:
            self._disk.close(fd)

    def _strays(self) -> list[tuple[str, float]]:
        found = [(path, self._disk.stat(path)) for path in self._foreign_paths()]
        return [(self._layout.relative(path), status.st_ctime) for path, status in found if status is not None]

    def _foreign_paths(self) -> Iterator[str]:
        yield from self._foreign(self._layout.blobs, lambda name: name in ALGORITHMS)
        for algorithm in ALGORITHMS:
            yield from self._foreign(f"{self._layout.blobs}/{algorithm}", _SHARDS.__contains__)
            for shard in sorted(_SHARDS):
                yield from self._foreign(self._layout.shard(algorithm, shard), _is_content_name(algorithm, shard))
        yield from self._foreign(self._layout.uploads, is_session)

    def _foreign(self, directory: str, is_ours: Callable[[str], object]) -> Iterator[str]:
        """Yield the strays in a directory, or its own path if it is not a directory."""
        status = self._disk.stat(directory)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            yield directory
        yield from (f"{directory}/{name}" for name in sorted(self._names(directory)) if not is_ours(name))

    def _names(self, directory: str) -> Sequence[str]:
        """Return the names in a directory; none when it is missing, or is not a directory."""
        status = self._disk.stat(directory)
        return self._disk.names(directory) if status is not None and stat.S_ISDIR(status.st_mode) else ()

    def _keep_damaged(self, stored: Stored) -> str | None:
        self._make_quarantine()
        target = self._free_name(str(stored.digest))
        # Not a rename: a push may give the name of content to other bytes, which must keep it.
        if not self._disk.link(self._layout.blob(stored.digest), target):
            return None
        linked = self._disk.stat(target)
        if linked is None or stamp_of(linked) != stored.stamp:
            self._disk.unlink(target)
            return None
        self._disk.fsync_directory(self._layout.quarantine)
        return self._layout.relative(target)

    def _make_quarantine(self) -> None:
        if self._disk.make_directory(self._layout.quarantine):
            self._disk.fsync_directory(self._layout.root)

    def _set_aside(self, path: str, name: str) -> str:
        source = f"{self._layout.root}/{path}"
        self._make_quarantine()
        target = self._free_name(name)
        self._disk.rename(source, target)
        self._disk.fsync_directory(self._layout.quarantine)
        self._disk.fsync_directory(os.path.dirname(source.rstrip("/")))
        return self._layout.relative(target)

    def _clear_name(self, digest: Digest) -> str | None:
        try:
            # With the slash, only a directory is moved: a push may place a file here at any moment.
            return self._set_aside(f"{self.path(digest)}/", str(digest))
        except StorageFault as fault:
            if isinstance(fault.__cause__, FileNotFoundError | NotADirectoryError):
                return None
            raise

    def _remove_quarantined(self, digest: Digest) -> tuple[str, ...]:
        quarantine = self._layout.quarantine
        named = (name for name in self._names(quarantine) if name.rpartition(".")[0] == str(digest))
        paths = [path for path in sorted(f"{quarantine}/{name}" for name in named) if self._disk.unlink(path)]
        if paths:
            self._disk.fsync_directory(quarantine)
        return tuple(self._layout.relative(path) for path in paths)

    def _free_name(self, name: str) -> str:
        """Return the first free name of the quarantine. Only one check at a time moves anything there."""
        number = 1
        while self._disk.stat(path := self._layout.quarantined(name, number)) is not None:
            number += 1
        return path


def stored_file(digest: Digest, status: os.stat_result) -> Stored:
    """Return a file of content from its status."""
    return Stored(
        digest, PLACE, status.st_size, status.st_ctime, FileStamp.of(status), _flaw(status.st_mode), stamp_of(status)
    )


def _flaw(mode: int) -> Flaw | None:
    if not stat.S_ISREG(mode):
        return Flaw.NOT_A_FILE
    if stat.S_IMODE(mode) & _READABLE == 0:
        return Flaw.UNREADABLE
    return None if stat.S_IMODE(mode) == NAMED_FILE else Flaw.WRITABLE


def _is_content_name(algorithm: str, shard: str) -> Callable[[str], object]:
    """Return the test for names of content in this directory."""
    return re.compile(f"{shard}[0-9a-f]{{{ALGORITHMS[algorithm] - len(shard)}}}", re.ASCII).fullmatch
