"""Paths of the data directory, built from parsed values only.

<root>/format                           the marker of a data directory, with its format
<root>/server.lock                      held by the server that uses the directory
<root>/registry.db                      rows (with SQLite's -wal and -shm beside it)
<root>/registry.db.lock                 the lock of writers, for which processes queue
<root>/snapshots/registry-<time>.db     copies of the rows
<root>/signing-keys.json                keys that sign tokens (with a .lock beside it)
<root>/logins.jsonl                     users, their networks, and the day of their last login
<root>/blobs/<algorithm>/<2 hex>/<hex>  content
<root>/uploads/<session>                bytes of open upload sessions
<root>/uploads.lock                     one byte to lock for each session (created with the rows)
<root>/quarantine/<name>.<number>       files that `fsck` moved out of the way
"""

import os
import re

from simple_registry.oci.digests import ALGORITHMS, Digest

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.:-]", re.ASCII)
_SHARD = re.compile(r"[0-9a-f]{2}", re.ASCII)
_ENCODED = re.compile(r"[0-9a-f]{64,128}", re.ASCII)

MAX_NAME = 200
"""Characters of a name in the quarantine; the longest digest has 135."""


class Layout:
    """The paths of one data directory. A digest, prefix or session that was not parsed is a ValueError."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Build paths below `root`, made absolute so that they do not depend on the current directory."""
        self.root = os.path.abspath(root)
        self.format = f"{self.root}/format"
        self.server_lock = f"{self.root}/server.lock"
        self.database = f"{self.root}/registry.db"
        self.snapshots = f"{self.root}/snapshots"
        self.signing_keys = f"{self.root}/signing-keys.json"
        self.logins = f"{self.root}/logins.jsonl"
        self.blobs = f"{self.root}/blobs"
        self.uploads = f"{self.root}/uploads"
        self.quarantine = f"{self.root}/quarantine"

    def directories(self) -> list[str]:
        """Return the directories that always exist below the root, parents first."""
        return [self.blobs, *self.algorithms(), self.uploads]

    def algorithms(self) -> list[str]:
        """Return the directories that hold the content of one algorithm each."""
        return [f"{self.blobs}/{algorithm}" for algorithm in ALGORITHMS]

    def blob(self, digest: Digest) -> str:
        """Return the path of content."""
        return f"{self.blob_directory(digest)}/{digest.encoded}"

    def blob_directory(self, digest: Digest) -> str:
        """Return the directory of `blob`."""
        if digest.algorithm not in ALGORITHMS or _ENCODED.fullmatch(digest.encoded) is None:
            raise ValueError("no path is built from a digest that was not parsed")
        return f"{self.blobs}/{digest.algorithm}/{digest.encoded[:2]}"

    def shard(self, algorithm: str, shard: str) -> str:
        """Return the directory of all content whose digest begins with these two digits."""
        if algorithm not in ALGORITHMS or _SHARD.fullmatch(shard) is None:
            raise ValueError("not a digest prefix")
        return f"{self.blobs}/{algorithm}/{shard}"

    def quarantined(self, name: str, number: int) -> str:
        """Return a path in the quarantine. `name` may be any text; unusual characters of it are replaced."""
        return f"{self.quarantine}/{_UNUSUAL.sub('_', name)[:MAX_NAME]}.{number}"

    def relative(self, path: str) -> str:
        """Return a path relative to the root."""
        return path.removeprefix(f"{self.root}/")

    def session(self, session: str) -> str:
        """Return the path of a session's bytes."""
        if not is_session(session):
            raise ValueError("no path is built from a session name that was not checked")
        return f"{self.uploads}/{session}"


def is_session(name: str) -> bool:
    """Return whether `name` can be the name of an upload session."""
    return _SESSION.fullmatch(name) is not None
