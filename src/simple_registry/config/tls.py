"""Certificate chain and private key, in every common PEM form, checked before they are served.

    PKCS#8, PKCS#1 ("RSA PRIVATE KEY"), SEC1 ("EC PRIVATE KEY")  ──►  PKCS#8, which every version of OpenSSL reads

The chain begins with the server's own certificate (the leaf), which must match the key. Other blocks of a file, such as
"EC PARAMETERS" or a certificate in the file of its key, are ignored.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from simple_registry.config.settings import Certificate, Tls
from simple_registry.config.values import ConfigError
from simple_registry.files import exposure, open_regular

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_LARGEST_FILE = 1024 * 1024
_SMALLEST_RSA = 2048
_DAY = 86_400.0
NOTICE = 14 * _DAY
"""Seconds before its end from which on a certificate gets a warning."""


def load_certificate(tls: Tls, now: datetime) -> Certificate:
    """Return the certificate chain and key of `tls`.

    Raises: ConfigError when a file is unreadable, empty or not PEM, or the key is encrypted, of a kind that TLS does
    not use here, or does not fit the first certificate.
    """
    certificates = _certificates(tls.certificate)
    key = _private_key(tls.key)
    _require_match(tls, certificates, key)
    leaf = certificates[0]
    loaded = Certificate(
        chain=b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        begins=leaf.not_valid_before_utc.timestamp(),
        ends=leaf.not_valid_after_utc.timestamp(),
    )
    return replace(loaded, warnings=(*_warnings(tls.certificate, leaf, now), *exposure(tls.key, "the private key")))


def expiry_warning(tls: Tls, certificate: Certificate, now: float) -> str | None:
    """Return the warning about the end of a certificate, once that is near.

    ACME clients renew when a third of its life is left. A short life therefore gets a warning in its last quarter only.
    """
    if certificate.ends - now > min(NOTICE, (certificate.ends - certificate.begins) / 4):
        return None
    end = datetime.fromtimestamp(certificate.ends, UTC)
    if certificate.ends <= now:
        return f"the certificate {tls.certificate} expired on {end:%Y-%m-%d}; clients refuse it"
    hours = int((certificate.ends - now) / 3600)
    left = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"  # noqa: PLR2004 (two days)
    return f"the certificate {tls.certificate} expires on {end:%Y-%m-%d at %H:%M} UTC, in {left}; renew it"


def _blocks(path: Path, what: str) -> list[tuple[str, bytes]]:
    """Return the PEM blocks of a file as (label, whole block)."""
    try:
        with open_regular(path) as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror}") from error
    if not content.strip():
        raise ConfigError(f"the {what} {path} is empty")
    blocks = [(match[1].decode("ascii"), match[0]) for match in _BLOCK.finditer(content)]
    if not blocks:
        raise ConfigError(f"the {what} {path} is not PEM; a PEM file has a line that begins with -----BEGIN")
    return blocks


def _certificates(path: Path) -> list[x509.Certificate]:
    blocks = [block for label, block in _blocks(path, "certificate") if label in {"CERTIFICATE", "X509 CERTIFICATE"}]
    if not blocks:
        raise ConfigError(f"the certificate {path} holds no certificate; is it the key?")
    try:
        return [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError as error:
        raise ConfigError(f"the certificate {path} is damaged: {error}") from None


def _private_key(path: Path) -> PrivateKeyTypes:
    keys = [(label, block) for label, block in _blocks(path, "private key") if label.endswith("PRIVATE KEY")]
    if not keys:
        raise ConfigError(f"the private key {path} holds no private key; is it the certificate?")
    label, block = keys[0]
    if label.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in block:
        raise ConfigError(
            f"the private key {path} is encrypted; write it without a passphrase, for example with "
            "'openssl pkey -in KEY -out PLAIN-KEY', readable by the registry only"
        )
    try:
        key = serialization.load_pem_private_key(block, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"the private key {path} cannot be read: {error}") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _SMALLEST_RSA:
        raise ConfigError(f"the private key {path} has only {key.key_size} bits; make one of {_SMALLEST_RSA} or more")
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise ConfigError(f"the private key {path} is of a kind that TLS does not use; make an RSA or EC key")
    return key


def _require_match(tls: Tls, certificates: list[x509.Certificate], key: PrivateKeyTypes) -> None:
    own = _public(key.public_key())
    matches = [_public(certificate.public_key()) == own for certificate in certificates]
    if matches[0]:
        return
    if any(matches):
        raise ConfigError(
            f"the certificate {tls.certificate} does not begin with the one that the key {tls.key} belongs to; "
            "put the server's own certificate first"
        )
    raise ConfigError(f"the private key {tls.key} does not fit the certificate {tls.certificate}")


def _public(key: object) -> bytes:
    # Typed as object because a certificate may have other kinds of key, which never match; each kind has this method.
    public: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def _warnings(path: Path, leaf: x509.Certificate, now: datetime) -> Iterator[str]:
    if now < leaf.not_valid_before_utc:
        yield f"the certificate {path} is valid only from {leaf.not_valid_before_utc:%Y-%m-%d}"
    if not _has_alternative_name(leaf):
        yield f"the certificate {path} has no subjectAltName; docker and other clients refuse it"


def _has_alternative_name(leaf: x509.Certificate) -> bool:
    try:
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return True
