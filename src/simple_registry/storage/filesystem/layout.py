"""The only place where paths of the data directory are built, and only from parsed values.

<root>/format                           which format this directory has, and that it is ours
<root>/server.lock                      held by the server that uses the directory
<root>/registry.db                      rows (with SQLite's -wal and -shm beside it)
<root>/registry.db.lock                 the queue of processes that want to write rows
<root>/signing-keys.json                keys that sign tokens (with a .lock beside it)
<root>/blobs/<algorithm>/<2 hex>/<hex>  content
<root>/uploads/<session>                bytes of open upload sessions
"""

import os
import re

from simple_registry.oci.digests import ALGORITHMS, Digest

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_ENCODED = re.compile(r"[0-9a-f]{64,128}", re.ASCII)


class Layout:
    """Names the files of one data directory."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Build paths below `root`, made absolute so that a later change of directory means nothing."""
        self.root = os.path.abspath(root)  # noqa: PTH100 (paths are plain strings on the hot path)
        self.format = f"{self.root}/format"
        self.server_lock = f"{self.root}/server.lock"
        self.database = f"{self.root}/registry.db"
        self.signing_keys = f"{self.root}/signing-keys.json"
        self.blobs = f"{self.root}/blobs"
        self.uploads = f"{self.root}/uploads"

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
