"""Browsers at registries in memory; those of stores on disk where tables matter."""

import pytest

from support.fixtures import clock, disk_front, front, make_front, memory_front
from support.pages import Browser

__all__ = ["clock", "disk_front", "front", "make_front", "memory_front"]


@pytest.fixture
def browser(memory_front):
    """A browser that is not signed in, at a registry without an anonymous user."""
    return Browser(memory_front)


@pytest.fixture
def admin(memory_front):
    """A browser of the administrator."""
    return Browser(memory_front).sign_in()
