import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from simple_registry.config.settings import Certificate, Tls
from simple_registry.config.tls import expiry_warning, load_certificate
from simple_registry.config.values import ConfigError

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL  # PKCS#1 for RSA, SEC1 for EC
PLAIN = serialization.NoEncryption()
NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
RSA = rsa.generate_private_key(65_537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def certificate(key, *, until=NOW + dt.timedelta(days=30), since=NOW - dt.timedelta(days=30), names=("localhost",)):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    digest = None if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(PEM)


@pytest.fixture
def load(tmp_path):
    def write_and_load(chain, key):
        (tmp_path / "chain.pem").write_bytes(chain)
        (tmp_path / "key.pem").write_bytes(key)
        (tmp_path / "key.pem").chmod(0o640)
        return load_certificate(Tls(tmp_path / "chain.pem", tmp_path / "key.pem"), NOW)

    return write_and_load


@pytest.mark.parametrize(
    ("key", "form", "label"),
    [
        (RSA, PKCS8, b"BEGIN PRIVATE KEY"),
        (RSA, TRADITIONAL, b"BEGIN RSA PRIVATE KEY"),
        (EC, PKCS8, b"BEGIN PRIVATE KEY"),
        (EC, TRADITIONAL, b"BEGIN EC PRIVATE KEY"),
        (ED25519, PKCS8, b"BEGIN PRIVATE KEY"),
    ],
)
def test_every_form_of_key_becomes_pkcs8(load, key, form, label):
    written = key.private_bytes(PEM, form, PLAIN)
    assert label in written
    loaded = load(certificate(key), written)
    assert loaded.key == key.private_bytes(PEM, PKCS8, PLAIN)
    assert loaded.chain == certificate_of(loaded.chain)
    assert loaded.warnings == ()
    assert b"PRIVATE" not in repr(loaded).encode()


def certificate_of(chain):
    return x509.load_pem_x509_certificate(chain).public_bytes(PEM)


def key_bytes(key=RSA):
    return key.private_bytes(PEM, PKCS8, PLAIN)


def test_a_chain_keeps_its_order(load):
    leaf, above = certificate(RSA), certificate(EC)
    assert load(leaf + above, key_bytes()).chain == leaf + above


def test_text_and_parameters_around_blocks_are_passed_over(load):
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    written = parameters + EC.private_bytes(PEM, TRADITIONAL, PLAIN)
    leaf = certificate(EC)
    assert load(b"subject=localhost\n" + leaf, written).chain == leaf


def test_one_file_may_hold_both(load):
    both = key_bytes() + certificate(RSA)
    assert load(both, both).key == key_bytes()


def encrypted(form):
    return RSA.private_bytes(PEM, form, serialization.BestAvailableEncryption(b"x"))


@pytest.mark.parametrize(
    ("chain", "key", "says"),
    [
        (lambda: b"", key_bytes, r"the certificate .*chain.pem is empty"),
        (lambda: b" \n", key_bytes, "is empty"),
        (lambda: certificate(RSA), lambda: b"", r"the private key .*key.pem is empty"),
        (lambda: b"\x30\x82", key_bytes, "chain.pem is not PEM"),
        (lambda: certificate(RSA), lambda: b"\x30\x82", "key.pem is not PEM"),
        (key_bytes, key_bytes, "holds no certificate; is it the key"),
        (lambda: certificate(RSA), lambda: certificate(RSA), "holds no private key; is it the certificate"),
        (lambda: certificate(RSA), lambda: encrypted(PKCS8), "is encrypted; write it without"),
        (lambda: certificate(RSA), lambda: encrypted(TRADITIONAL), "is encrypted; write it without"),
        (lambda: certificate(RSA), lambda: key_bytes(EC), "does not fit the certificate"),
        (lambda: certificate(EC) + certificate(RSA), key_bytes, "put the server's own certificate first"),
        (
            lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            key_bytes,
            "the certificate .* is damaged",
        ),
        (
            lambda: certificate(RSA),
            lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "the private key .* cannot be read",
        ),
        (
            lambda: certificate(RSA),
            lambda: ed448.Ed448PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN),
            "of a kind that TLS does not use",
        ),
    ],
)
def test_an_unusable_certificate_or_key_is_refused_with_its_reason(load, chain, key, says):
    with pytest.raises(ConfigError, match=says) as refused:
        load(chain(), key())
    assert "\n" not in str(refused.value)


def test_a_small_rsa_key_is_refused(load):
    small = rsa.generate_private_key(65_537, 1024)  # noqa: S505 (that is the point)
    with pytest.raises(ConfigError, match="has only 1024 bits"):
        load(certificate(small), key_bytes(small))


def test_absent_files_are_named(tmp_path):
    (tmp_path / "chain.pem").write_bytes(certificate(RSA))
    with pytest.raises(ConfigError, match=r"cannot read the certificate .*absent: No such file"):
        load_certificate(Tls(tmp_path / "absent", tmp_path / "absent"), NOW)
    with pytest.raises(ConfigError, match=r"cannot read the private key .*absent: No such file"):
        load_certificate(Tls(tmp_path / "chain.pem", tmp_path / "absent"), NOW)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"since": NOW + dt.timedelta(days=1)}, "valid only from 2026-06-02"),
        ({"names": ()}, "has no subjectAltName"),
    ],
)
def test_a_certificate_that_clients_will_refuse_is_only_a_warning(load, changed, says):
    (warning,) = load(certificate(RSA, **changed), key_bytes()).warnings
    assert says in warning


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (dt.timedelta(days=-1), "expired on 2026-05-31; clients refuse it"),
        (dt.timedelta(hours=23), "expires on 2026-06-01 at 23:00 UTC, in 23 hours; renew it"),
        (dt.timedelta(days=2), "expires on 2026-06-03 at 00:00 UTC, in 2 days; renew it"),
        (dt.timedelta(days=14), "expires on 2026-06-15 at 00:00 UTC, in 14 days; renew it"),
        (dt.timedelta(days=14, seconds=1), None),
    ],
)
def test_the_end_gets_a_warning_from_two_weeks_before_it_on(load, tmp_path, left, says):
    tls = Tls(tmp_path / "chain.pem", tmp_path / "key.pem")
    loaded = load(certificate(RSA, since=NOW - dt.timedelta(days=400), until=NOW + left), key_bytes())
    told = expiry_warning(tls, loaded, NOW.timestamp())
    assert told == (None if says is None else f"the certificate {tls.certificate} {says}")


@pytest.mark.parametrize(
    ("life", "left", "warns"),
    [(90, 29, False), (90, 14, True), (6, 2, False), (6, 1.5, True), (1, 0.3, False), (1, 0.2, True), (1, 0, True)],
)
def test_a_certificate_that_is_renewed_in_time_never_gets_a_warning_about_its_end(life, left, warns):
    kept = Certificate(b"", b"", begins=0.0, ends=life * 86_400.0)
    assert (expiry_warning(Tls(Path("c"), Path("k")), kept, (life - left) * 86_400.0) is not None) is warns


def test_the_end_is_that_of_the_servers_own_certificate(load):
    above = certificate(EC, until=NOW - dt.timedelta(days=1))
    assert load(certificate(RSA) + above, key_bytes()).ends == (NOW + dt.timedelta(days=30)).timestamp()


def test_a_private_key_that_every_user_may_read_gets_a_warning(load, tmp_path):
    load(certificate(RSA), key_bytes())
    (tmp_path / "key.pem").chmod(0o644)
    (warning,) = load_certificate(Tls(tmp_path / "chain.pem", tmp_path / "key.pem"), NOW).warnings
    assert warning == f"every user of this machine may read the private key {tmp_path}/key.pem; use chmod o-r"
