"""The signing keys of a data directory: one file, readable by its owner only, shared by every process.

    {"keys": [{"kid": …, "created": seconds since the epoch, "secret": base64}, …]}     oldest first, the last one signs

The file is replaced as a whole, so a reader sees the old keys or the new ones. Writers hold the lock of a file beside
it. Removing the file invalidates every token that its keys signed; the next check creates a new one.
"""

import base64
import binascii
import itertools
import logging
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from simple_registry.access.signed_tokens import SigningKey
from simple_registry.clock import Clock
from simple_registry.faults import DataDirectoryRefused, StorageFault, StorageReadOnly
from simple_registry.storage.filesystem.disk import Disk

logger = logging.getLogger("simple_registry")

CHECK_INTERVAL = 1.0
"""Seconds between two checks for a change of the file."""

SECRET_SIZE = 32
_MAX_SIZE = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_Mark = tuple[int, int, int, int]
"""Inode, size, time and mode: they differ between versions of the file."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    kid: str
    created: float
    secret: str

    def __repr__(self) -> str:
        return f"_Entry({self.kid})"


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[_Entry]


class KeyFile:
    """Signing keys in a file, which takes microseconds to read and is read again when it changes.

    Methods raise DataDirectoryRefused or StorageFault when there are no keys, from an earlier read either.
    """

    def __init__(
        self, path: str, clock: Clock, disk: Disk | None = None, new_secret: Callable[[], bytes] | None = None
    ) -> None:
        """Keep keys at `path`. Nothing is read or created yet."""
        self._path = path
        self._clock = clock
        self._disk = disk or Disk()
        self._new_secret = new_secret or (lambda: secrets.token_bytes(SECRET_SIZE))
        self._keys: Sequence[SigningKey] = ()
        self._mark: _Mark | None = None
        self._checked_at = float("-inf")

    def prepare(self) -> None:
        """Create the file if it is missing, and require that it can be used. Called at start."""
        self._check()

    def keys(self) -> Sequence[SigningKey]:
        """Return all keys, oldest first."""
        self._refresh(CHECK_INTERVAL)
        return self._keys

    def current(self) -> SigningKey:
        """Return the key that signs."""
        return self.keys()[-1]

    def find(self, kid: str) -> SigningKey | None:
        """Return the key with this id, even if another process has just created it."""
        return self._find(self.keys(), kid) or self._find(self._refresh(0), kid)

    def rotate(self, now: float, keep: float) -> SigningKey:
        """Make a new key that signs from now on; drop those that have not signed for `keep` seconds.

        Blocks on the disk: not for the event loop. Raises: DataDirectoryRefused, StorageFault.
        """
        with self._locked():
            keys = self._read_or_none() or ()
            # A key signed until its successor was made.
            kept = [key for key, later in itertools.pairwise(keys) if later.created > now - keep]
            new = self._new_key(now)
            self._write([*kept, *keys[-1:], new])
            self._check()
        return new

    @staticmethod
    def _find(keys: Sequence[SigningKey], kid: str) -> SigningKey | None:
        return next((key for key in keys if key.kid == kid), None)

    def _refresh(self, interval: float) -> Sequence[SigningKey]:
        """Check the file unless that was done within `interval`. If it is unusable, keep the present keys."""
        now = self._clock.monotonic()
        if now - self._checked_at >= interval:
            self._checked_at = now
            try:
                self._check()
            except StorageFault:
                if not self._keys:
                    self._checked_at = float("-inf")
                    raise
                logger.exception("the signing keys cannot be read again; the present ones stay in use")
        return self._keys

    def _check(self) -> None:
        """Read the file if it changed, and create it if it is missing."""
        mark = self._current_mark()
        if mark is None:
            try:
                self._create()
            except StorageReadOnly as fault:
                raise DataDirectoryRefused(
                    self._path, "it is missing, and the disk is read-only; restore it, or set web.tokenSecret"
                ) from fault
            mark = self._current_mark()
        if mark != self._mark or not self._keys:
            self._mark = mark  # first, so that an unreadable file is reported once
            self._keys = self._read_or_none() or self._keys

    def _create(self) -> None:
        with self._locked():
            if self._disk.stat(self._path) is None:
                self._write([self._new_key(self._clock.now())])

    def _current_mark(self) -> _Mark | None:
        known = self._disk.stat(self._path)
        return None if known is None else (known.st_ino, known.st_size, known.st_mtime_ns, known.st_mode)

    def _new_key(self, now: float) -> SigningKey:
        return SigningKey(secrets.token_hex(8), self._new_secret(), now)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock for changes of the file."""
        lock = self._disk.open_write(f"{self._path}.lock")
        try:
            self._disk.lock(lock)
            yield
        finally:
            self._disk.close(lock)

    def _read_or_none(self) -> Sequence[SigningKey] | None:
        fd = self._disk.open_read(self._path)
        if fd is None:
            return None
        try:
            mode = self._disk.stat_open(fd).st_mode
            data = self._disk.read(fd, _MAX_SIZE, 0)
        finally:
            self._disk.close(fd)
        if not stat.S_ISREG(mode):
            raise DataDirectoryRefused(self._path, "it is not a file; remove it")
        if mode & _OTHERS:
            raise DataDirectoryRefused(
                self._path,
                "other users than its owner may read the signing keys; remove the file to have a new one created",
            )
        try:
            return _keys(data)
        except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
            # Neither the text nor the cause is shown: they may hold a key.
            raise DataDirectoryRefused(
                self._path, f"it holds no signing keys ({type(error).__name__}); remove it to have a new one created"
            ) from None

    def _write(self, keys: Sequence[SigningKey]) -> None:
        entries = [_Entry(key.kid, key.created, base64.b64encode(key.secret).decode("ascii")) for key in keys]
        data = msgspec.json.format(msgspec.json.encode(_Document(entries))) + b"\n"
        self._disk.replace(self._path, data)


def _keys(data: bytes) -> Sequence[SigningKey]:
    """Return the keys of a file.

    Raises: msgspec.MsgspecError, binascii.Error, ValueError.
    """
    document = msgspec.json.decode(data, type=_Document)
    keys = [
        SigningKey(entry.kid, base64.b64decode(entry.secret, validate=True), entry.created) for entry in document.keys
    ]
    if not keys or any(len(key.secret) < SECRET_SIZE for key in keys):
        raise ValueError("no keys, or a short one")
    return keys
