"""The application of one worker: its services behind HTTP, and its background work."""

import time

import pytest

from simple_registry.access.rules import AccessRules
from simple_registry.application import build, load_logins
from simple_registry.authentication.login_memory import LoginMemory
from simple_registry.backends import local
from simple_registry.clock import SystemClock
from simple_registry.config.load import Configured, follow_documents
from simple_registry.config.settings import Administrator, Secret, Settings
from simple_registry.metrics.processes import Processes
from simple_registry.metrics_wiring import LAYOUT
from simple_registry.oci.digests import digest_of
from simple_registry.operator_warnings import About
from support.front import PASSWORD_HASH, Front
from support.stores import behind, in_memory
from support.time import SettableClock


@pytest.fixture
def front():
    clock = SettableClock()
    return Front(in_memory(clock), clock, rules=AccessRules())


@pytest.fixture
def settings(tmp_path):
    """Settings of a data directory that is claimed."""
    settings = Settings(data_dir=tmp_path / "data", administrator=Administrator("admin", Secret(PASSWORD_HASH)))
    claim = local.claim(settings.data_dir)
    yield settings
    claim.release()


def built(settings, worker):
    configured = Configured(settings, follow_documents(settings.config_dirs, settings.administrator))
    return build(configured, worker, Processes(LAYOUT, 2), LoginMemory())


def test_a_registry_without_users_refuses_all_logins(front):
    with front:
        assert front.get("/v2/").status == 401
        assert front.get("/v2/", user="", password="").status == 401
        assert front.get("/healthz", user=None).status == 200


def test_only_one_worker_does_maintenance(settings):
    kinds = [[type(work).__name__ for work in built(settings, worker).background] for worker in (0, 1)]
    every = ["Measures", "OperatorWarnings", "LiveAccess", "Pulls", "KeyRefresh"]
    assert kinds == [[*every, "Maintenance", "Scrub"], every]


def test_only_one_worker_logs_warnings(settings):
    assert [built(settings, worker).services.warnings.logs for worker in (0, 1)] == [True, False]


def test_a_worker_warns_while_the_last_reload_failed(settings):
    configured = Configured(settings, follow_documents(settings.config_dirs, settings.administrator))
    processes = Processes(LAYOUT, 1)
    warnings = build(configured, 0, processes, LoginMemory()).services.warnings
    assert About.RELOAD not in warnings.current()
    processes.reloaded(done=False)
    assert warnings.current()[About.RELOAD].text.startswith("reloads have failed since 20")
    processes.reloaded(done=True)
    assert About.RELOAD not in warnings.current()


def test_each_worker_serves_the_claimed_directory(settings):
    for worker in (0, 1):
        application = built(settings, worker)
        with Front(behind(application.services.stores), SettableClock(), settings) as front:
            if worker == 0:
                front.push_blob("a", b"kept")
            assert front.get(f"/v2/a/blobs/{digest_of(b'kept')}").body == b"kept"


def test_a_login_is_found_at_the_next_start(settings):
    today = int(time.time() // 86_400)
    local.open_login_file(settings.data_dir, SystemClock(), keep_days=30).add("ada", "192.0.2.0", today)
    logins = load_logins(settings)
    assert logins.known.find(logins.mark("ada", "192.0.2.0"))[0] == today


def test_stopping_closes_the_connections_to_issuers(front, monkeypatch):
    closed = []
    with front:

        async def close():
            closed.append(True)

        monkeypatch.setattr(front.services.trust.external, "close", close)
    assert closed == [True]
