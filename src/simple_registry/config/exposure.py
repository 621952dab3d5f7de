"""Files that hold secrets and that every user of the machine may read: allowed, and worth a warning."""

import stat
from pathlib import Path


def exposure(path: Path, what: str) -> tuple[str, ...]:
    """Return a warning when every user may read the file of `what` at `path`. The group may: a service is in one."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ()
    return (f"every user of this machine may read {what} {path}; use chmod o-r",) if mode & stat.S_IROTH else ()
