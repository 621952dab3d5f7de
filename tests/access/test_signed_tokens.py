"""Our own tokens: what was signed comes back, and nothing else is believed."""

import base64
import hashlib
import hmac
import json
import secrets
import zlib

import jwt
import pytest
from hypothesis import given, strategies as st

from simple_registry.access import signed_tokens
from simple_registry.access.caller import Proof, Source
from simple_registry.access.signed_tokens import (
    GivenKey,
    SignedClaims,
    SignedTokenInvalid,
    SigningKey,
    TokenKind,
    TokenSigner,
)

KEYS = GivenKey(b"a secret of tests")
KEY = KEYS.current()
CLAIMS = SignedClaims(
    "ada", Proof(Source.PASSWORD, "fingerprint"), 1_700_000_000, 1_700_000_300, "id", ("repository:a:pull",)
)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sealed(proof, *, key=KEY, token_id="id"):  # noqa: S107 (a name, not a secret)
    """Return a proof as a token carries it."""
    nonce, plain = b"n" * 12, zlib.compress(json.dumps(proof).encode())
    return encode(nonce + signed_tokens._cipher(key, token_id).encrypt(nonce, plain, None))


DOCUMENT = {
    "iss": "simple-registry",
    "aud": "simple-registry/access",
    "sub": "ada",
    "iat": 1_700_000_000,
    "exp": 1_700_000_300,
    "jti": "id",
    "src": sealed(["password", "fingerprint"]),
    "scp": ["repository:a:pull"],
}


def forged(document=DOCUMENT, *, secret=KEY.secret, text=None, **header):
    """Return a token that is right but for what is given; `...` leaves a header out."""
    head = {"alg": "HS256", "typ": "JWT", "kid": KEY.kid} | header
    head = {name: value for name, value in head.items() if value is not ...}
    body = json.dumps(document) if text is None else text
    data = f"{encode(json.dumps(head).encode())}.{encode(body.encode())}"
    return f"{data}.{encode(hmac.digest(secret, data.encode(), hashlib.sha256))}"


def without(name):
    return {key: value for key, value in DOCUMENT.items() if key != name}


utf8 = st.text(st.characters(codec="utf-8"), max_size=30)


@given(utf8, st.sampled_from(list(Source)), utf8, st.lists(utf8, max_size=3), st.integers(0, 2**40))
def test_signed_claims_are_verified_and_returned(subject, source, reference, scopes, issued):
    claims = SignedClaims(subject, Proof(source, reference), issued, issued + 300, "id", tuple(scopes))
    for kind in TokenKind:
        assert TokenSigner(KEYS).verify(TokenSigner(KEYS).sign(claims, kind), kind) == claims


def test_the_token_maker_of_these_tests_can_make_a_valid_token():
    assert TokenSigner(KEYS).verify(forged(), TokenKind.ACCESS) == CLAIMS


def test_one_kind_is_not_taken_for_the_other():
    signer = TokenSigner(KEYS)
    for kind, other in ((TokenKind.ACCESS, TokenKind.REFRESH), (TokenKind.REFRESH, TokenKind.ACCESS)):
        token = signer.sign(CLAIMS, kind)
        assert signer.verify(token, kind)
        with pytest.raises(SignedTokenInvalid):
            signer.verify(token, other)


def test_expiry_is_returned_and_not_judged():
    assert TokenSigner(KEYS).verify(forged(DOCUMENT | {"exp": 1}), TokenKind.ACCESS).expires == 1


WRONG = {
    "another key": forged(secret=b"x" * 32),
    "no key id": forged(kid=...),
    "an unknown key id": forged(kid="other"),
    "a number as key id": forged(kid=7),
    "a path as key id": forged(kid="../../../dev/null"),
    "no algorithm": forged(alg=...),
    "none": forged(alg="none"),
    "None": forged(alg="NONE"),
    "another algorithm": forged(alg="HS512"),
    "an asymmetric one": forged(alg="RS256"),
    "a critical header": forged(crit=["x"]),
    "unencoded": forged(b64=False, crit=["b64"]),
    "no signature": forged().rpartition(".")[0] + ".",
    "two parts": forged().rpartition(".")[0],
    "four parts": forged() + ".x",
    "another signature": forged()[:-4] + "AAAA",
    "spaces": " " + forged(),
    "not text of ASCII": forged() + "\u0661",
    "nothing": "",
    "dots": "..",
    "an array": forged(text="[]"),
    "no JSON": forged(text="{"),
    "a foreign issuer": forged(DOCUMENT | {"iss": "other"}),
    "no subject": forged(DOCUMENT | {"sub": None}),
    "a number as subject": forged(DOCUMENT | {"sub": 7}),
    "a foreign audience": forged(DOCUMENT | {"aud": "other"}),
    "text as issue time": forged(DOCUMENT | {"iat": "x"}),
    "text as expiry": forged(DOCUMENT | {"exp": "soon"}),
    "padding": forged() + "=",
    "padding in the header": forged().replace(".", "=.", 1),
    "a line end": forged() + "\n",
    "a line end in the signature": forged()[:-20] + "\n" + forged()[-20:],
    "a character that base64 skips": forged() + "!",
    "standard base64": forged().rpartition(".")[0] + "." + "+/" * 21 + "A",
    "an unknown source": forged(DOCUMENT | {"src": sealed(["magic", ""])}),
    "a source without reference": forged(DOCUMENT | {"src": sealed(["password"])}),
    "a proof in clear": forged(DOCUMENT | {"src": ["password", "fingerprint"]}),
    "a proof that is no base64url": forged(DOCUMENT | {"src": "password"}),
    "a short proof": forged(DOCUMENT | {"src": "AAAA"}),
    "no proof": forged(DOCUMENT | {"src": ""}),
    "a proof of another token": forged(DOCUMENT | {"src": sealed(["password", "fingerprint"], token_id="other")}),
    "a proof sealed with another key": forged(
        DOCUMENT | {"src": sealed(["password", "fingerprint"], key=SigningKey(KEY.kid, b"x" * 32))}
    ),
    "a number as scopes": forged(DOCUMENT | {"scp": 7}),
    "nested deeply": forged(text="[" * 100_000),
    "a huge number": forged(text='{"exp": ' + "9" * 5000 + "}"),
    **{f"without {name}": forged(without(name)) for name in DOCUMENT},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_token_is_invalid_and_nothing_worse(name):
    with pytest.raises(SignedTokenInvalid):
        TokenSigner(KEYS).verify(WRONG[name], TokenKind.ACCESS)


@given(st.text() | st.text("abcdef.-_=", max_size=60))
def test_any_text_is_invalid_and_nothing_worse(text):
    with pytest.raises(SignedTokenInvalid):
        TokenSigner(KEYS).verify(text, TokenKind.ACCESS)


@given(st.integers(0, len(forged()) - 1), st.characters(codec="ascii"))
def test_one_other_character_anywhere_is_invalid(position, character):
    token = forged()
    changed = token[:position] + character + token[position + 1 :]
    if changed != token:
        with pytest.raises(SignedTokenInvalid):
            TokenSigner(KEYS).verify(changed, TokenKind.ACCESS)


def test_the_bits_that_base64_leaves_over_make_no_second_spelling():
    token = forged()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    for other in range(last + 1, last + 4):
        with pytest.raises(SignedTokenInvalid, match="canonical"):
            TokenSigner(KEYS).verify(token[:-1] + alphabet[other], TokenKind.ACCESS)


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("kind", TokenKind)
def test_a_proof_cannot_be_read_from_its_token(source, kind):
    claims = SignedClaims("ada", Proof(source, "s3cret reference"), 1, 2, "id")
    one, other = (TokenSigner(KEYS).sign(claims, kind) for _ in range(2))
    for token in (one, other):
        for part in (base64.urlsafe_b64decode(each + "==") for each in token.split(".")):
            assert b"s3cret" not in part
            assert source.value.encode() not in part
    assert payload(one)["src"] != payload(other)["src"]


def payload(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_a_token_with_its_own_key_is_rejected():
    own = b"k" * 32
    jwk = {"kty": "oct", "k": encode(own), "kid": "mine"}
    for header in (
        {"jwk": jwk},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/c"},
        {"x5c": ["AAAA"]},
    ):
        with pytest.raises(SignedTokenInvalid):
            TokenSigner(KEYS).verify(forged(secret=own, **header), TokenKind.ACCESS)


def test_a_removed_key_verifies_nothing_not_even_cached_tokens():
    class Rotating:
        keys = (SigningKey("one", b"1" * 32), SigningKey("two", b"2" * 32))

        def current(self):
            return self.keys[0]

        def find(self, kid):
            return next((key for key in self.keys if key.kid == kid), None)

    rotating = Rotating()
    signer = TokenSigner(rotating)
    token = signer.sign(CLAIMS, TokenKind.ACCESS)
    rotating.keys = rotating.keys[::-1]
    assert signer.verify(token, TokenKind.ACCESS) == CLAIMS
    rotating.keys = (rotating.keys[0], SigningKey("one", b"3" * 32))
    for other in (signer, TokenSigner(rotating)):
        with pytest.raises(SignedTokenInvalid):
            other.verify(token, TokenKind.ACCESS)
    rotating.keys = rotating.keys[:1]
    for other in (signer, TokenSigner(rotating)):
        with pytest.raises(SignedTokenInvalid):
            other.verify(token, TokenKind.ACCESS)


def test_a_token_is_verified_once_and_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(signed_tokens, "VERIFIED_CAPACITY", 8 * 1024)
    signer = TokenSigner(KEYS)
    tokens = [
        forged(DOCUMENT | {"jti": str(number), "src": sealed(["anonymous", ""], token_id=str(number))})
        for number in range(5)
    ]
    for token in tokens:
        signer.verify(token, TokenKind.ACCESS)
    monkeypatch.setattr(jwt, "decode", None)
    assert signer.verify(tokens[-1], TokenKind.ACCESS).token_id == "4"
    with pytest.raises(SignedTokenInvalid):
        signer.verify(tokens[0], TokenKind.ACCESS)


def test_the_cache_does_not_hold_the_token():
    signer = TokenSigner(KEYS)
    assert signer.verify(forged(), TokenKind.ACCESS) == CLAIMS
    assert forged() not in repr(signer._verified._entries)


def test_a_token_of_a_foreign_token_is_about_a_third_longer_than_that():
    foreign = encode(secrets.token_bytes(6000))
    token = TokenSigner(KEYS).sign(SignedClaims("ada", Proof(Source.EXTERNAL, foreign), 1, 2, "id"), TokenKind.ACCESS)
    assert len(token) < 1.4 * len(foreign) + 600


def test_neither_keys_nor_proofs_are_shown():
    assert "s3cret" not in repr(SigningKey("k", b"s3cret")) + repr(
        SignedClaims("a", Proof(Source.PASSWORD, "s3cret"), 0, 1, "i")
    )


@pytest.mark.parametrize("secret", [b"short", b"x" * 100])
def test_a_given_secret_of_any_length_is_the_same_key_everywhere(secret):
    key = GivenKey(secret).current()
    assert key == GivenKey(secret).current()
    assert GivenKey(secret).find(key.kid) == key
    assert len(key.secret) == 32
    assert secret not in key.secret


def test_another_given_secret_is_another_key():
    assert GivenKey(b"a").current() != GivenKey(b"b").current()
    assert GivenKey(b"a").find(GivenKey(b"b").current().kid) is None


def test_nothing_of_a_given_key_is_shown():
    key = GivenKey(b"secret").current()
    assert repr(key.secret) not in repr(key)
    assert key.secret.hex()[:16] not in key.kid
