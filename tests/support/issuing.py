"""An issuer of tokens: its keys, its JWKS document, and tokens right and wrong."""

import base64
import json

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from simple_registry.access.issuers import KeysFromPem, TrustedIssuer

ISSUER = "https://ci.example.com"
AUDIENCE = "registry.example.com"
NOW = 1_700_000_000.0

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
WEAK_RSA = rsa.generate_private_key(65537, 1024)  # noqa: S505 (weak on purpose)
EC = ec.generate_private_key(ec.SECP256R1())
EC384 = ec.generate_private_key(ec.SECP384R1())
K1 = ec.generate_private_key(ec.SECP256K1())
ED = ed25519.Ed25519PrivateKey.generate()


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def jwk(key, kid=None, **members):
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else OKPAlgorithm if key is ED else ECAlgorithm
    entry = kind.to_jwk(key.public_key(), as_dict=True)
    entry.pop("key_ops", None)
    return entry | ({} if kid is None else {"kid": kid}) | members


def jwks(*entries) -> bytes:
    return json.dumps({"keys": entries}).encode()


def signature(key, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, bytes):
        mac = hmac.HMAC(key, hashes.SHA256())
        mac.update(data)
        return mac.finalize()
    size = (key.curve.key_size + 7) // 8
    digest = hashes.SHA384() if size == 48 else hashes.SHA256()
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def claims(**changed):
    defaults = {"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:a/b", "iat": int(NOW), "exp": int(NOW) + 300}
    return {name: value for name, value in (defaults | changed).items() if value is not ...}


def token(key=RSA, *, alg="RS256", payload=None, header=None, **changed) -> str:
    """Return a token; `payload` (text) and `changed` claims (`...` leaves one out) make it wrong."""
    head = {"alg": alg, "typ": "JWT"} | (header or {})
    head = {name: value for name, value in head.items() if value is not ...}
    body = json.dumps(claims(**changed)) if payload is None else payload
    return signed(key, json.dumps(head), body)


def signed(key, header: str | bytes, payload: str | bytes) -> str:
    parts = [encode(part.encode() if isinstance(part, str) else part) for part in (header, payload)]
    data = ".".join(parts).encode()
    return f"{data.decode()}.{encode(signature(key, data))}"


def trusted(keys=None, **values) -> TrustedIssuer:
    defaults = {"name": "ci", "issuer": ISSUER, "audiences": (AUDIENCE,), "user_prefix": "ci:"}
    return TrustedIssuer(keys=keys or KeysFromPem((public_pem(RSA),)), **(defaults | values))
