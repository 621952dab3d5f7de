"""Quotas: each client shows the registry's numbers, ends at once, and fails; under the limit it pushes.

full/…     no room for a layer        refused while layers are sent
tagged/…   room for one tag           refused with the manifest, when all layers are there
"""

import time

import pytest

from e2e.scenarios import CLIENTS, Account
from e2e.server import PASSWORD, USERNAME, serve

pytestmark = pytest.mark.clients

QUOTAS = """\
kind: Quota
metadata: {name: full}
spec: {scopes: ["^full/"], per: repository, limits: {bytes: 100}}
---
kind: Quota
metadata: {name: tagged}
spec: {scopes: ["^tagged/"], per: repository, limits: {bytes: 100MB, tags: 1}}
"""
SECONDS = 30
"""A client that tries again and again takes longer."""

LOG_SECONDS = 5
"""Lines of the access log are written together."""

MAX_REFUSALS = 12
"""Two layers and a config, each tried several times."""

SILENT = {"ctr": "403 Forbidden", "regctl": "404"}
"""What clients say that do not show the message of a refused layer; regctl tries the upload again, which ended."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A server with these quotas."""
    with serve(tmp_path_factory.mktemp("registry"), configuration=QUOTAS) as running:
        yield running


@pytest.fixture
def push(name, clients, registry, tmp_path):
    """Push the client's image or chart, as the administrator."""
    client = clients(name)
    session = client.at(registry, tmp_path, Account(USERNAME, PASSWORD))
    session.log_in()
    return lambda repository, tag: session.push(f"{repository}/{name}/{client.repository}", tag)


def refusals(registry, repository):
    """Return the number of refused requests to a repository, as the access log has them a moment later."""
    deadline, found = time.monotonic() + LOG_SECONDS, 0
    while not found and time.monotonic() < deadline:
        time.sleep(0.1)
        lines = [line.replace(" ", "") for line in registry.log.read_text().splitlines()]
        found = sum('"status":403' in line and f"/v2/{repository}/" in line for line in lines)
    return found


@pytest.mark.parametrize("name", CLIENTS)
def test_a_layer_that_does_not_fit_is_refused_at_once_and_with_numbers(registry, push, name):
    begun = time.monotonic()

    attempt = push("full", "1.0.0")

    assert not attempt.accepted
    assert SILENT.get(name, 'quota "full": 0 B of 100 B used') in attempt.said.replace("\\", "")
    assert time.monotonic() - begun < SECONDS
    assert 1 <= refusals(registry, f"full/{name}") <= MAX_REFUSALS


@pytest.mark.parametrize("name", [name for name in CLIENTS if name != "helm"])  # a chart has one tag: its version
def test_a_tag_too_many_is_refused_with_numbers_and_the_first_one_stays(registry, push, name):
    assert push("tagged", "1.0.0").accepted
    begun = time.monotonic()

    attempt = push("tagged", "2.0.0")

    assert not attempt.accepted
    assert ("403" if name == "ctr" else 'quota "tagged": 1 of 1 tags used') in attempt.said.replace("\\", "")
    assert time.monotonic() - begun < SECONDS
    assert registry.digest(f"tagged/{name}/app", "2.0.0") is None
    assert registry.digest(f"tagged/{name}/app", "1.0.0") is not None
