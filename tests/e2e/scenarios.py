"""Registries to log in to: one for each policy and challenge, with credentials of every kind.

    policy   none     there is no anonymous user; alice and a CI system use public/team and private/team
             public   everybody reads public/team; alice and CI push there; private/team is the administrator's alone
             mixed    everybody reads public/team; alice and CI use private/team as well

Each repository `<area>/team/app` holds one image for each credential, so that no client finds in its own storage what
it was to fetch; each `<area>/team/demo` holds a chart.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import bcrypt
import jwt
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from e2e.images import MANIFEST, chart_archive, digest_of, write_single_layout
from e2e.server import Registry, serve

ALICE, CI = "alice", "ci"
CLIENTS = ("docker", "podman", "skopeo", "buildah", "crane", "oras", "regctl", "helm", "ctr")
ISSUER, AUDIENCE = "https://ci.example", "simple-registry"
HOUR = 3600
CHART_VERSION = "1.0.0"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

Document = dict[str, object]


class Policy(StrEnum):
    """The repositories that are readable without credentials."""

    NONE = "none"
    PUBLIC = "public"
    MIXED = "mixed"


class Challenge(StrEnum):
    """The scheme of challenges (`web.challenge`)."""

    BASIC = "basic"
    BEARER = "bearer"
    AUTO = "auto"


class Credential(StrEnum):
    """A kind of credentials."""

    PASSWORD = "password"
    STATIC = "static token"
    ISSUED = "issued token"
    JWT = "JWT"
    EXPIRED = "expired token"
    REVOKED = "revoked token"
    NONE = "none"

    @property
    def tag(self) -> str:
        """The tag of the image that is pulled with it."""
        return self.value.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Account:
    """A user's name and the text for the password."""

    username: str
    secret: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A running registry and what its users hold."""

    policy: Policy
    challenge: Challenge
    registry: Registry
    secrets: Mapping[str, str]

    def account(self, credential: Credential, client: str) -> Account | None:
        """Return what a client logs in with.

        Revoked tokens belong to another user for each client, so that no client's failures count for the next.
        """
        match credential:
            case Credential.NONE:
                return None
            case Credential.JWT:
                return Account("jwt", self.secrets[credential])
            case Credential.REVOKED:
                return Account(former(client), self.secrets[former(client)])
            case _:
                return Account(ALICE, self.secrets[credential])


@contextmanager
def play(policy: Policy, challenge: Challenge, folder: Path) -> Iterator[Scenario]:
    """Run the registry of a policy and a challenge; over TLS where `bearer` is asked for, for its realm is a URL."""
    folder.mkdir(parents=True, exist_ok=True)
    documents, secrets = _documents(policy, challenge, folder)
    with serve(folder, tls=challenge is Challenge.BEARER, configuration=yaml.safe_dump_all(documents)) as registry:
        for area in ("public", "private"):
            fill(registry, folder, f"{area}/team", [credential.tag for credential in Credential])
        as_alice = replace(registry, username=ALICE, password=secrets[Credential.PASSWORD])
        secrets[Credential.ISSUED] = issue_token(as_alice)["secret"]
        for client in CLIENTS:
            secrets[former(client)] = _revoked(registry, former(client), secrets[Credential.PASSWORD])
        yield Scenario(policy, challenge, registry, secrets)


def former(client: str) -> str:
    """Return the user whose token was revoked."""
    return f"former-{client}"


def issue_token(registry: Registry) -> Mapping[str, str]:
    """Have a token issued to the registry's user, good for an hour."""
    body = json.dumps({"description": "handshakes", "expiresIn": HOUR}).encode()
    answer = registry.request("POST", "/api/v1/tokens", body=body, headers={"Content-Type": "application/json"})
    if answer.status != 201:
        raise AssertionError(f"no token was issued: {answer}")
    return json.loads(answer.body)


def _revoked(registry: Registry, username: str, password: str) -> str:
    owner = replace(registry, username=username, password=password)
    token = issue_token(owner)
    answer = owner.request("DELETE", f"/api/v1/tokens/{token['id']}")
    if answer.status != 204:
        raise AssertionError(f"the token was not revoked: {answer}")
    return token["secret"]


# --- documents ------------------------------------------------------------------------------------------------------


def _documents(policy: Policy, challenge: Challenge, folder: Path) -> tuple[list[Document], dict[str, str]]:
    """Return the registry's documents and the secrets that they accept, by credential."""
    secrets: dict[str, str] = {
        Credential.PASSWORD: "open: sesame/£",
        Credential.STATIC: "static-token-of-alice-0123456789",
        Credential.EXPIRED: "expired-token-of-alice-0123456789",
    }
    keys, secrets[Credential.JWT] = _trusted_issuer(challenge, folder)
    hashed = bcrypt.hashpw(secrets[Credential.PASSWORD].encode(), bcrypt.gensalt(rounds=4)).decode()
    areas = "public" if policy is Policy.PUBLIC else "(public|private)"
    documents = [
        _document("Configuration", "handshakes", {"web": {"challenge": challenge.value}}),
        *(_document("User", name, {"passwordHash": hashed}) for name in (ALICE, *map(former, CLIENTS))),
        _document("Role", "readwrite", {"resources": ["*"], "verbs": ["pull", "push"]}),
        _document("Role", "readonly", {"resources": ["*"], "verbs": ["pull"]}),
        _binding("members", ALICE, "readwrite", [f"^{areas}/team/.+$"]),
        _token("valid", secrets[Credential.STATIC], "2999-12-31T23:59:59Z"),
        _token("expired", secrets[Credential.EXPIRED], "2020-01-01T00:00:00Z"),
        _document(
            "TokenIssuer",
            CI,
            {
                "issuer": ISSUER,
                "audience": AUDIENCE,
                "keys": keys,
                "conditions": {"ref": "refs/heads/main"},
                "bindings": [{"roleRef": {"name": "readwrite"}, "scopes": [f"^{areas}/{{owner}}/.+$"]}],
            },
        ),
    ]
    if policy is not Policy.NONE:
        documents.append(_document("User", "anonymous", {}))
        documents.append(_binding("everybody", "anonymous", "readonly", ["^$", "^public/.+$"]))
    return documents, secrets


def _document(kind: str, name: str, spec: Document) -> Document:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def _binding(name: str, user: str, role: str, scopes: list[str]) -> Document:
    subjects = [{"kind": "User", "name": user}]
    return _document("RoleBinding", name, {"subjects": subjects, "roleRef": {"name": role}, "scopes": scopes})


def _token(name: str, value: str, expires: str) -> Document:
    return _document("Token", name, {"username": ALICE, "value": value, "expiresAt": expires})


def _trusted_issuer(challenge: Challenge, folder: Path) -> tuple[Document, str]:
    """Return the keys of a CI system, in a file or in place, and a token that it signed for a job of `team`."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:team/app:main", "iat": now, "exp": now + HOUR}
    claims |= {"owner": "team", "ref": "refs/heads/main"}
    if challenge is Challenge.BEARER:
        key = rsa.generate_private_key(65537, 2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        jwks = {"keys": [public | {"kid": "2026", "alg": "RS256", "use": "sig"}]}
        (folder / "keys.json").write_text(json.dumps(jwks))
        return {"jwksFile": str(folder / "keys.json")}, jwt.encode(claims, key, "RS256", {"kid": "2026"})
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {"pem": [pem.decode()]}, jwt.encode(claims, private, "ES256")


# --- content --------------------------------------------------------------------------------------------------------


def fill(registry: Registry, folder: Path, namespace: str, tags: Sequence[str]) -> None:
    """Push an image with each of the tags to `<namespace>/app`, and a chart to `<namespace>/demo`."""
    for tag in tags:
        layout = write_single_layout(folder / "content" / namespace / tag)
        manifest = layout.blob(layout.index)
        document = json.loads(manifest)
        blobs = [layout.blob(entry["digest"]) for entry in (document["config"], *document["layers"])]
        _put(registry, f"{namespace}/app", tag, manifest, blobs)
    config, chart = json.dumps({"name": "demo", "version": CHART_VERSION, "apiVersion": "v2"}).encode(), chart_archive()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CHART_CONFIG, config),
        "layers": [_descriptor(CHART_LAYER, chart)],
    }
    _put(registry, f"{namespace}/demo", CHART_VERSION, json.dumps(manifest).encode(), [config, chart])


def _descriptor(media_type: str, content: bytes) -> Document:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _put(registry: Registry, repository: str, tag: str, manifest: bytes, blobs: list[bytes]) -> None:
    for blob in blobs:
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(blob)}"
        _created(registry.request("POST", path, body=blob, headers={"Content-Type": "application/octet-stream"}).status)
    path = f"/v2/{repository}/manifests/{tag}"
    _created(registry.request("PUT", path, body=manifest, headers={"Content-Type": MANIFEST}).status)


def _created(status: int) -> None:
    if status != 201:
        raise AssertionError(f"content was refused: {status}")


def basic(account: Account) -> str:
    """Return an `Authorization` header's value, whose second word is what clients store."""
    return "Basic " + b64encode(f"{account.username}:{account.secret}".encode()).decode()
