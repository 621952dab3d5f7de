"""What lies in a data directory, for `fsck`: names, sizes, what is not ours, and moving things to the quarantine.

A move is a rename, so nothing is copied and nothing is lost. Between the look and the rename a push may put good bytes
in the place of bad ones; what was moved is therefore looked at once more, and goes back when it is something else. The
caller holds the writers' lock, so no push is acknowledged in between.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import ALGORITHMS, Digest
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.file_reader import FileReader, look_of, same_file
from simple_registry.storage.filesystem.layout import Layout, is_session
from simple_registry.storage.filesystem.placement import Placement
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.inspection import Hashed, Look
from simple_registry.storage.records import ContentRecord

_SHARDS = frozenset(f"{number:02x}" for number in range(256))


class FilesystemInspection:
    """Everything below `blobs/` and `uploads/`."""

    def __init__(self, layout: Layout, disk: Disk, threads: Threads) -> None:
        """Look at this tree; read in these threads."""
        self._layout = layout
        self._disk = disk
        self._placement = Placement(layout, disk)
        self._reader = FileReader(disk, threads)

    def check(self) -> None:
        """Raise StorageFault unless content can be looked for. A backup has no uploads, and no directory of them."""
        found = self._disk.stat(self._layout.blobs)
        if found is None or not stat.S_ISDIR(found.st_mode):
            raise StorageFault("look for content", f"{self._layout.blobs} is gone; is the file system mounted?")

    def contents(self, beginning: str) -> Sequence[Digest]:
        """Return the digests that begin with `algorithm:xx` and whose name something has, in order."""
        algorithm, _, shard = beginning.partition(":")
        names = filter(_namer(algorithm, shard), self._names(self._layout.shard(algorithm, shard)))
        return [Digest(algorithm, name) for name in sorted(names)]

    def place(self, digest: Digest) -> str:
        """Return where content of this digest belongs."""
        return self._layout.relative(self._layout.blob(digest))

    def session_place(self, session: str) -> str:
        """Return where the bytes of a session belong."""
        return self._layout.relative(self._layout.session(session))

    def sessions(self) -> Sequence[str]:
        """Return the sessions whose name something has, in order."""
        return sorted(filter(is_session, self._names(self._layout.uploads)))

    def strays(self) -> Iterator[str]:
        """Yield the places that have no name of ours, in order. What lies below one is not yielded."""
        yield from self._foreign(self._layout.blobs, lambda name: name in ALGORITHMS)
        for algorithm in ALGORITHMS:
            parent = f"{self._layout.blobs}/{algorithm}"
            yield from self._foreign(parent, _SHARDS.__contains__)
            for shard in sorted(_SHARDS):
                yield from self._foreign(self._layout.shard(algorithm, shard), _namer(algorithm, shard))
        yield from self._foreign(self._layout.uploads, is_session)

    def look(self, place: str) -> Look | None:
        """Tell what stands at a place; `None` when nothing does."""
        found = self._disk.stat(self._layout.absolute(place))
        return None if found is None else look_of(found)

    async def digest(self, place: str, algorithm: str, read: Callable[[int], None]) -> Hashed | None:
        """Return the digest of a regular file, or `None` when none is there."""
        return await self._reader.digest(self._layout.absolute(place), algorithm, read)

    async def read(self, digest: Digest, limit: int) -> bytes | None:
        """Return the first `limit` bytes of content; `None` when it is not there or cannot be read."""
        return await self._reader.read(self._layout.blob(digest), limit)

    def set_aside(self, place: str, seen: Look, name: str) -> str | None:
        """Move what was seen at a place to the quarantine, under `name` and a number; return where it is now."""
        path = self._layout.absolute(place)
        if self.look(place) != seen:
            return None
        if self._disk.make_directory(self._layout.quarantine):
            self._disk.fsync_directory(self._layout.root)
        target = self._free_name(name)
        self._disk.rename(path, target)
        moved = self._disk.stat(target)
        if moved is None or not same_file(moved, seen):
            self._disk.put_back(target, path)
            self._disk.fsync_directory(os.path.dirname(path))
            return None
        self._disk.fsync_directory(self._layout.quarantine)
        self._disk.fsync_directory(os.path.dirname(path))
        return self._layout.relative(target)

    def busy(self, session: str) -> bool:
        """Tell whether somebody writes to this session at the moment."""
        fd = self._disk.open_read(self._layout.session(session))
        if fd is None:
            return False
        try:
            return not self._disk.try_lock(fd)
        finally:
            self._disk.close(fd)

    def confirm(self, content: ContentRecord) -> bool:
        """Make content durable that has its name, and its name too. Returns whether it has."""
        return self._placement.confirm(content)

    def protect(self, place: str) -> None:
        """Give a file the mode of content."""
        self._disk.make_path_read_only(self._layout.absolute(place))

    def _names(self, directory: str) -> Sequence[str]:
        """Return the names in a directory; none when it was never made, or is no directory."""
        found = self._disk.stat(directory)
        return self._disk.names(directory) if found is not None and stat.S_ISDIR(found.st_mode) else ()

    def _foreign(self, directory: str, ours: Callable[[str], object]) -> Iterator[str]:
        """Yield what is not ours in a directory, or the directory itself when it is something else."""
        found = self._disk.stat(directory)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            yield self._layout.relative(directory)
        for name in sorted(self._names(directory)):
            if not ours(name):
                yield self._layout.relative(f"{directory}/{name}")

    def _free_name(self, name: str) -> str:
        """Return the first name of the quarantine that nothing has. Nobody else moves anything there meanwhile."""
        number = 1
        while self._disk.stat(path := self._layout.quarantined(name, number)) is not None:
            number += 1
        return path


def _namer(algorithm: str, shard: str) -> Callable[[str], object]:
    """Return what tells whether a name in this directory is that of content."""
    return re.compile(f"{shard}[0-9a-f]{{{ALGORITHMS[algorithm] - len(shard)}}}", re.ASCII).fullmatch
