"""Tokens of trusted issuers: right ones are read, and everything else is one kind of refusal."""

import base64
import contextlib
import json

import jwt
import pytest
from hypothesis import given, strategies as st

from simple_registry.access.external_tokens import (
    MAX_TOKEN,
    ExternalTokenInvalid,
    candidates,
    read_token,
    verify_external,
)
from simple_registry.access.jwks import parse_jwks, parse_pem_keys
from support.issuing import (
    AUDIENCE,
    EC,
    EC384,
    ED,
    ISSUER,
    NOW,
    OTHER_RSA,
    RSA,
    claims,
    encode,
    jwk,
    jwks,
    public_pem,
    signed,
    token,
    trusted,
)

KEYS = parse_jwks(jwks(jwk(RSA, "rsa"), jwk(EC, "ec"), jwk(EC384, "ec384"), jwk(ED, "ed"))).keys
ISSUED = trusted(algorithms=("RS256", "ES256", "ES384", "EdDSA"))


def verify(text, *, issuer=ISSUED, keys=KEYS, now=NOW):
    return verify_external(text, issuer, keys, now)


def refused(text, **how):
    with pytest.raises(ExternalTokenInvalid) as caught:
        verify(text, **how)
    return str(caught.value)


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256"), (EC384, "ES384"), (ED, "EdDSA")])
@pytest.mark.parametrize("kid", [..., "own"])
def test_a_right_token_is_read(key, alg, kid):
    own = {"RS256": "rsa", "ES256": "ec", "ES384": "ec384", "EdDSA": "ed"}[alg]
    told = verify(token(key, alg=alg, header={"kid": kid if kid is ... else own}, extra=["x", 1.5]))
    assert told.claims == claims(extra=["x", 1.5])
    assert told.expires == NOW + 300


def test_a_token_signed_by_another_implementation_is_valid():
    text = jwt.encode(claims(), RSA, algorithm="PS256", headers={"kid": "rsa"})
    assert verify(text, issuer=trusted(algorithms=("PS256",))).claims == claims()
    refused(text)


def test_keys_from_pem_serve_any_kid():
    keys = parse_pem_keys([public_pem(OTHER_RSA), public_pem(RSA)])
    assert verify(token(header={"kid": "whatever"}), keys=keys).claims == claims()


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", ...])
def test_known_types_are_accepted(kind):
    assert verify(token(header={"typ": kind})).claims == claims()


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["x", AUDIENCE]])
def test_one_right_audience_is_enough(aud):
    assert verify(token(aud=aud)).claims["aud"] == aud


def test_headers_that_bring_keys_mean_nothing():
    header = {"jwk": jwk(OTHER_RSA), "jku": "https://evil.example/jwks", "x5u": "https://evil.example", "x5c": ["AAAA"]}
    assert verify(token(header=header)).claims == claims()
    assert "signature" in refused(token(OTHER_RSA, header=header))


# --- forged


def hmac_with(secret, alg="HS256", kid="rsa"):
    return token(secret, alg=alg, header={"kid": kid})


FORGED = {
    "another key": token(OTHER_RSA),
    "another key under a right id": token(OTHER_RSA, header={"kid": "rsa"}),
    "none": signed(RSA, '{"alg":"none"}', json.dumps(claims())),
    "None": token(alg="None"),
    "nOnE": token(alg="nOnE"),
    "HS256 with the public key in PEM": hmac_with(public_pem(RSA).encode()),
    "HS256 with the public key in PEM, called RS256": hmac_with(public_pem(RSA).encode(), alg="RS256"),
    "HS256 with the JWK": hmac_with(json.dumps(jwk(RSA, "rsa")).encode()),
    "HS256 with nothing": hmac_with(b"\0"),
    "an RSA signature called ES256": token(RSA, alg="ES256"),
    "an EC signature called RS256": token(EC, alg="RS256"),
    "an EC signature under the id of an RSA key": token(EC, alg="ES256", header={"kid": "rsa"}),
    "an EC signature under the id of another curve": token(EC, alg="ES256", header={"kid": "ec384"}),
    "ES384 by a P-256 key": token(EC, alg="ES384", header={"kid": "ec"}),
    "PS256, which the document does not list": token(alg="PS256"),
    "ES256K": token(alg="ES256K"),
    "no alg": token(header={"alg": ...}),
    "alg null": token(header={"alg": None}),
    "alg a list": token(header={"alg": ["RS256"]}),
    "alg empty": token(alg=""),
    "alg with space": token(alg="RS256 "),
    "alg in lower case": token(alg="rs256"),
    "kid unknown": token(header={"kid": "rsa\0"}),
    "kid a path": token(header={"kid": "../../etc/passwd"}),
    "kid an injection": token(header={"kid": "' OR 1=1 --"}),
    "kid empty": token(header={"kid": ""}),
    "kid a number": token(header={"kid": 0}),
    "kid a list": token(header={"kid": ["rsa"]}),
    "kid an object": token(header={"kid": {"a": 1}}),
    "kid true": token(header={"kid": True}),
    "kid huge": token(header={"kid": "x" * 513}),
    "crit": token(header={"crit": ["exp"]}),
    "crit empty": token(header={"crit": []}),
    "crit null": token(header={"crit": None}),
    "b64 false": token(header={"b64": False, "crit": ["b64"]}),
    "b64 false alone": token(header={"b64": False}),
    "typ of a logout token": token(header={"typ": "logout+jwt"}),
    "typ a number": token(header={"typ": 1}),
    "typ null": token(header={"typ": None}),
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(text):
    refused(text)


def test_a_null_kid_means_no_kid():
    refused(token(OTHER_RSA, header={"kid": None}))


def test_every_changed_character_is_noticed():
    text = token(EC, alg="ES256")
    for position in range(0, len(text), 7):
        other = "A" if text[position] != "A" else "B"
        refused(text[:position] + other + text[position + 1 :])


def test_a_token_that_names_no_key_has_only_so_many_tried():
    keys = parse_jwks(jwks(*[jwk(OTHER_RSA)] * 20, jwk(RSA, "rsa"))).keys
    refused(token(), keys=keys)
    assert len(candidates(keys, None)) == 21


# --- malformed


HEADER, PAYLOAD, SIGNATURE = token().split(".")

MALFORMED = {
    "empty": "",
    "dots": "..",
    "two parts": f"{HEADER}.{PAYLOAD}",
    "no signature": f"{HEADER}.{PAYLOAD}.",
    "no header": f".{PAYLOAD}.{SIGNATURE}",
    "four parts": f"{HEADER}.{PAYLOAD}.{SIGNATURE}.{SIGNATURE}",
    "five parts, as encrypted ones have": ".".join([HEADER] * 5),
    "padding": f"{HEADER}==.{PAYLOAD}.{SIGNATURE}",
    "a line feed": token() + "\n",
    "a space": " " + token(),
    "NUL": token() + "\0",
    "standard base64": f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}+",
    "a letter too many": f"{HEADER}.{PAYLOAD}.{SIGNATURE}AAA",
    "letters of other alphabets": token().replace("e", "\u0435", 1),
    "digits of other alphabets": f"{HEADER}.{PAYLOAD}.\u0661{SIGNATURE}",
    "a lone surrogate": token() + "\ud800",
    "not canonical": f"{encode(b'{}')[:-1]}x.{PAYLOAD}.{SIGNATURE}",
    "header no JSON": signed(RSA, "x", "{}"),
    "header a list": signed(RSA, "[]", "{}"),
    "header a text": signed(RSA, '"RS256"', "{}"),
    "header null": signed(RSA, "null", "{}"),
    "header not UTF-8": signed(RSA, b'{"alg":"RS256\xff"}', json.dumps(claims())),
    "header UTF-16": signed(RSA, '{"alg":"RS256"}'.encode("utf-16"), json.dumps(claims())),
    "header with a byte order mark": signed(RSA, b'\xef\xbb\xbf{"alg":"RS256"}', json.dumps(claims())),
    "header with a duplicate": signed(RSA, '{"alg":"none","alg":"RS256"}', json.dumps(claims())),
    "header with another duplicate": signed(RSA, '{"alg":"RS256","a":{"b":1,"b":1}}', json.dumps(claims())),
    "claims a list": token(payload="[]"),
    "claims a number": token(payload="1"),
    "claims empty": token(payload="{}"),
    "claims cut off": token(payload=json.dumps(claims())[:-1]),
    "claims followed by something": token(payload=json.dumps(claims()) + "{}"),
    "claims with a duplicate": token(payload='{"sub":"admin",' + json.dumps(claims())[1:]),
    "claims with a deep duplicate": token(payload='{"x":[{"a":1,"a":2}],' + json.dumps(claims())[1:]),
    "claims with an escaped duplicate": token(payload='{"s\\u0075b":"admin",' + json.dumps(claims())[1:]),
    "claims with NaN": token(other=float("nan")),
    "claims with infinity": token(other=float("inf")),
    "claims with a float out of range": token(payload='{"x":1e999,' + json.dumps(claims())[1:]),
    "claims with half a character": token(sub="\ud800"),
    "claims with half a character in a name": token(**{"\udfff": 1}),
    "claims with an integer of 5000 digits": token(payload='{"x":' + "9" * 5000 + "," + json.dumps(claims())[1:]),
    "claims nested deeply": token(payload='{"x":' + "[" * 5000 + "]" * 5000 + "," + json.dumps(claims())[1:]),
    "claims not closed": token(payload='{"x":' + "[" * 9000),
    "claims with a control character": token(payload='{"x":"\n",' + json.dumps(claims())[1:]),
    "claims with a comment": token(payload="{/**/" + json.dumps(claims())[1:]),
    "huge": token(x="x" * MAX_TOKEN),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_token_is_refused(text):
    refused(text)


def test_the_size_limit_is_exact():
    def of_size(size):
        for padding in range(12_000, 12_300):
            text = token(EC, alg="ES256", x="x" * padding)
            if len(text) >= size:
                return text
        raise AssertionError

    text = of_size(MAX_TOKEN - 3)
    assert len(text) <= MAX_TOKEN
    verify(text)
    assert "longer than" in refused(text + "A" * (MAX_TOKEN + 1 - len(text)))


def test_a_refusal_shows_nothing_of_the_token():
    marked = {"aud": "S3CRET", "sub": "S3CRET", "iss": "S3CRET", "exp": "S3CRET"}
    for name, value in marked.items():
        assert "S3CRET" not in refused(token(**{name: value}) if name != "sub" else token(OTHER_RSA, sub=value))
    read = read_token(token(sub="S3CRET"))
    assert "S3CRET" not in repr(read)


# --- claims

NO_TEXT = [..., None, 1, True, [], {}, [ISSUER]]
NO_TIME = [..., None, True, "1700000000", [], {}, -1, 1e300, 10**400, "", float("1e18"), -0.5]


@pytest.mark.parametrize("iss", [*NO_TEXT, "", ISSUER + "/", ISSUER.upper(), ISSUER + "\0", "https://evil.example"])
def test_the_issuer_must_be_the_configured_one_exactly(iss):
    refused(token(iss=iss))


@pytest.mark.parametrize(
    "aud",
    [..., None, 1, True, {}, [], "", "x", AUDIENCE + "/", AUDIENCE.upper(), [AUDIENCE, 1], [[AUDIENCE]], [None]],
)
def test_the_audience_must_be_one_of_the_configured_ones_exactly(aud):
    refused(token(aud=aud))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NO_TIME)
def test_times_must_be_numbers_that_are_times(name, value):
    if (name, value) == ("nbf", ...):
        assert verify(token(nbf=...)).expires == NOW + 300
    else:
        refused(token(**{name: value}))


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_clocks_may_differ_by_a_minute(name):
    verify(token(**{name: NOW + 60}))
    assert "not valid yet" in refused(token(**{name: NOW + 60.1}))


def test_fractions_of_seconds_are_times():
    assert verify(token(exp=NOW + 0.5, iat=NOW - 0.5)).expires == NOW + 0.5


def test_expiry_is_returned_and_not_judged():
    text = token()
    for later in (0, 299, 300, 301, 1_000_000):
        assert verify(text, now=NOW + later).expires == NOW + 300


def test_a_token_cannot_expire_before_it_is_issued():
    refused(token(exp=NOW - 1))
    refused(token(iat=NOW, exp=NOW - 10))


# --- whatever else

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(max_size=60) | st.text(alphabet=".eyJhbGciOiJ-_=", max_size=60))
def test_no_text_raises_anything_else(text):
    refused(text)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_signed_bytes_raise_anything_else(header, payload):
    refused(signed(ED, header, payload))


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64"]), JSON, max_size=4),
    st.dictionaries(st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "sub"]), JSON, max_size=6),
)
def test_no_header_or_claims_raise_anything_else(header, changed):
    with contextlib.suppress(ExternalTokenInvalid):
        verify(token(ED, alg="EdDSA", header=header, **changed))


def test_decoding_is_strict_about_the_last_bits():
    text = token(EC, alg="ES256")
    last = text[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(text.rpartition(".")[2] + "==")
    same = [
        letter
        for letter in alphabet
        if letter != last and base64.urlsafe_b64decode(text.rpartition(".")[2][:-1] + letter + "==") == raw
    ]
    assert same
    for letter in same:
        assert "canonical" in refused(text[:-1] + letter)
