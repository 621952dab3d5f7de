"""File systems on loop devices, for tests of what only some of them can do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = 512 << 20
"""Bytes of the disk, a sparse file; XFS needs 300 MiB."""


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """Make a file system and mount it for the block; skip the test where that cannot be done."""
    if os.geteuid() != 0 or shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"needs root and mkfs.{kind}")
    image, path = folder / f"{kind}.img", folder / kind
    image.touch()
    os.truncate(image, SIZE)
    path.mkdir()
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True, capture_output=True)
    done = subprocess.run(["mount", "-o", "loop", image, path], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{kind} cannot be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)
