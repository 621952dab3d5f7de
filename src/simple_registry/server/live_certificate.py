"""The certificate of new connections, replaced when its files change; open connections keep the old one."""

import asyncio
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from simple_registry.config.followed import Followed, Poll
from simple_registry.config.settings import Certificate, Tls
from simple_registry.config.tls import expiry_warning, load_certificate
from simple_registry.config.values import ConfigError
from simple_registry.files import FileStamp
from simple_registry.periodic import repeat

INTERVAL = 1.0
"""Seconds between two checks of the files."""

_log = logging.getLogger(__name__)


def follow_certificate(tls: Tls) -> Followed[Certificate]:
    """Return the certificate of these files, tested with a TLS context.

    Raises: ConfigError.
    """
    return Followed(lambda _: _load(tls), lambda: (_stamp(tls.certificate), _stamp(tls.key)))


def _load(tls: Tls) -> Certificate:
    certificate = load_certificate(tls, datetime.now(UTC))
    try:
        tls_context(certificate)
    except OSError as error:  # such as a key that OpenSSL considers too weak
        raise ConfigError(f"the certificate {tls.certificate} cannot be used: {error}") from error
    return certificate


class LiveCertificate:
    """A TLS context that follows its files."""

    def __init__(self, tls: Tls, certificate: Followed[Certificate], *, warn: bool = True) -> None:
        """Begin with the certificate that the parent loaded last. One worker should `warn`."""
        self._tls = tls
        self._followed = certificate
        self._thread = ThreadPoolExecutor(1, "certificate")  # its own, so that no request delays a check
        self._context = tls_context(certificate.value)
        self._warns = warn

    def context(self) -> ssl.SSLContext:
        """Return the context of the next connection."""
        return self._context

    def ends(self) -> float:
        """Return when the certificate ends, Unix time."""
        return self._followed.value.ends

    def expiry_warning(self) -> str | None:
        """Return the warning about the end of the certificate, once that is near: a renewal may have failed."""
        return expiry_warning(self._tls, self._followed.value, time.time())

    async def run(self) -> None:
        """Follow the files until cancelled."""
        await repeat(self.poll, INTERVAL, "checking the certificate")

    async def poll(self) -> None:
        """Check the files once. A change is used if it is unchanged since the previous check."""
        known = self._followed.stale
        match await asyncio.get_running_loop().run_in_executor(self._thread, self._followed.poll):
            case Poll.LOADED:
                certificate = self._followed.value
                self._context = tls_context(certificate)
                for warning in certificate.warnings if self._warns else ():
                    _log.warning("%s", warning)
                _log.info("the certificate was replaced")
            case Poll.REFUSED if self._followed.stale != known:
                _log.error("the certificate was not replaced, the old one stays in use: %s", self._followed.stale)


def _stamp(path: Path) -> FileStamp | None:
    try:
        return FileStamp.of(path.stat())
    except OSError:
        return None


def tls_context(certificate: Certificate) -> ssl.SSLContext:
    """Return a context for servers: TLS 1.2 and 1.3, HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # With renegotiation, a write may have to wait for a read.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    with _paths(certificate) as (chain, key):
        context.load_cert_chain(chain, key)
    return context


@contextmanager
def _paths(certificate: Certificate) -> Iterator[tuple[Path, Path]]:
    """Yield temporary paths of the chain and the key, which `ssl` requires; other users cannot read them."""
    if hasattr(os, "memfd_create"):
        with _in_memory(certificate.chain) as chain, _in_memory(certificate.key) as key:
            yield Path(f"/proc/self/fd/{chain.fileno()}"), Path(f"/proc/self/fd/{key.fileno()}")
        return
    with tempfile.TemporaryDirectory() as directory:
        chain_path, key_path = Path(directory, "chain.pem"), Path(directory, "key.pem")
        chain_path.write_bytes(certificate.chain)
        key_path.write_bytes(certificate.key)
        yield chain_path, key_path


def _in_memory(content: bytes) -> IO[bytes]:
    file = os.fdopen(os.memfd_create("simple-registry"), "wb", buffering=0)
    file.write(content)
    return file
