"""The only place where paths of the data directory are built, and only from parsed values.

<root>/format                           which format this directory has, and that it is ours
<root>/server.lock                      held by the server that uses the directory
<root>/registry.db                      rows (with SQLite's -wal and -shm beside it)
<root>/registry.db.lock                 the queue of processes that want to write rows
<root>/signing-keys.json                keys that sign tokens (with a .lock beside it)
<root>/logins.jsonl                     which users logged in from where, and when last
<root>/blobs/<algorithm>/<2 hex>/<hex>  content
<root>/uploads/<session>                bytes of open upload sessions
<root>/quarantine/<name>.<number>       what `fsck` moved out of the way
<root>/uploads.lock                     a byte to lock for each of them (made beside the rows)
"""

import os
import re

from simple_registry.oci.digests import ALGORITHMS, Digest

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.:-]", re.ASCII)
_SHARD = re.compile(r"[0-9a-f]{2}", re.ASCII)
_ENCODED = re.compile(r"[0-9a-f]{64,128}", re.ASCII)

MAX_NAME = 200
"""Characters of a name that the quarantine keeps; the longest digest has 135."""


class Layout:
    """Names the files of one data directory."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Build paths below `root`, made absolute so that a later change of directory means nothing."""
        self.root = os.path.abspath(root)
        self.format = f"{self.root}/format"
        self.server_lock = f"{self.root}/server.lock"
        self.database = f"{self.root}/registry.db"
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
        """Return where content with this digest is kept.

        Raises: ValueError for a digest that was never parsed.
        """
        return f"{self.blob_directory(digest)}/{digest.encoded}"

    def blob_directory(self, digest: Digest) -> str:
        """Return the directory of `blob`.

        Raises: ValueError for a digest that was never parsed.
        """
        if digest.algorithm not in ALGORITHMS or _ENCODED.fullmatch(digest.encoded) is None:
            raise ValueError("no path is built from a digest that was not parsed")
        return f"{self.blobs}/{digest.algorithm}/{digest.encoded[:2]}"

    def shard(self, algorithm: str, shard: str) -> str:
        """Return the directory of all content whose digest begins with these two digits.

        Raises: ValueError for other words.
        """
        if algorithm not in ALGORITHMS or _SHARD.fullmatch(shard) is None:
            raise ValueError("no path is built from what begins no digest")
        return f"{self.blobs}/{algorithm}/{shard}"

    def quarantined(self, name: str, number: int) -> str:
        """Return a place in the quarantine; `name` may be anything, and is kept as far as it can stand in a path."""
        return f"{self.quarantine}/{_UNUSUAL.sub('_', name)[:MAX_NAME]}.{number}"

    def relative(self, path: str) -> str:
        """Return a path of this directory as seen from its root."""
        return path.removeprefix(f"{self.root}/")

    def absolute(self, place: str) -> str:
        """Return the path of what `relative` gave."""
        return f"{self.root}/{place}"

    def session(self, session: str) -> str:
        """Return where the bytes of a session are kept.

        Raises: ValueError for what cannot be a session's name.
        """
        if not is_session(session):
            raise ValueError("no path is built from a session name that was not checked")
        return f"{self.uploads}/{session}"


def is_session(name: str) -> bool:
    """Tell whether `name` can be the name of an upload session."""
    return _SESSION.fullmatch(name) is not None
