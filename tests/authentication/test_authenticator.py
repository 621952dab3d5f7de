"""Authentication: every credential in every place, forged, expired, revoked, and never taken for an anonymous one."""

import asyncio
import json
import time
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st

from simple_registry.access.caller import Proof, Source
from simple_registry.access.roles import User
from simple_registry.access.signed_tokens import GivenKey, SignedClaims, TokenKind, TokenSigner
from simple_registry.authentication import login_queue
from simple_registry.authentication.credentials import ExpiredToken, InsufficientScope, InvalidToken, WrongCredentials
from simple_registry.authentication.login_throttle import FREE_FAILURES, FREE_FAILURES_OF_NETWORK
from simple_registry.config.settings import ChallengeMode, Settings, Web
from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST
from support import issuing
from support.access import ADMINS, READONLY, READWRITE, binding, rules, static_token
from support.documents import push_image
from support.front import ADMINISTRATOR, PASSWORD, SECRET, Front, basic
from support.headers import GARBAGE
from support.stores import in_memory
from support.time import SettableClock

BASIC = 'Basic realm="simple-registry"'
STATIC = "a-static-token-of-ada"
NARROW = "a-narrow-token-of-ada"
SHORT = "a-short-token-of-ada"
NOW = SettableClock().now()
CI = "ci:repo:a/b"


def full_rules(**changed):
    """Return rules with ada (team/, by a group), eve (her own place), tokens, an issuer and anonymous pulls of lib/."""
    given_rules = {
        "users": {"ada": "devs", "eve": "", "anonymous": "public"},
        "tokens": [
            static_token(STATIC, "ada"),
            static_token(NARROW, "ada", scopes=["repository:^team/app(:.+)?$:pull"]),
            static_token(SHORT, "ada", expires=NOW + 60),
        ],
        "issuers": [issuing.trusted()],
    }
    bindings = [
        binding("@devs", READWRITE, "^team/.*$", "^$"),
        binding("@devs", ("blobs manifests", "delete"), "^team/.*$"),
        binding("eve", ADMINS, "^eve/.*$"),
        binding("@public", READONLY, "^lib/.*$", "^$"),
        binding(CI, READWRITE, "^team/.*$"),
    ]
    return rules(*bindings, **(given_rules | changed))


@pytest.fixture
def world(make_front):
    """An application with every kind of user, and content in two repositories."""
    front = make_front(rules=full_rules())
    push_image(front, "team/app", "v1")
    push_image(front, "lib/base", "v1")
    return front


def issued(front, user="ada", **document):
    """Return the id and the secret of a token that the registry gives to a user."""
    headers = {"content-type": "application/json"}
    reply = front.post("/api/v1/tokens", user=user, headers=headers, body=json.dumps(document).encode())
    assert reply.status == 201, reply
    return reply.json["id"], reply.json["secret"]


def access_token(front, scope="repository:team/app:pull,push", **credentials):
    """Return a token of the token endpoint."""
    reply = front.get(f"/token?scope={scope}", **credentials)
    assert reply.status == 200, reply
    return reply.json["token"]


def external(**changed):
    return issuing.token(**changed)


def may_pull(front, **credentials):
    return front.get("/v2/team/app/manifests/v1", **credentials).status


# ---------------------------------------------------------------- credentials that are right


def test_a_password_logs_in(world):
    assert may_pull(world, user="ada") == 200


def test_a_static_token_is_a_bearer_token_and_a_password_of_its_user(world):
    assert may_pull(world, token=STATIC) == 200
    assert may_pull(world, user="ada", password=STATIC) == 200
    assert may_pull(world, user="eve", password=STATIC) == 401
    assert may_pull(world, user=ADMINISTRATOR, password=STATIC) == 401


def test_an_issued_token_is_a_bearer_token_and_a_password_of_its_owner(world):
    _, secret = issued(world)
    assert may_pull(world, token=secret) == 200
    assert may_pull(world, user="ada", password=secret) == 200
    assert may_pull(world, user="eve", password=secret) == 401


def test_an_external_token_is_a_bearer_token_and_a_password_of_any_name(world):
    assert may_pull(world, token=external()) == 200
    for name in ("ci", "oauth2", "<token>", "ada"):
        assert may_pull(world, user=name, password=external()) == 200


def test_a_signed_token_is_a_bearer_token_and_a_password_of_its_user(world):
    token = access_token(world, user="ada")
    assert may_pull(world, token=token) == 200
    assert may_pull(world, user="ada", password=token) == 200
    assert may_pull(world, user="eve", password=token) == 401


def test_an_unknown_token_is_refused_as_a_wrong_password(world):
    assert world.get("/v2/", user="ada", password="a.b.c").status == 401
    assert world.get("/v2/", user="ada", password="srt_unknown").status == 401


def test_text_in_the_form_of_a_token_is_not_verified_as_a_password(memory_front):
    memory_front.access.rules = full_rules()
    memory_front.verify = lambda *_, **__: True
    for password, status in {"a.b.c": 200, "eyJ.b": 200, "eyJ.b.c": 401, "eyJhbGciOiJub25lIn0.e30.": 401}.items():
        assert memory_front.get("/v2/", user="ada", password=password).status == status


def test_without_credentials_one_is_anonymous_where_that_exists(world):
    assert world.get("/v2/lib/base/manifests/v1", user=None).status == 200
    world.access.rules = full_rules(users=["ada"])
    assert world.get("/v2/lib/base/manifests/v1", user=None).status == 401


def test_every_mode_of_challenges_accepts_every_credential(clock):
    for mode in ChallengeMode:
        with Front(in_memory(clock), clock, Settings(web=Web(challenge=mode)), rules=full_rules()) as front:
            push_image(front, "team/app", "v1")
            _, secret = issued(front)
            for credentials in ({"user": "ada"}, *({"token": each} for each in (STATIC, secret, external()))):
                assert may_pull(front, **credentials) == 200
                assert may_pull(front, token=access_token(front, **credentials)) == 200


# ---------------------------------------------------------------- credentials that are wrong


def refused(reply):
    """Tell that an answer is a proper 401."""
    assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
    assert reply.all("www-authenticate")
    assert "traceback" not in reply.body.decode().lower()
    return True


@pytest.mark.parametrize("header", GARBAGE)
@pytest.mark.parametrize("path", ["/v2/", "/v2/lib/base/manifests/v1", "/token", "/v2/_catalog", "/api/v1/tokens"])
def test_garbage_is_a_401_even_in_an_empty_policy(clock, header, path):
    with Front(in_memory(clock), clock, rules=full_rules()) as front:
        assert refused(front.get(path, headers={"authorization": header}))


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])) | st.text("abcXYZ019._-=+/ ", max_size=60))
def test_no_header_whatever_it_holds_is_anonymous_or_a_crash(memory_front, text):
    memory_front.access.rules = full_rules()
    for header in (text, f"Basic {text}", f"Bearer {text}", f"Bearer srt_{text}", f"Bearer {text}.{text}.{text}"):
        assert refused(memory_front.get("/v2/lib/base/tags/list", headers={"authorization": header}))


@pytest.mark.parametrize(
    "header",
    [
        basic(ADMINISTRATOR, "wrong"),
        basic("nobody", PASSWORD),
        basic("Ada", PASSWORD),
        basic("ada ", PASSWORD),
        basic("ada", ""),
        basic("ada", PASSWORD + " "),
        basic("ada", "x" * 80),
        basic("ada", PASSWORD + "\0"),
        basic("anonymous", ""),
        basic("anonymous", PASSWORD),
        basic(CI, PASSWORD),
        "Bearer " + b64encode(f"ada:{PASSWORD}".encode()).decode(),
        f"Bearer {PASSWORD.replace(' ', '_')}",
    ],
)
def test_wrong_credentials_are_refused_and_change_nothing(world, header):
    with world.unchanged():
        for path in ("/v2/", "/v2/lib/base/manifests/v1", "/token"):
            assert refused(world.get(path, headers={"authorization": header}))


def test_wrong_passwords_and_unknown_users_get_the_same_answer(world):
    wrong, unknown, without = (world.get("/v2/", user=name, password="x") for name in ("ada", "nobody", "anonymous"))
    assert wrong.stable_headers == unknown.stable_headers == without.stable_headers
    assert wrong.json["errors"] == unknown.json["errors"] == without.json["errors"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"user": None}, "authentication required"),
        ({"user": "ada", "password": "wrong"}, WrongCredentials.message),
        ({"user": "nobody", "password": "wrong"}, WrongCredentials.message),
        ({"user": "ada", "password": "srt_revoked"}, WrongCredentials.message),
        ({"user": "eve", "password": STATIC}, WrongCredentials.message),
        ({"headers": {"authorization": "Basic ?"}}, WrongCredentials.message),
        ({"token": "unknown"}, InvalidToken.message),
        ({"token": SHORT}, ExpiredToken.message),
        ({"user": "ada", "password": SHORT}, ExpiredToken.message),
        ({"token": NARROW}, InsufficientScope.message),
    ],
)
def test_a_401_says_in_its_body_what_is_wrong(world, clock, how, message):
    clock.advance(61)
    reply = world.put("/v2/team/app/manifests/v2", body=b"{}", **how)
    assert refused(reply)
    (error,) = reply.json["errors"]
    assert error["message"] == message
    detail = {"scope": "repository:team/app:pull,push"} if message == InsufficientScope.message else None
    assert error.get("detail") == detail


def test_an_empty_user_with_an_empty_password_is_an_anonymous_caller(world):
    empty = {"headers": {"authorization": basic("", "")}}
    for method, path in [
        ("GET", "/v2/"),
        ("GET", "/v2/lib/base/manifests/v1"),
        ("GET", "/v2/team/app/manifests/v1"),
        ("GET", "/v2/_catalog"),
        ("POST", "/v2/lib/base/blobs/uploads/"),
        ("GET", "/api/v1/tokens"),
    ]:
        reply, without = world.request(method, path, **empty), world.request(method, path, user=None)
        assert reply.status == without.status
        assert reply.all("www-authenticate") == without.all("www-authenticate")
        assert reply.json.get("errors") == without.json.get("errors")
    world.access.rules = full_rules(users=["ada"])
    for path in ("/v2/", "/token", "/v2/lib/base/manifests/v1"):
        assert refused(world.get(path, **empty))


@pytest.mark.parametrize("header", [basic("", "x"), basic("", " "), basic("", ":"), "Basic Og", "Basic Og==="])
def test_any_other_empty_user_is_refused(world, header):
    for path in ("/v2/", "/token", "/v2/lib/base/manifests/v1"):
        assert refused(world.get(path, headers={"authorization": header}))


def test_two_authorization_headers_are_garbage(world):
    for other in (basic("ada", PASSWORD), basic("eve", PASSWORD), f"Bearer {STATIC}", "", "x"):
        for twice in ([basic("ada", PASSWORD), other], [f"Bearer {STATIC}", other]):
            headers = [("authorization", each) for each in twice]
            reply = world.get("/v2/lib/base/manifests/v1", headers=headers)
            assert reply.status == 401, twice


def test_a_user_without_a_password_logs_in_only_with_tokens(make_front):
    known = full_rules()
    users = {**known.users, "ada": User("ada", frozenset({"devs"}))}
    front = make_front(rules=replace(known, users=users))
    assert front.get("/v2/", user="ada").status == 401
    assert front.get("/v2/", user="ada", password="").status == 401
    assert front.get("/v2/", user="ada", password=STATIC).status == 200


FORGED = {
    "another key": issuing.token(issuing.OTHER_RSA),
    "none": issuing.signed(issuing.RSA, json.dumps({"alg": "none"}), json.dumps(issuing.claims())),
    "the public key as a secret": issuing.token(issuing.public_pem(issuing.RSA).encode(), alg="HS256"),
    "its own key": issuing.token(issuing.OTHER_RSA, header={"jwk": issuing.jwk(issuing.OTHER_RSA)}),
    "a key by URL": issuing.token(issuing.OTHER_RSA, header={"jku": "https://evil.example/jwks"}),
    "a critical header": issuing.token(header={"crit": ["exp"]}),
    "a number as kid": issuing.token(header={"kid": 7}),
    "a long kid": issuing.token(header={"kid": "k" * 4000}),
    "another type": issuing.token(header={"typ": "dpop+jwt"}),
    "another issuer": issuing.token(iss="https://evil.example"),
    "another audience": issuing.token(aud="other"),
    "no audience": issuing.token(aud=...),
    "no expiry": issuing.token(exp=...),
    "text as expiry": issuing.token(exp="9999999999"),
    "infinity as expiry": issuing.token(
        payload=json.dumps(issuing.claims()).replace(str(int(issuing.NOW) + 300), "1e999")
    ),
    "not yet": issuing.token(nbf=int(issuing.NOW) + 120),
    "from the future": issuing.token(iat=int(issuing.NOW) + 120),
    "expired": issuing.token(iat=int(issuing.NOW) - 600, exp=int(issuing.NOW) - 61),
    "no subject": issuing.token(sub=...),
    "an array as subject": issuing.token(sub=["a"]),
    "a space as subject": issuing.token(sub="a b"),
    "a duplicate claim": issuing.token(payload=json.dumps(issuing.claims())[:-1] + ', "sub": "admin"}'),
    "not JSON": issuing.token(payload="{"),
    "an array": issuing.token(payload="[]"),
    "nested deeply": issuing.token(payload="[" * 10_000),
    "half a character": issuing.token(payload='{"sub": "\\ud800"}'),
    "no UTF-8": issuing.signed(issuing.RSA, '{"alg":"RS256"}', b"\xff{}"),
    "too long": issuing.token(padding="x" * 20_000),
    "padding": issuing.token() + "=",
    "four parts": issuing.token() + ".x",
    "no signature": issuing.token().rpartition(".")[0] + ".",
    "dots": "..",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_external_token_is_refused_everywhere(clock, name):
    with Front(in_memory(clock), clock, rules=full_rules()) as front, front.unchanged():
        for path in ("/v2/", "/v2/lib/base/tags/list", "/token"):
            assert refused(front.get(path, token=FORGED[name]))
        assert refused(front.get("/v2/", user="ci", password=FORGED[name]))


def signed(kind=TokenKind.ACCESS, *, secret=SECRET, **changed):
    """Return a token signed by the registry, or by another key."""
    fields = {
        "subject": "ada",
        "proof": Proof(Source.STATIC_TOKEN, static_token(STATIC, "ada").value_hash.hex()),
        "issued": int(NOW),
        "expires": int(NOW) + 300,
        "token_id": "id",
        "scopes": ("repository:team/app:pull",),
    }
    return TokenSigner(GivenKey(secret)).sign(SignedClaims(**(fields | changed)), kind)


def test_the_token_maker_of_these_tests_can_make_a_valid_token(world):
    assert may_pull(world, token=signed()) == 200


@pytest.mark.parametrize(
    "token",
    [
        signed(secret=b"another"),
        signed(TokenKind.REFRESH),
        signed(expires=int(NOW)),
        signed(subject="eve"),
        signed(subject="nobody"),
        signed(proof=Proof(Source.STATIC_TOKEN, "00" * 32)),
        signed(proof=Proof(Source.STATIC_TOKEN, "")),
        signed(proof=Proof(Source.STATIC_TOKEN, "xyz")),
        signed(proof=Proof(Source.PASSWORD, "")),
        signed(proof=Proof(Source.PASSWORD, "0" * 32)),
        signed(proof=Proof(Source.ISSUED_TOKEN, "unknown")),
        signed(proof=Proof(Source.ANONYMOUS)),
        signed(proof=Proof(Source.EXTERNAL, "a.b.c")),
        signed(proof=Proof(Source.EXTERNAL, "")),
        signed(proof=Proof(Source.EXTERNAL, issuing.token())),
        signed(scopes=("garbage",)),
    ],
)
def test_a_signed_token_whose_proof_does_not_hold_is_refused(clock, token):
    with Front(in_memory(clock), clock, rules=full_rules()) as front:
        for path in ("/v2/", "/v2/team/app/tags/list", "/v2/lib/base/tags/list", "/token"):
            assert refused(front.get(path, token=token))


def test_a_refresh_token_is_good_for_nothing_but_refreshing(world):
    token = world.get("/token?offline_token=true", user="ada").json["refresh_token"]
    assert refused(world.get("/v2/", token=token))
    assert refused(world.get("/v2/team/app/manifests/v1", token=token))
    assert refused(world.get("/v2/", user="ada", password=token))
    assert refused(world.get("/token", token=token))


def test_an_external_token_is_never_the_administrator_of_the_flags(world):
    people = issuing.trusted(user_prefix="", groups_claim="groups")
    world.access.rules = replace(full_rules(issuers=[people]), administrator=ADMINISTRATOR)
    token = external(sub=ADMINISTRATOR)
    with world.unchanged():
        assert refused(world.get("/v2/", token=token))
        assert refused(world.get("/token", token=token))
        assert refused(world.get("/v2/", user=ADMINISTRATOR, password=token))
    assert may_pull(world, token=external(sub="ada")) == 200
    assert may_pull(world, token=external(sub="eve", groups=["devs"])) == 200


def test_an_external_token_with_a_prefix_is_never_a_local_user(world):
    world.access.rules = full_rules(issuers=[issuing.trusted(user_prefix="a.")], users=["a.da", "a.dam"])
    assert refused(world.get("/v2/", token=external(sub="da")))
    assert world.get("/v2/", token=external(sub="bel")).status == 200


# ---------------------------------------------------------------- what limits a credential


def status_of(front, method, path, **credentials):
    body = b"{}" if method in {"PUT", "PATCH", "POST"} else b""
    return front.request(method, path, body=body, **credentials)


def test_a_401_names_the_scope_that_a_narrow_token_lacks(world):
    reply = world.put("/v2/team/app/manifests/v2", token=NARROW, body=b"{}")
    assert refused(reply)
    bearer = reply.all("www-authenticate")[0]
    assert 'error="insufficient_scope"' in bearer
    assert 'scope="repository:team/app:pull,push"' in bearer


def test_a_missing_permission_of_the_user_is_a_403_for_all_credentials(world):
    _, secret = issued(world)
    for credentials in (
        {"user": "ada"},
        {"token": STATIC},
        {"token": NARROW},
        {"token": secret},
        {"token": external()},
        {"token": access_token(world, user="ada")},
    ):
        reply = world.get("/v2/eve/app/manifests/v1", **credentials)
        assert (reply.status, reply.codes) == (403, ["DENIED"])
        assert set(reply.json["errors"][0]["detail"]) == {"verb", "resource", "scope"}


def test_limited_credentials_read_public_content(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READWRITE, "^(team|lib)/", "^$"),
            binding("eve", READONLY, "^team/"),
            binding("anonymous", READONLY, "^lib/", "^$"),
            users=["ada", "eve", "anonymous"],
            tokens=[
                static_token(NARROW, "ada", scopes=["repository:^team/app(:|$):pull"]),
                static_token("a-narrow-token-of-eve", "eve", scopes=["repository:^team/app(:|$):pull"]),
            ],
        )
    )
    for repository in ("team/app", "team/secret", "lib/base"):
        push_image(front, repository, "v1")
    _, secret = issued(front, scopes=["repository:^team/app(:|$):pull"])
    digest = digest_of(front.get("/v2/lib/base/manifests/v1").body)
    for token in (NARROW, secret, access_token(front, "repository:team/app:pull", token=NARROW)):
        for path in ("manifests/v1", f"manifests/{digest}", f"referrers/{digest}"):
            assert front.get(f"/v2/lib/base/{path}", token=token).status == 200
        assert front.get("/v2/lib/base/tags/list", token=token).json["tags"] == ["v1"]
        assert front.get("/v2/team/app/tags/list", token=token).json["tags"] == ["v1"]
        assert refused(front.get("/v2/team/secret/manifests/v1", token=token))
        assert refused(front.get("/v2/_catalog", token=token))
        with front.unchanged():
            assert refused(front.post("/v2/lib/base/blobs/uploads/", token=token))
    # A limit that leaves room is still no right: eve is not bound to lib.
    assert front.get("/v2/lib/base/manifests/v1", token="a-narrow-token-of-eve").status == 403


def test_a_token_without_scopes_allows_only_the_ping(world):
    token = world.get("/token", user="ada").json["token"]
    assert world.get("/v2/", token=token).status == 200
    assert "insufficient_scope" in world.get("/v2/team/app/manifests/v1", token=token).all("www-authenticate")[0]


REQUESTS = [
    (method, shape.format(name))
    for name in ("team/app", "lib/base", "eve/app")
    for method, shape in [
        ("GET", "/v2/{}/manifests/v1"),
        ("HEAD", "/v2/{}/manifests/v2"),
        ("GET", "/v2/{}/tags/list"),
        ("GET", "/v2/{}/blobs/sha256:" + "0" * 64),
        ("GET", "/v2/{}/referrers/sha256:" + "0" * 64),
        ("POST", "/v2/{}/blobs/uploads/"),
        ("PUT", "/v2/{}/manifests/v1"),
        ("DELETE", "/v2/{}/manifests/none"),
    ]
] + [("GET", "/v2/_catalog")]
GRANTS = st.lists(
    st.builds(
        lambda name, actions: f"repository:{name}:{','.join(actions)}",
        st.sampled_from(["team/app", "lib/base", "eve/app", "team", "nowhere"]),
        st.lists(st.sampled_from(["pull", "push", "delete", "*"]), unique=True),
    )
    | st.just("registry:catalog:*"),
    max_size=3,
)


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(REQUESTS), GRANTS, st.sampled_from(["ada", "eve"]))
def test_a_limited_credential_never_does_more_than_its_user(memory_front, request_line, grants, user):
    method, path = request_line
    token, patterns = "a-limited-static-token", [grant.replace(":team", ":^team") for grant in grants]
    memory_front.access.rules = full_rules(tokens=[static_token(token, user, scopes=patterns)])
    wide = status_of(memory_front, method, path, user=user).status
    derived = access_token(memory_front, "%20".join(grants), user=user)
    twice = access_token(memory_front, "%20".join(grants), token=token)
    for narrow in (token, derived, twice):
        status = status_of(memory_front, method, path, token=narrow).status
        assert status in {wide, 401}
        assert status == 401 or wide != 401
        if wide == 403:
            assert status == 403


# ---------------------------------------------------------------- revoked, reloaded, expired


DERIVED = {
    "password": lambda front: {"user": "ada"},
    "static": lambda front: {"token": STATIC},
    "issued": lambda front: {"token": issued(front)[1]},
    "external": lambda front: {"token": external()},
}


def derived_from(front, how_proved):
    """Return an access and a refresh token of ada's, or of the CI's."""
    credentials = DERIVED[how_proved](front)
    reply = front.get("/token?scope=repository:team/app:pull,push&offline_token=true", **credentials)
    return reply.json["token"], reply.json["refresh_token"]


def refresh(front, token):
    body = f"grant_type=refresh_token&refresh_token={token}&scope=repository:team/app:pull".encode()
    return front.post("/token", user=None, body=body)


ENDINGS = {
    "a changed password": ("password", lambda: replace(full_rules(), users=_with_hash("ada", "$2b$04$" + "a" * 53))),
    "a removed password": ("password", lambda: replace(full_rules(), users=_with_hash("ada", None))),
    "a removed user": ("password", lambda: full_rules(users=["anonymous"])),
    "a removed token": ("static", lambda: full_rules(tokens=[])),
    "a token given to another user": ("static", lambda: full_rules(tokens=[static_token(STATIC, "eve")])),
    "the removed user of a token": ("static", lambda: full_rules(users=["eve", "anonymous"])),
    "the removed owner of an issued token": ("issued", lambda: full_rules(users=["eve", "anonymous"])),
    "a removed issuer": ("external", lambda: full_rules(issuers=[])),
    "an issuer with other keys": (
        "external",
        lambda: full_rules(issuers=[issuing.trusted(issuing.KeysFromPem((issuing.public_pem(issuing.OTHER_RSA),)))]),
    ),
    "an issuer for another audience": ("external", lambda: full_rules(issuers=[issuing.trusted(audiences=("other",))])),
    "an issuer with another prefix": ("external", lambda: full_rules(issuers=[issuing.trusted(user_prefix="x:")])),
}


def _with_hash(name, password_hash):
    users = full_rules().users
    return {**users, name: replace(users[name], password_hash=password_hash)}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_end_of_a_credential_ends_derived_tokens_at_the_next_request(world, name):
    proved, after = ENDINGS[name]
    access, refreshing = derived_from(world, proved)
    assert may_pull(world, token=access) == 200
    location = world.post("/v2/team/app/blobs/uploads/", token=access).location
    world.access.rules = after()
    with world.unchanged():
        assert refused(world.get("/v2/team/app/manifests/v1", token=access))
        assert refused(world.get("/v2/lib/base/manifests/v1", token=access))
        assert refused(world.patch(location, token=access, body=b"x"))
        assert refused(refresh(world, refreshing))


def test_revoking_an_issued_token_ends_it_and_what_was_derived_from_it(world):
    token_id, secret = issued(world)
    access = access_token(world, token=secret)
    location = world.post("/v2/team/app/blobs/uploads/", token=secret).location
    assert world.delete(f"/api/v1/tokens/{token_id}", user="ada").status == 204
    for token in (secret, access):
        assert refused(world.get("/v2/team/app/manifests/v1", token=token))
        assert refused(world.patch(location, token=token, body=b"x"))
    assert refused(world.get("/v2/", user="ada", password=secret))


def test_a_right_that_is_taken_away_is_gone_from_tokens_that_carry_it(world):
    access = access_token(world, user="ada")
    world.access.rules = rules(users=["ada"], tokens=full_rules().tokens.values())
    assert world.get("/v2/team/app/manifests/v1", token=access).status == 403


def test_ending_anonymous_access_ends_anonymous_tokens(world):
    token = world.get("/token?scope=repository:lib/base:pull", user=None).json["token"]
    assert world.get("/v2/lib/base/manifests/v1", token=token).status == 200
    world.access.rules = full_rules(users=["ada", "eve"])
    assert refused(world.get("/v2/lib/base/manifests/v1", token=token))


def test_a_cached_password_is_invalid_with_another_hash(world):
    assert may_pull(world, user="ada") == 200
    world.access.rules = ENDINGS["a changed password"][1]()
    assert may_pull(world, user="ada") == 401


@pytest.mark.parametrize("proved", ["static", "signed", "external", "issued"])
def test_an_expired_credential_finishes_its_own_upload_and_does_nothing_else(world, clock, proved):
    token = short_lived(world, proved)
    location = world.post("/v2/team/app/blobs/uploads/", token=token).location
    other = world.post("/v2/team/app/blobs/uploads/", user=ADMINISTRATOR).location
    clock.advance(400)
    digest = digest_of(b"late bytes")
    assert refused(world.get("/v2/", token=token))
    world.settle()  # the use of an issued token is noted
    with world.unchanged():
        for path in ("/v2/", "/v2/team/app/manifests/v1", "/v2/lib/base/manifests/v1", "/token", "/v2/_catalog"):
            assert refused(world.get(path, token=token))
        assert refused(world.post("/v2/team/app/blobs/uploads/", token=token))
        assert refused(world.post(f"/v2/team/app/blobs/uploads/?digest={digest}", token=token, body=b"late bytes"))
        assert refused(world.put("/v2/team/app/manifests/v2", token=token, body=b"{}"))
        assert refused(world.patch(other, token=token, body=b"x"))
        assert refused(world.get("/v2/team/app/blobs/uploads/none", token=token))
    assert world.patch(location, token=token, body=b"late ").status == 202
    assert world.get(location, token=token).status == 204
    assert world.put(f"{location}?digest={digest}", token=token, body=b"bytes").status == 201
    assert refused(world.get(f"/v2/team/app/blobs/{digest}", token=token))


@pytest.mark.parametrize("proved", ["static", "signed", "external", "issued"])
def test_an_expired_credential_finishes_no_upload_that_is_younger_than_its_end(world, clock, proved):
    token = short_lived(world, proved)
    user = {"token": external(exp=int(NOW) + 900)} if proved == "external" else {"user": "ada"}
    clock.advance(400)
    location = world.post("/v2/team/app/blobs/uploads/", **user).location
    assert refused(world.get("/v2/", token=token))
    world.settle()
    with world.unchanged():
        reply = world.patch(location, token=token, body=b"x")
        assert refused(reply)
        assert reply.json["errors"][0]["message"] == ExpiredToken.message
        assert refused(world.put(f"{location}?digest={digest_of(b'')}", token=token))
        assert refused(world.get(location, token=token))
        assert refused(world.delete(location, token=token))
    assert world.delete(location, **user).status == 204


@pytest.mark.parametrize("proved", ["static", "signed", "external", "issued"])
def test_an_expired_credential_is_good_for_nothing_a_day_later(world, clock, proved):
    token = short_lived(world, proved)
    location = world.post("/v2/team/app/blobs/uploads/", token=token).location
    clock.advance(24 * 3600 + 10)
    assert world.patch(location, token=token, body=b"x").status == 202
    clock.advance(400)
    assert refused(world.get("/v2/", token=token))
    world.settle()
    with world.unchanged():
        assert refused(world.patch(location, token=token, body=b"x"))
        assert refused(world.get(location, token=token))


def short_lived(world, proved):
    """Return a token of ada's, or of the CI's, that ends within six minutes."""
    match proved:
        case "static":
            return SHORT
        case "issued":
            return issued(world, expiresIn=60)[1]
        case "external":
            return external(exp=int(NOW) + 60)
        case _:
            return access_token(world, user="ada")


def test_an_expired_token_whose_rights_went_too_finishes_nothing(world, clock):
    location = world.post("/v2/team/app/blobs/uploads/", token=SHORT).location
    clock.advance(61)
    world.access.rules = rules(users=["ada"], tokens=full_rules().tokens.values())
    with world.unchanged():
        assert world.patch(location, token=SHORT, body=b"x").status == 403


def test_an_expired_credential_is_not_exchanged_for_a_fresh_one(world, clock):
    access, refreshing = derived_from(world, "static")
    short = world.get("/token?offline_token=true", token=SHORT).json["refresh_token"]
    clock.advance(301)
    assert refused(world.get("/token", token=access))
    assert refused(world.get("/token", token=SHORT))
    assert refused(refresh(world, short))
    assert refresh(world, refreshing).status == 200


# ---------------------------------------------------------------- passwords under attack


@pytest.fixture
def busy_front(memory_front):
    memory_front.access.rules = full_rules()
    return memory_front


@pytest.fixture
def slow_hash(busy_front):
    """Passwords that take a while, and are counted."""
    verify, asked = busy_front.verify, []

    def slow(password, stored, **further):
        asked.append(password)
        time.sleep(0.02)
        return verify(password, stored, **further)

    busy_front.verify = slow
    return asked


def patiently(front, *requests):
    """Send requests at once, while the clock runs ten times as fast as time; return their statuses."""

    async def scenario():
        answers = asyncio.gather(*requests)
        while not answers.done():
            await asyncio.sleep(0.01)
            front.clock.advance(0.1)
        return [reply.status for reply in await answers]

    return front.run(scenario())


def guess(front, number=0, **how):
    return front.send("GET", "/v2/", **{"user": "ada", "password": f"guess {number}"} | how)


def test_guesses_are_answered_late_and_the_right_password_at_once(memory_front, clock):
    memory_front.access.rules = full_rules()
    began = clock.monotonic()
    assert patiently(memory_front, *(guess(memory_front, n) for n in range(FREE_FAILURES + 2))) == [401] * 7
    assert clock.monotonic() - began >= 4
    began = clock.monotonic()
    assert memory_front.get("/v2/", user="ada").status == 200
    assert clock.monotonic() == began


def test_a_wrong_password_that_is_sent_again_is_not_a_guess(busy_front, slow_hash):
    assert {busy_front.get("/v2/", user="ada", password="stale").status for _ in range(200)} == {401}
    assert slow_hash == ["stale"]
    assert busy_front.get("/v2/", user="ada").status == 200


def test_revoked_tokens_in_place_of_a_password_cost_no_hash_and_do_not_slow_logins(busy_front, slow_hash):
    token_id, secret = issued(busy_front)
    busy_front.delete(f"/api/v1/tokens/{token_id}", user="ada")
    asked = len(slow_hash)
    for client in ("192.0.2.7", "192.0.2.1"):
        for _ in range(FREE_FAILURES + 1):
            assert busy_front.get("/v2/", user="ada", password=secret, client=client).status == 401
    assert len(slow_hash) == asked
    assert busy_front.get("/v2/", user="ada", client="192.0.2.7").status == 200


def test_bad_external_tokens_in_place_of_a_password_do_not_slow_logins(busy_front, slow_hash):
    short = [f"eyJ{number}.too.short" for number in range(FREE_FAILURES * 2)]
    for token in [issuing.token(issuing.OTHER_RSA), external(exp=int(NOW) - 100), *short]:
        assert busy_front.get("/v2/", user="ada", password=token).status == 401
    assert slow_hash == []
    assert busy_front.get("/v2/", user="ada").status == 200


def test_a_name_of_unusual_length_is_refused_before_anything_else(busy_front, slow_hash):
    for password in ("wrong", PASSWORD, STATIC, external()):
        assert busy_front.get("/v2/", user="a" * 256, password=password).status == 401
        form = f"grant_type=password&username={'a' * 256}&password={password}".encode()
        assert busy_front.post("/token", user=None, body=form).status == 401
    assert slow_hash == []
    assert busy_front.get("/v2/", user="a" * 255, password=external()).status == 200


def test_concurrent_guesses_are_throttled_like_sequential_ones(busy_front, slow_hash):
    statuses = patiently(busy_front, *(guess(busy_front, number) for number in range(200)))
    assert set(statuses) == {401, 429}
    assert statuses.count(401) == len(slow_hash) < 20


def test_the_same_right_password_many_times_at_once_is_one_attempt(busy_front, slow_hash):
    async def scenario():
        return [reply.status for reply in await asyncio.gather(*(busy_front.send("GET", "/v2/") for _ in range(50)))]

    assert busy_front.run(scenario()) == [200] * 50
    assert len(slow_hash) == 1


def test_a_guess_counts_although_its_client_leaves_before_the_answer(busy_front, slow_hash):
    async def scenario():
        for number in range(20):
            left = asyncio.ensure_future(guess(busy_front, number))
            await asyncio.sleep(0.005)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
        await asyncio.sleep(0.2)

    busy_front.run(scenario())
    assert FREE_FAILURES <= len(slow_hash) < 20
    assert patiently(busy_front, guess(busy_front, password=PASSWORD)) == [200]  # the last goes first


def test_one_address_that_guesses_users_leaves_the_others_room(busy_front, slow_hash):
    storm = (guess(busy_front, user=f"user{number}") for number in range(540))
    others = [guess(busy_front, password=PASSWORD, client=client) for client in ("198.51.100.9", "2001:db8::1")]
    statuses = patiently(busy_front, *storm, *others)
    assert statuses[-2:] == [200, 200]
    assert set(statuses[:-2]) == {401, 429}


def test_an_address_that_fails_with_many_users_refuses_none_of_them(memory_front):
    memory_front.access.rules = full_rules()
    scan = [guess(memory_front, user=f"user{number}") for number in range(FREE_FAILURES_OF_NETWORK + 5)]
    assert set(patiently(memory_front, *scan)) == {401}
    for user in ("ada", "eve"):
        assert patiently(memory_front, guess(memory_front, user=user, password=PASSWORD)) == [200]


def test_guesses_at_the_token_endpoint_count_too(memory_front, clock):
    forms = [b"grant_type=password&username=admin&password=guess%d" % number for number in range(FREE_FAILURES)]
    began = clock.monotonic()
    assert patiently(memory_front, *(memory_front.send("POST", "/token", user=None, body=form) for form in forms)) == [
        401
    ] * len(forms)
    assert clock.monotonic() > began + 1


def test_a_token_never_asks_for_a_hash(busy_front, slow_hash):
    for _ in range(5):
        assert busy_front.get("/v2/", token=STATIC).status == 200
        assert busy_front.get("/v2/", user="ada", password=STATIC).status == 200
        assert busy_front.get("/v2/", token=external()).status == 200
    assert slow_hash == []


def test_a_login_storm_leaves_anonymous_pulls_quick(busy_front, slow_hash, monkeypatch):
    monkeypatch.setattr(login_queue, "MAX_WAITING", 64)
    push_image(busy_front, "lib/base", "v1")

    async def pull():
        started = time.monotonic()
        reply = await busy_front.send("GET", "/v2/lib/base/manifests/v1", user=None)
        return reply.status, time.monotonic() - started

    async def scenario():
        storm = [
            asyncio.ensure_future(
                busy_front.send("GET", "/v2/", user="ada", password=f"guess {number}", client=f"192.0.2.{number}")
            )
            for number in range(200)
        ]
        await asyncio.sleep(0)
        pulls = [await pull() for _ in range(50)]
        return pulls, [reply.status for reply in await asyncio.gather(*storm)]

    pulls, storm = busy_front.run(scenario())
    assert {status for status, _ in pulls} == {200}
    assert sorted(seconds for _, seconds in pulls)[40] < 0.2
    assert set(storm) == {401, 429}
    assert len(slow_hash) <= 67


# ---------------------------------------------------------------- permissions that a request touches besides


def test_a_token_for_the_catalog_lists_what_its_user_may_pull(world):
    token = access_token(world, "registry:catalog:*", user="ada")
    assert world.get("/v2/_catalog", token=token).json == {"repositories": ["team/app"]}
    assert may_pull(world, token=token) == 401


def test_a_401_says_that_an_anonymous_token_does_not_suffice(world):
    token = access_token(world, "repository:team/app:pull", user=None)
    reply = world.post("/v2/team/app/blobs/uploads/", token=token)
    assert reply.status == 401
    assert 'error="insufficient_scope"' in reply.all("www-authenticate")[0]
    assert "error=" not in world.post("/v2/team/app/blobs/uploads/", user=None).all("www-authenticate")[0]


def test_further_tags_are_refused_as_the_first_one_would_be(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READWRITE, "^team/app$", "^team/app:dev"),
            binding("anonymous", READWRITE, "^team/app$", "^team/app:dev"),
            users=["ada", "anonymous"],
            tokens=[static_token(NARROW, "admin", scopes=["repository:^team/app(:dev.*)?$:pull,push"])],
        )
    )
    data = push_image(front, "team/app", "dev1")
    path = f"/v2/team/app/manifests/{digest_of(data)}?tag=prod"
    headers = {"content-type": OCI_IMAGE_MANIFEST}
    with front.unchanged():
        assert front.put(path, body=data, headers=headers, user="ada").status == 403
        assert front.put(path, body=data, headers=headers, user=None).status == 401
        narrow = front.put(path, body=data, headers=headers, token=NARROW)
        assert narrow.status == 401
        assert 'error="insufficient_scope"' in narrow.all("www-authenticate")[0]


def test_a_401_names_the_scope_of_the_source_of_a_mount(world):
    world.push_blob("team/source", b"layer")
    path = f"/v2/team/app/blobs/uploads/?mount={digest_of(b'layer')}&from=team/source"
    narrow = access_token(world, "repository:team/app:pull,push", user="ada")
    refusal = world.post(path, token=narrow)
    assert refusal.status == 401
    challenge = refusal.all("www-authenticate")[0]
    assert 'scope="repository:team/app:pull,push repository:team/source:pull",error="insufficient_scope"' in challenge
    wide = access_token(world, "repository:team/app:pull,push%20repository:team/source:pull", user="ada")
    assert world.post(path, token=wide).status == 201


@pytest.mark.parametrize("source", ["eve/secret", "no/such"])
def test_a_mount_from_what_the_user_may_not_read_is_a_plain_upload(world, source):
    world.push_blob("eve/secret", b"layer")
    token = access_token(world, "repository:team/app:pull,push", user="ada")
    path = f"/v2/team/app/blobs/uploads/?mount={digest_of(b'layer')}&from={source}"
    assert world.post(path, token=token).status == 202


def test_a_token_that_was_made_narrow_mounts_nothing_but_pushes(make_front):
    made = static_token(NARROW, "admin", scopes=["repository:^team/app(:.*)?$:pull,push"])
    front = make_front(rules=rules(tokens=[made]))
    front.push_blob("team/source", b"layer")
    path = f"/v2/team/app/blobs/uploads/?mount={digest_of(b'layer')}&from=team/source"
    assert front.post(path, token=NARROW).status == 202
