"""Fixtures of the storage tests."""

import pytest

from simple_registry.storage.filesystem.data_directory import DataDirectory
from storage.support import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def layout(tmp_path):
    directory = DataDirectory.claim(tmp_path / "data")
    yield directory.layout
    directory.release()
