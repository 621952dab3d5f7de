"""A registry with content of every kind, with a past, and with visitors of different permissions.

visitor     sees
admin       everything
dora        a developer: lists repositories, does everything below `shop/`
nick        pulls `shop/web`, nothing else
anonymous   lists and pulls what is below `public/`
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import bcrypt
import jwt
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from browser import artifacts, hostile
from browser.hostile import Hostile, attack
from browser.pushing import Json, Repository
from e2e.server import PASSWORD, USERNAME, Registry, serve

ADMIN, DEVELOPER, NARROW = USERNAME, "dora", "nick"
ISSUER, AUDIENCE = "https://ci.example.com", "simple-registry"
WEB, API, CHART, WASM, FILES, PUBLIC = (
    *("shop/web", "shop/api", "charts/shop", "wasm/price-filter", "docs/runbook", "public/hello"),
)
MANY, DELETED = "ci/builds", "shop/retired"
TAGS = 1000
RELEASES = {
    "2.3.0": "2026-10-02T08:15:00Z",
    "2.3.1": "2026-10-20T14:02:00Z",
    "2.4.0": "2026-11-24T09:30:00Z",
    "2.10.0-rc.1": "2026-11-28T16:45:00Z",
}
"""Versions of the shop, of which text and versions have different orders, and when they were built."""


@dataclass(frozen=True, slots=True)
class Site:
    """The registry, and what tests look for in it."""

    registry: Registry
    release: Json
    """The descriptor of `shop/web:2.4.0`, an index with referrers."""
    image: Json
    """The descriptor of `shop/api:v1.2.0`, an image."""
    earlier: Json
    """The descriptor of `shop/api:v1.1.0`."""
    upload: str
    """An unfinished upload to `shop/web`."""
    token: str
    """The id of a token of the developer."""
    hostile: Hostile


@contextmanager
def open_site(folder: Path, *, tls: bool = False) -> Iterator[Site]:
    """Run the registry for the length of the block."""
    key = ec.generate_private_key(ec.SECP256R1())
    documents = yaml.safe_dump_all(_documents(key.public_key()))
    with serve(folder, tls=tls, configuration=documents) as registry:
        yield _filled(registry, _token(key))


@contextmanager
def open_closed(folder: Path) -> Iterator[Registry]:
    """Run an empty registry without the user `anonymous`."""
    with serve(folder) as registry:
        yield registry


def _documents(key: ec.EllipticCurvePublicKey) -> list[Json]:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
    push = {"roleRef": {"name": "push"}, "scopes": ["^hostile/"]}
    return [
        *(_document("User", name, passwordHash=hashed) for name in (DEVELOPER, NARROW)),
        _document("User", "anonymous"),
        _document("Role", "list", resources=["catalog"], verbs=["pull"]),
        _document("Role", "pull", resources=["manifests", "blobs"], verbs=["pull"]),
        _document("Role", "push", resources=["manifests", "blobs"], verbs=["pull", "push"]),
        _document("Role", "own", resources=["manifests", "blobs"], verbs=["*"]),
        _binding("lists", "list", ["anonymous", DEVELOPER], "^$"),
        _binding("public", "pull", ["anonymous", DEVELOPER, NARROW], "^public/"),
        _binding("shop-owners", "own", [DEVELOPER], "^shop/"),
        _binding("shop-web-readers", "pull", [NARROW], "^shop/web(:.+)?$"),
        _document("TagProtection", "releases", scopes=["^shop/web:2\\.3\\."]),
        _document("Retention", "builds", scopes=["^ci/builds:"], keep=[{"newest": 50}, {"tags": ["^release-"]}]),
        _document("Quota", "shop", scopes=["^shop/"], limits={"bytes": "200MiB", "tags": 500}),
        _document(
            "TokenIssuer",
            "ci",
            issuer=ISSUER,
            audience=AUDIENCE,
            keys={"pem": [pem]},
            bindings=[push],
        ),
    ]


def _document(kind: str, name: str, **spec: object) -> Json:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def _binding(name: str, role: str, users: list[str], scope: str) -> Json:
    subjects = [{"kind": "User", "name": user} for user in users]
    return _document("RoleBinding", name, subjects=subjects, roleRef={"name": role}, scopes=[scope])


def _token(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a token whose user has a hostile name."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": attack("user-name"), "iat": now, "exp": now + 3600}
    return jwt.encode(claims, key, "ES256")


def _filled(registry: Registry, token: str) -> Site:
    developer = replace(registry, username=DEVELOPER, password=PASSWORD)
    release = _shop_web(Repository(developer, WEB))
    upload = Repository(developer, WEB).upload()
    earlier, image = _shop_api(Repository(developer, API))
    for version in ("1.0.0", "1.1.0"):
        artifacts.chart(Repository(registry, CHART), version)
        artifacts.image(Repository(registry, PUBLIC), version, "latest", version=version, steps=artifacts.SHOP[:3])
    artifacts.module(Repository(registry, WASM), "v1")
    artifacts.files(Repository(registry, FILES), "2026-11")
    _many_tags(Repository(registry, MANY))
    _deleted(Repository(developer, DELETED))
    attacks = hostile.push(Repository(replace(registry, username="ci", password=token), "hostile/everything"))
    issue_token(registry, description=attack("token-description"))
    issue_token(developer, description="build server", scopes=["repository:^shop/:pull,push"], expiresIn="90d")
    token = issue_token(developer, description="laptop")["id"]
    return Site(registry, release, image, earlier, upload, token, attacks)


def _shop_web(repository: Repository) -> Json:
    """Push releases: `latest` and `stable` move with them, and `stable` is rolled back."""
    pushed = {
        version: artifacts.multi_platform(repository, version, "latest", "stable", version=version, created=created)
        for version, created in RELEASES.items()
    }
    repository.roll_back("stable", "previous")
    artifacts.referrers(repository, pushed["2.4.0"])
    return pushed["2.4.0"]


def _shop_api(repository: Repository) -> tuple[Json, Json]:
    """Push three images, delete the tag of the first, the manifest of another one, and move `main`."""
    first, earlier, image, wrong = (
        artifacts.image(repository, f"v{version}", "main", version=version)
        for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
    )
    repository.delete("v1.0.0")
    repository.delete(wrong["digest"])
    assert first != earlier
    return earlier, image


def _many_tags(repository: Repository) -> None:
    for number in range(20):
        tags = [f"main-{build:05}" for build in range(number, TAGS, 20)]
        artifacts.image(repository, *tags, version=f"build {number}", steps=artifacts.SHOP[:2])


def _deleted(repository: Repository) -> None:
    artifacts.image(repository, "v1", "v2", version="0.1.0", steps=artifacts.SHOP[:3])
    repository.delete_all()


def issue_token(registry: Registry, **fields: object) -> Json:
    """Have a token issued to the caller."""
    headers = {"Content-Type": "application/json"}
    answer = registry.request("POST", "/api/v1/tokens", body=json.dumps(fields).encode(), headers=headers)
    assert answer.status == 201, answer
    return json.loads(answer.body)
