"""Single public keys; whole documents of them are in `test_jwks`."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from simple_registry.access.public_keys import parse_jwk, parse_pem


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (ec.generate_private_key(ec.SECP256R1()), {"ES256"}),
        (ec.generate_private_key(ec.SECP384R1()), {"ES384"}),
        (ed25519.Ed25519PrivateKey.generate(), {"EdDSA"}),
        (rsa.generate_private_key(65537, 2048), {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ],
)
def test_a_key_in_pem_has_the_algorithms_of_its_kind(key, algorithms):
    assert parse_pem(pem(key)) == (key.public_key(), algorithms)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (pem(ec.generate_private_key(ec.SECP256K1())), "the curve is not"),
        (pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),  # noqa: S505 (too weak on purpose)
        (pem(dsa.generate_private_key(1024)), "keys are RSA, EC or Ed25519"),  # noqa: S505 (as above)
        ("nonsense", "no public key in PEM"),
        (
            ed25519.Ed25519PrivateKey.generate()
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            "this is a private key",
        ),
    ],
)
def test_other_texts_are_refused_with_a_reason(text, says):
    with pytest.raises(ValueError, match=says):
        parse_pem(text)


def test_a_jwk_has_the_algorithms_of_its_kind():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert parse_jwk(ECAlgorithm.to_jwk(key, as_dict=True)) == (key, {"ES256"})


def test_a_jwk_of_an_unknown_kind_is_ignored():
    assert parse_jwk({"kty": "EC", "crv": "secp256k1", "x": "", "y": ""}) is None
    assert parse_jwk({"kty": "other"}) is None


def test_a_jwk_that_cannot_be_read_or_is_too_weak_is_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        parse_jwk({"kty": "RSA", "n": "?", "e": "AQAB"})
    weak = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)  # noqa: S505 (as above)
    with pytest.raises(ValueError, match="1024 bits"):
        parse_jwk(weak)
