"""A private certificate authority and a server certificate for this machine's own names."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "registry.test")
ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the certificate of the authority, alone in its folder; certificate and key (PKCS#8) of the server."""

    authority: Path
    certificate: Path
    key: Path


def issue(folder: Path, addresses: Sequence[str] = ADDRESSES) -> Certificates:
    """Make a new authority and have it sign one server certificate for `NAMES` and `addresses`, valid for a day."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _sign(_named("Test authority", authority_key, None), authority_key, is_authority=True)
    server = _sign(_for_server(_named("registry", server_key, authority), addresses), authority_key)
    files = Certificates(folder / "authority" / "ca.crt", folder / "server.crt", folder / "server.key")
    files.authority.parent.mkdir()
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def _named(name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


def _for_server(builder: x509.CertificateBuilder, addresses: Sequence[str]) -> x509.CertificateBuilder:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False)


def _sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, *, is_authority: bool = False
) -> x509.Certificate:
    builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256())
