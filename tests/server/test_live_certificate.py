"""The certificate of new connections follows its files; an invalid one is never used."""

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import time
from dataclasses import replace

import pytest

from simple_registry.config.settings import Tls
from simple_registry.config.tls import Certificate
from simple_registry.config.values import ConfigError
from simple_registry.server import live_certificate
from simple_registry.server.live_certificate import LiveCertificate, _paths, follow_certificate
from support.busy_threads import run_beside_busy_threads


@pytest.fixture
def live(certificate):
    """A live certificate, and a function that writes another one to its files."""
    _, chain, key = certificate()
    tls = Tls(chain, key)
    return LiveCertificate(tls, follow_certificate(tls)), lambda: certificate("other"), tls


def poll(live, times=1):
    async def run():
        for _ in range(times):
            await live.poll()

    asyncio.run(run())


def test_unchanged_files_keep_the_context(live):
    certificate, _, _ = live
    before = certificate.context()
    poll(certificate, 3)
    assert certificate.context() is before


def test_a_look_uses_a_thread_of_its_own(live):
    certificate, write, _ = live
    before = certificate.context()
    write()
    run_beside_busy_threads(certificate.poll)
    run_beside_busy_threads(certificate.poll)
    assert certificate.context() is not before


def test_a_new_certificate_is_used_once_it_is_stable(live, caplog):
    certificate, write, _ = live
    before = certificate.context()
    write()
    poll(certificate)
    assert certificate.context() is before  # it may be incomplete
    with caplog.at_level("INFO", "simple_registry"):
        poll(certificate)
    assert certificate.context() is not before
    assert "the certificate was replaced" in caplog.text


def test_an_invalid_certificate_leaves_the_old_one_and_is_logged_once(live, caplog):
    certificate, write, tls = live
    before = certificate.context()
    tls.key.write_text("half a ke")
    poll(certificate, 5)
    assert certificate.context() is before
    assert caplog.text.count("the certificate was not replaced, the old one stays in use") == 1
    write()
    poll(certificate, 2)
    assert certificate.context() is not before


def test_the_old_certificate_stays_when_its_files_are_removed(live):
    certificate, _, tls = live
    before = certificate.context()
    tls.certificate.unlink()
    poll(certificate, 3)
    assert certificate.context() is before


def test_a_certificate_that_ends_soon_has_a_warning(live):
    _, write, tls = live
    followed = follow_certificate(tls)
    followed.value = replace(followed.value, begins=0.0, ends=time.time() + 3.5 * 86_400)
    ending = LiveCertificate(tls, followed)
    assert ending.expiry_warning().endswith("in 3 days; renew it")
    write()
    poll(ending, 2)
    assert ending.expiry_warning() is None


def test_a_renewed_certificate_has_its_own_end(live):
    _, write, tls = live
    followed = follow_certificate(tls)
    followed.value = replace(followed.value, ends=1.0)
    certificate = LiveCertificate(tls, followed)
    assert certificate.ends() == 1.0
    write()
    poll(certificate, 2)
    assert certificate.ends() == follow_certificate(tls).value.ends


def test_a_certificate_without_a_usable_context_is_refused(live, monkeypatch):
    certificate, write, tls = live
    before = certificate.context()

    def refuses(_):
        raise ssl.SSLError(1, "ee key too small")

    monkeypatch.setattr(live_certificate, "tls_context", refuses)
    write()
    poll(certificate, 2)
    assert certificate.context() is before
    with pytest.raises(ConfigError, match=rf"the certificate {tls.certificate} cannot be used: .*ee key too small"):
        follow_certificate(tls)


def test_a_worker_that_starts_with_an_older_certificate_loads_the_current_one(live):
    _, write, tls = live
    older = follow_certificate(tls)
    write()  # as for a worker that is forked afterwards
    started = LiveCertificate(tls, older)
    before = started.context()
    poll(started, 2)
    assert started.context() is not before


def test_paths_of_keys_are_temporary():
    with _paths(Certificate(b"chain", b"key")) as (chain, key):
        assert (chain.read_bytes(), key.read_bytes()) == (b"chain", b"key")
    assert not chain.exists()
    assert not key.exists()


def test_without_memory_files_only_the_owner_may_read_the_key(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    with _paths(Certificate(b"chain", b"key")) as (chain, key):
        assert (chain.read_bytes(), key.read_bytes()) == (b"chain", b"key")
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert not key.exists()


def test_a_running_worker_uses_the_new_certificate(start, certificate):
    authority, chain, key = certificate()
    process = start("-workers", "1", "-cert", str(chain), "-key", str(key)).ready()
    workers = process.workers()
    kept = process.connection(authority)
    kept.request("GET", "/")
    kept.getresponse().read()

    other, _, _ = certificate("other")
    process.until_log("the certificate was replaced")
    assert process.get(authority=other)[3] == "https"
    kept.request("GET", "/")  # an older connection stays open
    assert kept.getresponse().status == 200
    kept.close()
    assert process.workers() == workers
    assert float((process.data / "certificate-ends").read_text()) > time.time()
    with (
        pytest.raises(ssl.SSLError),
        contextlib.closing(socket.create_connection((process.host, process.port))) as sock,
    ):
        ssl.create_default_context(cadata=authority).wrap_socket(sock, server_hostname="localhost")


def test_files_are_checked_every_second():
    assert live_certificate.INTERVAL == 1.0
