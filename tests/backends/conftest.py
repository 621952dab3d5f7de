"""A server over a data directory, in this process."""

import pytest

from support.front import Front
from support.stores import on_disk
from support.time import SettableClock


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def front(data_dir, clock):
    with on_disk(data_dir, clock) as kept, Front(kept, clock) as front:
        yield front


class Watch:
    """Counts, and calls `at` after each content."""

    def __init__(self, at=lambda: None):
        self.contents = self.size = self.bytes = self.count = 0
        self._at = at

    def begin(self, contents, size):
        self.contents, self.size = contents, size

    def read(self, size):
        self.bytes += size

    def done(self):
        self.count += 1
        self._at()


@pytest.fixture
def watching():
    """Return the class of watches."""
    return Watch
