"""Keys of issuers: which are taken, which are left out, which are refused."""

import contextlib
import json

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.jwks import MAX_KEYS, Jwks, KeysInvalid, parse_jwks, parse_pem_keys
from support.issuing import EC, EC384, ED, K1, RSA, WEAK_RSA, jwk, jwks, private_pem, public_pem

RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


@pytest.mark.parametrize(
    ("key", "algorithms"), [(RSA, RSA_ALGORITHMS), (EC, {"ES256"}), (EC384, {"ES384"}), (ED, {"EdDSA"})]
)
def test_a_key_verifies_what_its_type_is_for(key, algorithms):
    (read,) = parse_jwks(jwks(jwk(key, "a"))).keys
    assert (read.kid, read.algorithms) == ("a", algorithms)
    assert read.key == key.public_key()
    (pem,) = parse_pem_keys([public_pem(key)])
    assert (pem.kid, pem.algorithms, pem.key) == (None, algorithms, key.public_key())


def test_alg_narrows_what_a_key_is_for():
    (read,) = parse_jwks(jwks(jwk(RSA, "a", alg="PS384"))).keys
    assert read.algorithms == {"PS384"}


def test_private_keys_are_refused_in_pem_without_showing_them():
    with pytest.raises(KeysInvalid, match="private key") as caught:
        parse_pem_keys([private_pem(EC)])
    assert private_pem(EC)[60:80] not in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        jwk(EC, "a", d="c2VjcmV0"),
        jwk(RSA, "a", d="AQAB"),
        jwk(RSA, "a", use="enc", p="AQAB"),
        {"kty": "new", "k": "c2VjcmV0"},
    ],
)
def test_a_private_or_symmetric_key_is_left_out_and_told(entry):
    read = parse_jwks(jwks(entry, jwk(ED, "good"), entry))
    assert [key.kid for key in read.keys] == ["good"]
    (mistake,) = read.rejected
    assert "private or symmetric" in mistake
    assert "c2VjcmV0" not in mistake


@pytest.mark.parametrize(
    "entry",
    [
        jwk(RSA, "a", use="enc"),
        jwk(RSA, "a", key_ops=["encrypt"]),
        jwk(RSA, "a", alg="HS256"),
        jwk(RSA, "a", alg="ES256"),
        jwk(RSA, "a", alg="none"),
        jwk(RSA, "a", alg="RSA-OAEP"),
        jwk(K1, "a"),
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "new"},
        {},
    ],
)
def test_keys_for_other_uses_and_of_other_kinds_are_left_out(entry):
    read = parse_jwks(jwks(entry, jwk(ED, "good")))
    assert ([key.kid for key in read.keys], read.rejected) == (["good"], ())
    assert parse_jwks(jwks(entry)) == Jwks(())


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "RSA"},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": jwk(EC)["x"], "y": jwk(EC)["x"]},
        {"kty": "OKP", "crv": "Ed25519", "x": None},
        {"kty": "OKP", "crv": "Ed25519", "x": "é"},
        jwk(WEAK_RSA),
        jwk(RSA, "a", alg=["RS256"]),
        jwk(RSA, "a", alg={}),
        jwk(RSA, "a", alg=1),
        1,
        None,
        ["RSA"],
    ],
)
def test_broken_and_weak_keys_are_left_out_and_told(entry):
    read = parse_jwks(jwks(jwk(EC, "first"), entry, jwk(ED, "last")))
    assert [key.kid for key in read.keys] == ["first", "last"]
    assert len(read.rejected) == 1


@pytest.mark.parametrize("data", [b'{"keys": []}', b'{"keys": [], "other": 1}'])
def test_a_document_without_keys_has_no_keys(data):
    assert parse_jwks(data) == Jwks(())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"error": "a gateway"}',
        b"null",
        b'{"keys": {}}',
        b'{"keys": null}',
        b'{"keys": [',
        b"[" * 100_000,
        b'{"keys": NaN}',
    ],
)
def test_other_documents_are_refused(data):
    with pytest.raises(KeysInvalid):
        parse_jwks(data)


def test_the_number_of_keys_is_bounded():
    with pytest.raises(KeysInvalid, match="more than"):
        parse_jwks(jwks(*[jwk(ED)] * (MAX_KEYS + 1)))


@pytest.mark.parametrize("text", ["", "x", "é\ud800", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_text_that_is_not_pem_is_refused(text):
    with pytest.raises(KeysInvalid):
        parse_pem_keys([text])


def test_weak_and_unknown_keys_in_pem_are_refused():
    for key in (WEAK_RSA, K1):
        with pytest.raises(KeysInvalid):
            parse_pem_keys([public_pem(key)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(["kty", "crv", "n", "e", "x", "y", "kid", "alg", "use", "key_ops"])
WORDS = JSON | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", "sig"])


@given(st.lists(st.dictionaries(MEMBERS, WORDS, max_size=9), max_size=3))
def test_no_document_raises_anything_else(entries):
    with contextlib.suppress(KeysInvalid):
        parse_jwks(json.dumps({"keys": entries}).encode())
