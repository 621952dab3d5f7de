"""What the tests of campaigns share: every test below is marked `faults`, and prints what it measured."""

import os
from pathlib import Path

import pytest

from faults import strace
from faults.scores import Scale

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def scale():
    return Scale(os.environ.get("FAULTS_SCALE", Scale.QUICK))


@pytest.fixture(scope="session")
def tracing():
    """For tests that need strace: they are skipped where it is missing, and fail there in CI."""
    missing = strace.why_not()
    if missing is not None and os.environ.get("CI") == "true":
        pytest.fail(f"{missing}, and these tests count in CI")
    if missing is not None:
        pytest.skip(missing)
