"""What `stat` tells of a file, as the `Look` that `fsck` compares."""

import os
import stat

from simple_registry.storage.filesystem.disk import NAMED_FILE
from simple_registry.storage.inventory import Look

_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def look_of(found: os.stat_result) -> Look:
    """Return what `stat` told as a look."""
    return Look(
        regular=stat.S_ISREG(found.st_mode),
        readable=stat.S_IMODE(found.st_mode) & _READABLE != 0,
        read_only=stat.S_IMODE(found.st_mode) == NAMED_FILE,
        size=found.st_size,
        changed=found.st_ctime,
        identity=(found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns),
    )


def same_file(found: os.stat_result, seen: Look) -> bool:
    """Tell whether this is the file that was seen, whatever name it has now."""
    return (found.st_dev, found.st_ino) == seen.identity[:2]
