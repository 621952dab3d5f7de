"""Fixtures of the tests in a browser: a Chromium, a registry full of content, and an empty one that is closed."""

import pytest

from browser.site import open_closed, open_site
from browser.visits import BrowserMissing, open_browser
from e2e.commands import unavailable


@pytest.fixture(scope="session")
def browser():
    """The machine's Chromium; without one, tests are skipped as those of missing clients are."""
    try:
        with open_browser() as running:
            yield running
    except BrowserMissing as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The registry with content of every kind. What a test changes there, it has pushed itself."""
    with open_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def closed(tmp_path_factory):
    """An empty registry without the user `anonymous`."""
    with open_closed(tmp_path_factory.mktemp("closed")) as running:
        yield running


@pytest.fixture
def repository(request):
    """A repository name below `shop/` that no other test uses."""
    module, function = request.function.__module__.rpartition(".")[2], request.function.__name__
    return f"shop/{module}/{function}".replace("test_", "").replace("_", "-")
