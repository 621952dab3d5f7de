"""Our registry with one bug in it, for harnesses to catch: `python -m faults.planted <bug> serve …`.

Each bug is a function that replaces one thing before the program starts. They are the ways in which registries do lose
data: what PITFALLS of others taught, one line each.
"""

import sys
from collections.abc import Callable

from simple_registry.cli.main import main
from simple_registry.storage.filesystem.disk import Disk

BUGS: dict[str, Callable[[], None]] = {}


def bug(plant: Callable[[], None]) -> Callable[[], None]:
    """Give a bug the name of its function, with hyphens."""
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


def _nothing(*_: object) -> None:
    return None


@bug
def no_data_fsync() -> None:
    """Bytes get their name without being on disk."""
    Disk.fsync = _nothing


@bug
def no_directory_fsync() -> None:
    """Names are not on disk."""
    Disk.fsync_directory = _nothing


if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
