"""Tokens that the registry derives or issues, from outside: what is in them, how they are spelt, what they cost."""

import asyncio
import base64
import hashlib
import json
import time

import pytest

from simple_registry.operations.issued_tokens import TokenRow
from support import issuing
from support.access import PASSWORD_HASH, READONLY, READWRITE, binding, rules, static_token
from support.documents import push_image
from support.front import PASSWORD

STATIC = "a-static-token-of-ada-0123456789"
JSON = {"content-type": "application/json"}
HEAVY = r"repository:(?i)(\pL|\pN){400}x"


@pytest.fixture
def world(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READWRITE, "^team/.*$"),
            binding("ci:repo:a/b", READWRITE, "^team/.*$"),
            binding("anonymous", READONLY, "^team/.*$"),
            users=["ada", "anonymous"],
            tokens=[static_token(STATIC, "ada")],
            issuers=[issuing.trusted()],
        )
    )
    push_image(front, "team/app", "v1")
    return front


def create(front, **document):
    return front.post("/api/v1/tokens", user="ada", headers=JSON, body=json.dumps(document).encode())


def credentials(front):
    """Return every kind of credential, as arguments of a request and as the text that proves."""
    secret = create(front).json["secret"]
    external = issuing.token()
    return {
        "password": ({"user": "ada"}, PASSWORD),
        "static": ({"token": STATIC}, STATIC),
        "issued": ({"token": secret}, secret),
        "external": ({"token": external}, external),
        "anonymous": ({"user": None}, PASSWORD),
    }


def decoded(token):
    """Return all that can be read from a token without a key."""
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
    sealed = json.loads(parts[1])["src"]
    return [token.encode(), *parts, base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))]


def traces(secret):
    """Return the texts by which a credential could be taken out of a token, or guessed from it."""
    for text in (secret, PASSWORD_HASH):
        digest = hashlib.sha256(text.encode())
        yield from (text.encode(), base64.urlsafe_b64encode(text.encode()).rstrip(b"="))
        yield from (digest.digest(), digest.hexdigest()[:32].encode(), base64.b64encode(digest.digest())[:40])
    yield from (part.encode() for part in secret.split(".")[1:])


@pytest.mark.parametrize("name", ["password", "static", "issued", "external", "anonymous"])
def test_no_token_holds_a_credential_or_its_hash(world, name):
    how, secret = credentials(world)[name]
    reply = world.get("/token?scope=repository:team/app:pull&offline_token=true", **how)
    given = {key: reply.json.get(key) for key in ("token", "access_token", "refresh_token")}
    assert (given["refresh_token"] is None) == (name == "anonymous")
    for token in filter(None, given.values()):
        assert world.get("/v2/", token=token).status == (200 if token == given["token"] else 401)
        for readable in decoded(token):
            assert [trace for trace in traces(secret) if trace in readable] == []


@pytest.mark.parametrize("name", ["static", "external"])
def test_a_derived_token_ends_with_what_is_behind_it(world, name):
    how, _ = credentials(world)[name]
    token = world.get("/token?scope=repository:team/app:pull", **how).json["token"]
    assert world.get("/v2/team/app/manifests/v1", token=token).status == 200
    world.access.rules = rules(binding("ada", READWRITE, "^team/.*$"), users=["ada"])
    assert world.get("/v2/team/app/manifests/v1", token=token).status == 401


def respelt(token):
    """Return other spellings of a token that a lenient reader takes for the same."""
    head, payload, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield f"{token}="
    yield f"{token}=="
    yield f"{head}=.{payload}.{signature}"
    yield f"{head}.{payload}==.{signature}"
    if len(signature) % 4:  # the last character has bits to spare
        yield token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    yield f"{token[:-9]}\n{token[-9:]}"
    yield f"{token}\r\n"
    yield f"{token}!"
    yield token.replace("_", "/").replace("-", "+") if "_" in token or "-" in token else f"{token}~"


@pytest.mark.parametrize("kind", ["access", "refresh", "external"])
def test_a_token_has_one_spelling(world, kind):
    reply = world.get("/token?scope=repository:team/app:pull&offline_token=true", user="ada").json
    token = {"access": reply["token"], "refresh": reply["refresh_token"], "external": issuing.token()}[kind]

    def accepted(text):
        if kind == "refresh":
            form = f"grant_type=refresh_token&service=x&refresh_token={text}".encode()
            return world.post("/token", user=None, body=form).status == 200
        name = "ada" if kind == "access" else "ci"
        as_password = "\n" not in text and world.get("/v2/", user=name, password=text).status == 200
        as_bearer = "\n" not in text and world.get("/v2/", token=text).status == 200
        return as_password or as_bearer

    assert accepted(token)
    for other in respelt(token):
        assert not accepted(other), other


def test_scopes_that_cost_too_much_are_refused(world):
    for scopes in ([f"{HEAVY}{number}:pull" for number in range(100)], [f"repository:{'x' * 450}$:pull"] * 60):
        began = time.process_time()
        reply = create(world, scopes=scopes)
        assert world.get("/api/v1/tokens", user="ada").json["tokens"] == []
        assert (reply.status, reply.codes) == (400, ["UNSUPPORTED"])
        assert "scopes" in reply.json["errors"][0]["detail"]
        assert time.process_time() - began < 5


def test_scopes_are_counted_before_they_are_compiled(world, monkeypatch):
    monkeypatch.setattr(
        "simple_registry.http.handlers.issued_tokens.parse_client_limit", lambda _: pytest.fail("compiled")
    )
    for scopes in (["repository:a:pull"] * 101, [f"repository:{'a' * 500}:pull"]):
        assert create(world, scopes=scopes).status == 400


def test_a_token_that_was_issued_with_scopes_that_cost_too_much_is_refused(world):
    row = TokenRow(
        token_id="old", secret_hash=hashlib.sha256(b"srt_old").digest(), owner="ada", description="",
        created=0.0, expires=None, scopes=(f"{HEAVY}:pull",),
    )  # fmt: skip
    assert world.run(world.kept.stores.rows.tokens.add_token(row, limit=10))
    assert world.get("/v2/", token="srt_old").status == 401


def threads_of(monkeypatch):
    """Return the names of the functions that run in threads from now on."""
    names = []
    plain = asyncio.to_thread
    monkeypatch.setattr(asyncio, "to_thread", lambda *work: names.append(work[0].__name__) or plain(*work))
    return names


def test_a_token_is_compiled_once_for_many_requests(world, monkeypatch):
    secret = create(world, scopes=["repository:^team/:pull"]).json["secret"]
    threads = threads_of(monkeypatch)
    for _ in range(3):
        assert world.get("/v2/team/app/manifests/v1", token=secret).status == 200
    assert threads.count("parse_client_limit") == 1


def test_no_pattern_is_compiled_for_anonymous_callers(world, monkeypatch):
    threads = threads_of(monkeypatch)
    names = "%20".join(f"repository:team/{number}:pull" for number in range(100))
    for _ in range(20):
        token = world.get(f"/token?scope={names}", user=None).json["token"]
        assert world.get("/v2/team/7/tags/list", token=token).status in {200, 401, 404}
    assert "parse_client_limit" not in threads
