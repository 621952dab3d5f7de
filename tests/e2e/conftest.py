"""Fixtures of the end-to-end tests: servers to speak to."""

from collections.abc import Iterator

import pytest

from e2e.server import Registry, serve


@pytest.fixture(scope="module", params=["plain", "tls"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server for the tests of one module, over plain HTTP and then over TLS with a private authority."""
    with serve(tmp_path_factory.mktemp("registry"), tls=request.param == "tls") as running:
        yield running
