"""`serve`: from the command line to a running registry.

    settings ─► certificate ─► sockets ─► data directory ─► administrator ─► workers

Steps that leave nothing on disk come first: a wrong flag or a port in use creates no data directory.
"""

import ctypes
import logging
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from simple_registry import application
from simple_registry.access.rules import AccessRules
from simple_registry.backends import local
from simple_registry.cli.first_run import first_administrator
from simple_registry.cli.following import Following
from simple_registry.cli.options import CommandLine
from simple_registry.config.administrator import given_administrator
from simple_registry.config.configuration import settings_of
from simple_registry.config.followed import Followed
from simple_registry.config.load import Configured, follow_documents
from simple_registry.config.settings import Certificate, ChallengeMode, Settings, Tls
from simple_registry.config.values import TcpAddress
from simple_registry.metrics.processes import Processes
from simple_registry.metrics_wiring import LAYOUT
from simple_registry.networks import is_loopback
from simple_registry.server.audit_file import check_audit_file
from simple_registry.server.listeners import Listeners, ListenFault, inherited_listeners, open_listeners
from simple_registry.server.logging import configure_logging, write_errors_at_once
from simple_registry.server.service_manager import ServiceManager
from simple_registry.server.supervisor import Supervisor

LARGE_PIECE = 512 * 1024
"""Bytes from which malloc maps each piece separately: above the size of reads, below that of large answers."""
SPARE_HEAP = 8 * LARGE_PIECE
"""Free bytes kept at the end of the heap, so that it does not shrink after each read and grow for the next."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""As in malloc.h."""

_log = logging.getLogger(__name__)


class Claim(Protocol):
    """The claim of the data directory."""

    def report(self, url: str, reloads: int, outcome: str) -> None:
        """Write down an address of the server, how many reloads ended, and the outcome of the last one."""


def serve(line: CommandLine) -> int:
    """Run the registry until a signal stops it. Return the exit code.

    Raises: ConfigError, ListenFault, StorageFault when the data directory cannot be used, StartFault.
    """
    write_errors_at_once()
    configured = read_configuration(line)
    settings = configured.settings
    configure_logging(settings.log_level, settings.log_format)
    check_audit_file(settings.audit)
    listeners = _open(settings)
    try:
        manager = ServiceManager(os.environ)
        make_keys = settings.web.token_secret is None
        claim = local.claim(settings.data_dir, make_keys=make_keys, upgrading=manager.upgrading)
        return _run(line, configured, listeners, manager, claim)
    finally:
        listeners.close()


def _open(settings: Settings) -> Listeners:
    """Open all listening sockets."""
    count = settings.workers or _cores()
    listeners = inherited_listeners(os.environ, count) or open_listeners(settings.addr, count)
    if settings.metrics_addr is None:
        return listeners
    try:
        return replace(listeners, metrics=open_listeners([settings.metrics_addr], 1, existing=listeners))
    except ListenFault as fault:
        listeners.close()
        raise fault.about("-metrics-addr") from None


def _run(line: CommandLine, configured: Configured, listeners: Listeners, manager: ServiceManager, claim: Claim) -> int:
    """Supervise workers. `claim` holds the data directory until this returns."""
    data_dir, url = configured.settings.data_dir, _url(configured, listeners)
    following = Following(data_dir)

    def begin(configured: Configured) -> Configured:
        following.begin(configured)
        warn(configured)
        return configured

    def reread(before: Configured) -> Configured:
        found = _with_users(read_configuration(line, before), data_dir, url)
        check_audit_file(found.settings.audit)
        configure_logging(found.settings.log_level, found.settings.log_format)
        return begin(found)

    configured = begin(_with_users(configured, data_dir, url))
    _allow_many_connections()
    _give_memory_back()
    try:
        processes = Processes(LAYOUT, len(listeners.workers))
        supervisor = Supervisor(
            configured,
            listeners,
            build=partial(application.build, processes=processes, logins=application.load_logins(configured.settings)),
            reread=reread,
            follow=following.poll,
            processes=processes,
            manager=manager,
            report=claim.report,
        )
        return supervisor.run()
    finally:
        del claim


def _with_users(found: Configured, data_dir: Path, url: str) -> Configured:
    """Return the configuration, with the administrator of the first start if there is no other user."""
    if found.settings.administrator is not None or found.documents.value.named_users:
        return found
    administrator = first_administrator(data_dir, url, sys.stderr)
    documents = follow_documents(found.settings.config_dirs, administrator, found.documents)
    return replace(found, settings=replace(found.settings, administrator=administrator), documents=documents)


def read_configuration(line: CommandLine, before: Configured | None = None) -> Configured:
    """Read the configuration from flags, variables and files, reusing unchanged files of `before`. Changes nothing.

    Raises: ConfigError.
    """
    administrator = given_administrator(line.flags, line.environment)
    documents = follow_documents(line.config_dirs, administrator, before.documents if before else None)
    loaded = documents.value
    settings = settings_of(
        loaded.configuration,
        line.flags,
        line.environment,
        config_dirs=line.config_dirs,
        administrator=administrator,
    )
    settings = replace(
        settings, warnings=(*settings.warnings, *loaded.warnings, *_realm_warning(settings, loaded.rules))
    )
    return Configured(settings, documents, _certificate(settings.tls))


def _realm_warning(settings: Settings, rules: AccessRules) -> Sequence[str]:
    """Return a warning if challenges cannot name the URL of `/token`, for lack of the registry's own URL."""
    web = settings.web
    bearer = web.challenge is ChallengeMode.BEARER or (
        rules.anonymous is not None and web.challenge is ChallengeMode.AUTO
    )
    if settings.tls is not None or web.external_url is not None or web.trusted_proxies or not bearer:
        return ()
    warning = (
        "clients that do not reach the registry as localhost are asked for Basic credentials, not sent to /token: "
        "there is no TLS here, and the registry does not know whether a proxy does TLS; set web.externalURL or "
        "web.trustedProxies"
    )
    return (warning,)


def _certificate(tls: Tls | None) -> Followed[Certificate] | None:
    if tls is None:
        return None
    # Imported only if there is TLS: it takes a fifth of the time of a start.
    from simple_registry.server.live_certificate import follow_certificate  # noqa: PLC0415

    return follow_certificate(tls)


def warn(configured: Configured) -> None:
    """Log configuration warnings."""
    for warning in warnings_of(configured):
        _log.warning("%s", warning)


def warnings_of(configured: Configured) -> Iterator[str]:
    """Yield configuration warnings, such as of a certificate that clients reject or unencrypted passwords.

    What may change while the server runs, such as the end of the certificate, is a matter of `operator_warnings`.
    """
    yield from configured.settings.warnings
    if configured.certificate is not None:
        yield from configured.certificate.value.warnings
    exposed = [addr for addr in configured.settings.addr if isinstance(addr, TcpAddress) and not is_loopback(addr.host)]
    if configured.certificate is None and exposed:
        yield (
            "passwords and content travel unencrypted: there is no TLS and the address is not a loopback one; "
            "give -cert and -key, or listen on 127.0.0.1 behind a proxy that does TLS"
        )
    metrics = configured.settings.metrics_addr
    if isinstance(metrics, TcpAddress) and not is_loopback(metrics.host):
        yield "every client that reaches the address of -metrics-addr can read the metrics; there is no login"


def _url(configured: Configured, listeners: Listeners) -> str:
    """Return the URL of the registry for a client on this machine."""
    url = listeners.urls(tls=configured.certificate is not None)[0]
    return url.replace("://0.0.0.0:", "://localhost:").replace("://[::]:", "://localhost:")


def _cores() -> int:
    """Return the number of cores that this process may use; a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _give_memory_back() -> None:
    """Make malloc return large pieces of memory to the system when they are freed.

    By default glibc raises this threshold to the largest piece ever freed and keeps all smaller ones, so that a worker
    would stay as large as at its peak.
    """
    with suppress(AttributeError, OSError):  # another C library
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_THRESHOLD, LARGE_PIECE)
        set_option(_M_TRIM_THRESHOLD, SPARE_HEAP)


def _allow_many_connections() -> None:
    """Raise the limit of file descriptors, usually 1,024, to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
