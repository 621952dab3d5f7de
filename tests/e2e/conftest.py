"""Fixtures of the end-to-end tests: servers to speak to, images to push, places to be."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e import clients_table
from e2e.clients import Client, open_client
from e2e.commands import temporary_home
from e2e.images import Layout, write_layout, write_single_layout
from e2e.server import Registry, serve


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin a new record where this run writes the tables of docs/results/clients.md."""
    if clients_table.writing() and not _is_worker(session):
        clients_table.forget()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the tables."""
    if clients_table.writing() and not _is_worker(session):
        clients_table.write_document()


def _is_worker(session: pytest.Session) -> bool:
    return hasattr(session.config, "workerinput")


@pytest.fixture(scope="module", params=["plain", "tls"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server for the tests of one module, over plain HTTP and then over TLS with a private authority."""
    with serve(tmp_path_factory.mktemp("registry"), tls=request.param == "tls") as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """The home of the module's client, where it keeps its credentials: a new one for each server."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine_home(registry: Registry) -> Iterator[Path]:
    """A home with a short path, as sockets and podman's run folder need it, for a client that runs containers."""
    with temporary_home() as folder:
        yield folder


@pytest.fixture(scope="session")
def clients() -> Iterator[Callable[[str], Client]]:
    """Clients by name, each prepared once."""
    known: dict[str, Client] = {}
    with ExitStack() as stack:

        def find(name: str) -> Client:
            if name not in known:
                known[name] = stack.enter_context(open_client(name))
            return known[name]

        yield find


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository name that no other test uses, nested as people nest them."""
    module, function = request.function.__module__.rpartition(".")[2], request.function.__name__
    return f"{module}/{function}".removeprefix("test_").replace("_", "-")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A new multi-platform image."""
    return write_layout(tmp_path / "layout")


@pytest.fixture
def single_layout(tmp_path: Path) -> Layout:
    """A new image for one platform."""
    return write_single_layout(tmp_path / "single")
