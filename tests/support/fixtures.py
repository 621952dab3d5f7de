"""Fixtures that several directories of tests import."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.front import Front
from support.stores import in_memory, on_disk
from support.time import SettableClock

MakeFront = Callable[..., Front]


@pytest.fixture
def clock() -> SettableClock:
    """A clock that only tests move."""
    return SettableClock()


@pytest.fixture(params=["memory", "disk"])
def make_front(request, tmp_path, clock) -> Iterator[MakeFront]:
    """Make an application over empty stores of each kind."""
    with ExitStack() as resources:
        if request.param == "memory":
            kept = in_memory(clock)
        else:
            kept = resources.enter_context(on_disk(tmp_path / "data", clock))

        def make(*arguments: Any, **how: Any) -> Front:
            return resources.enter_context(Front(kept, clock, *arguments, **how))

        yield make


@pytest.fixture
def front(make_front) -> Front:
    """An application with default settings, over empty stores of each kind."""
    return make_front()


@pytest.fixture
def memory_front(clock) -> Iterator[Front]:
    """An application over empty stores in memory, where the stores do not matter."""
    with Front(in_memory(clock), clock) as made:
        yield made


@pytest.fixture
def disk_front(tmp_path, clock) -> Iterator[Front]:
    """An application over empty stores on disk, where files or tables matter."""
    with on_disk(tmp_path / "data", clock) as kept, Front(kept, clock) as made:
        yield made
