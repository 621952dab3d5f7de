"""The Docker token protocol: what is asked for, what is granted, and for how long."""

from urllib.parse import quote, urlencode

import jwt
import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st

from simple_registry.access.issuers import LEEWAY
from simple_registry.authentication.login_throttle import FORGET_AFTER
from simple_registry.authentication.token_service import MAX_SCOPES, REFRESH_LIFE
from simple_registry.config.settings import Settings, Web
from simple_registry.http.handlers.token_exchange import MAX_FORM
from support import issuing
from support.access import READONLY, READWRITE, binding, rules, static_token
from support.documents import push_image
from support.front import PASSWORD, Front
from support.stores import in_memory
from support.time import SettableClock

NOW = SettableClock().now()
STATIC, SHORT, NARROW = "a-static-token-of-ada", "a-short-token-of-ada", "a-narrow-token-of-ada"
LIFE = 300


def known():
    return rules(
        binding("ada", READWRITE, "^team/.*$", "^$"),
        binding("eve", ("manifests", "GET"), "^team/app:v1$"),
        binding("anonymous", READONLY, "^lib/.*$"),
        binding("ci:repo:a/b", READWRITE, "^team/.*$"),
        users=["ada", "eve", "anonymous"],
        tokens=[
            static_token(STATIC, "ada"),
            static_token(SHORT, "ada", expires=NOW + 60),
            static_token(NARROW, "ada", scopes=["repository:^team/app(:.+)?$:pull"]),
        ],
        issuers=[issuing.trusted()],
    )


@pytest.fixture
def front(make_front):
    made = make_front(rules=known())
    push_image(made, "team/app", "v1")
    push_image(made, "lib/base", "v1")
    return made


def ask(front, *scopes, offline=False, **credentials):
    query = urlencode([("scope", scope) for scope in scopes] + [("offline_token", "true")] * offline, quote_via=quote)
    return front.get(f"/token?{query}", **credentials)


def post(front, **fields):
    pairs = [
        (name, each)
        for name, value in fields.items()
        for each in ([value] if isinstance(value, str | bytes) else value)
    ]
    return front.post("/token", user=None, body=urlencode(pairs).encode())


def log_in(front, name="ada", password=PASSWORD, **fields):
    return post(front, grant_type="password", username=name, password=password, **fields)


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def granted(reply):
    assert reply.status == 200, reply
    assert reply.json["scope"].split() == claims(reply.json["token"])["scp"]
    return reply.json["scope"].split()


# ---------------------------------------------------------------- what an answer holds


def test_an_answer_has_every_field_that_clients_look_for(front):
    reply = ask(front, "repository:team/app:pull", user="ada")
    assert reply.status == 200
    assert reply.header("content-type") == "application/json"
    assert reply.header("cache-control") == "no-store"
    assert reply.json["token"] == reply.json["access_token"]
    assert reply.json["token_type"] == "Bearer"
    assert reply.json["expires_in"] == LIFE
    # Not `issued_at`: clients would compare it with their own clock.
    assert set(reply.json) == {"token", "access_token", "token_type", "expires_in", "scope"}


def test_a_token_shows_its_user_and_never_a_secret(front):
    for credentials in ({"user": "ada"}, {"token": STATIC}):
        token = ask(front, **credentials).json["token"]
        told = claims(token)
        assert (told["sub"], told["aud"], told["exp"] - told["iat"]) == ("ada", "simple-registry/access", LIFE)
        assert PASSWORD not in str(told)
        assert STATIC not in str(told)


def test_no_two_tokens_are_the_same(front):
    assert len({ask(front, user="ada").json["token"] for _ in range(5)}) == 5


def test_the_life_is_that_of_the_settings(clock):
    with Front(in_memory(clock), clock, Settings(web=Web(token_timeout=900)), rules=known()) as front:
        reply = ask(front, user="ada")
        assert reply.json["expires_in"] == 900
        clock.advance(899)
        assert front.get("/v2/", token=reply.json["token"]).status == 200
        clock.advance(1)
        assert front.get("/v2/", token=reply.json["token"]).status == 401


# ---------------------------------------------------------------- what is granted


@pytest.mark.parametrize(
    ("user", "asked", "expected"),
    [
        ("ada", ["repository:team/app:pull"], ["repository:team/app:pull"]),
        ("ada", ["repository:team/app:pull,push"], ["repository:team/app:pull,push"]),
        ("ada", ["repository:team/app:push,pull"], ["repository:team/app:pull,push"]),
        ("ada", ["repository:team/app:*"], ["repository:team/app:pull,push,delete,history,restore"]),
        ("ada", ["repository:team/app:delete"], ["repository:team/app:delete"]),
        ("ada", ["repository:other/app:pull,push"], ["repository:other/app:pull,push"]),
        ("ada", ["repository:team/a:pull repository:team/a:pull"] * 2, ["repository:team/a:pull"]),
        (
            "ada",
            ["repository:team/a:pull repository:team/b:push"],
            ["repository:team/a:pull", "repository:team/b:push"],
        ),
        (
            "ada",
            ["repository:team/a:pull", "repository:team/b:push"],
            ["repository:team/a:pull", "repository:team/b:push"],
        ),
        ("ada", ["registry:catalog:*"], ["registry:catalog:*"]),
        ("ada", ["registry:other:*"], []),
        ("ada", ["", "garbage", "image:team/app:pull", "repository:team/app:unknown"], []),
        (None, ["repository:lib/base:pull,push"], ["repository:lib/base:pull,push"]),
        (None, ["registry:catalog:*"], ["registry:catalog:*"]),
    ],
)
def test_a_token_carries_the_requested_scopes_that_are_understood(front, user, asked, expected):
    assert granted(ask(front, *asked, user=user)) == expected


NARROW_ROLES = {
    "tags alone": ("manifests", "GET PUT", ":release-[0-9]+$"),
    "questions alone": ("manifests blobs", "HEAD", "^team/app"),
    "chunks alone": ("blobs", "PATCH", "^team/app$"),
    "deletions alone": ("manifests", "DELETE", ":release-[0-9]+$"),
    "lists alone": ("tags", "GET", "^team/app$"),
}
TRIED = [
    *((method, f"manifests/{tag}") for tag in ("release-1", "v1") for method in ("GET", "HEAD", "PUT", "DELETE")),
    *((method, f"blobs/sha256:{'0' * 64}") for method in ("GET", "HEAD", "DELETE")),
    *((method, "blobs/uploads/none") for method in ("GET", "PATCH", "PUT", "DELETE")),
    *(("GET", "tags/list"), ("GET", f"referrers/sha256:{'0' * 64}"), ("POST", "blobs/uploads/")),
]


@pytest.mark.parametrize("name", NARROW_ROLES)
def test_a_token_takes_nothing_away_from_a_narrow_role(make_front, name):
    resources, verbs, scope = NARROW_ROLES[name]
    bound = binding("robot", (resources, verbs), scope)
    front = make_front(rules=rules(bound, users=["robot"], tokens=[static_token(STATIC, "robot")]))
    token = ask(front, "repository:team/app:pull,push,delete", user="robot").json["token"]
    statuses = set()
    for method, path in TRIED:
        target = f"/v2/team/app/{path}"
        by_password = front.request(method, target, user="robot").status
        assert front.request(method, target, token=token).status == by_password, (method, path)
        statuses.add(by_password)
    assert 403 in statuses
    assert statuses - {403, 401}


def test_an_anonymous_token_gets_a_challenge_where_the_policy_refuses(front):
    token = ask(front, "repository:team/app:pull,push", user=None).json["token"]
    for reply in (
        front.get("/v2/team/app/manifests/v1", token=token),
        front.post("/v2/lib/base/blobs/uploads/", token=token),
        front.post("/v2/team/app/blobs/uploads/", token=token),
    ):
        assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
        assert 'error="insufficient_scope"' in reply.header("www-authenticate")
        assert reply.json["errors"][0]["message"] == "authentication required"


def test_permission_on_a_single_tag_is_found_when_the_token_is_used(make_front):
    front = make_front(rules=rules(binding("eve", ("manifests", "GET"), "^team/app(:v1)?$"), users=["eve"]))
    push_image(front, "team/app", "v1")
    front.put("/v2/team/app/manifests/v2", body=front.get("/v2/team/app/manifests/v1").body)
    token = ask(front, "repository:team/app:pull", user="eve").json["token"]
    assert front.get("/v2/team/app/manifests/v1", token=token).status == 200
    assert front.get("/v2/team/app/manifests/v2", token=token).status == 403


def test_tokens_carry_scopes_as_names_and_not_as_patterns(front):
    token = ask(front, "repository:team/.*:pull", user="ada").json["token"]
    assert front.get("/v2/team/app/manifests/v1", token=token).status == 401
    token = ask(front, "repository:team/app:pull", user="ada").json["token"]
    assert front.get("/v2/team/app/manifests/v1", token=token).status == 200
    assert front.get("/v2/team/app2/manifests/v1", token=token).status == 401
    assert front.get("/v2/team/app/more/manifests/v1", token=token).status == 401


def test_too_many_scopes_are_refused(front):
    assert ask(front, *(f"repository:team/a{number}:pull" for number in range(MAX_SCOPES)), user="ada").status == 200
    assert ask(front, " ".join(["repository:team/a:pull"] * (MAX_SCOPES + 1)), user="ada").status == 400


def test_requests_without_credentials_get_anonymous_tokens_that_cannot_be_refreshed(front):
    reply = ask(front, "repository:lib/base:pull", offline=True, user=None)
    assert "refresh_token" not in reply.json
    token = reply.json["token"]
    assert front.get("/v2/", token=token).status == 200
    assert front.get("/v2/lib/base/manifests/v1", token=token).status == 200
    assert front.get("/v2/team/app/manifests/v1", token=token).status == 401


EMPTY = {"authorization": "Basic Og=="}


def test_an_empty_user_with_an_empty_password_is_anonymous(front):
    reply = front.get("/token?scope=repository:lib/base:pull&offline_token=true", headers=EMPTY)
    assert granted(reply) == ["repository:lib/base:pull"]
    assert "refresh_token" not in reply.json
    by_form = log_in(front, "", "", scope="repository:lib/base:pull", access_type="offline")
    assert "refresh_token" not in by_form.json
    for each in (reply, by_form):
        assert claims(each.json["token"])["sub"] == "anonymous"
        assert front.get("/v2/lib/base/manifests/v1", token=each.json["token"]).status == 200
        assert front.get("/v2/team/app/manifests/v1", token=each.json["token"]).status == 401


def test_an_empty_user_is_a_401_without_an_anonymous_user(memory_front):
    assert memory_front.get("/token", headers=EMPTY).status == 401
    assert log_in(memory_front, "", "").status == 401


def test_without_an_anonymous_user_a_token_requires_credentials(memory_front):
    reply = ask(memory_front, "repository:lib/base:pull", user=None)
    assert (reply.status, reply.header("www-authenticate")) == (401, 'Basic realm="simple-registry"')


@pytest.mark.parametrize(
    "credentials", [{"password": "wrong"}, {"user": "nobody"}, {"token": "wrong"}, {"token": "a.b.c"}]
)
def test_wrong_credentials_get_no_anonymous_token(front, credentials):
    assert ask(front, "repository:lib/base:pull", **credentials).status == 401


# ---------------------------------------------------------------- narrowing


def test_a_token_of_a_narrow_credential_is_as_narrow_whatever_it_asks(front):
    reply = ask(front, "repository:team/app:pull,push", "repository:team/other:pull", token=NARROW)
    assert_narrow(front, reply.json["token"])


def assert_narrow(front, token):
    """See that a token does what `NARROW` does, and no more."""
    assert front.get("/v2/team/app/manifests/v1", token=token).status == 200
    assert front.post("/v2/team/app/blobs/uploads/", token=token).status == 401
    assert front.get("/v2/team/other/tags/list", token=token).status == 401


def test_a_token_cannot_be_exchanged_for_a_wider_one(front):
    narrow = ask(front, "repository:team/app:pull", user="ada").json["token"]
    wider = ask(
        front, "repository:team/app:pull,push", "repository:team/other:pull", "registry:catalog:*", token=narrow
    )
    assert granted(wider) == ["repository:team/app:pull"]
    token = wider.json["token"]
    assert front.post("/v2/team/app/blobs/uploads/", token=token).status == 401
    assert front.get("/v2/team/other/tags/list", token=token).status == 401
    assert front.get("/v2/_catalog", token=token).status == 401


def test_no_chain_of_exchanges_outlives_its_first_credential(front, clock):
    token = SHORT
    for _ in range(5):
        reply = ask(front, "repository:team/app:pull", token=token)
        assert reply.status == 200
        assert claims(reply.json["token"])["exp"] <= NOW + 60
        token = reply.json["token"]
        clock.advance(10)
    clock.advance(10)
    assert front.get("/v2/", token=token).status == 401
    assert ask(front, token=token).status == 401


def test_exchanging_tokens_does_not_keep_one_alive(front, clock):
    token = ask(front, user="ada").json["token"]
    for _ in range(3):
        clock.advance(100)
        reply = ask(front, token=token)
        token = reply.json["token"] if reply.status == 200 else token
    assert front.get("/v2/", token=token).status == 401


def test_a_token_never_outlives_its_credential(front, clock):
    reply = ask(front, offline=True, token=SHORT)
    assert reply.json["expires_in"] == 60
    assert claims(reply.json["refresh_token"])["exp"] == NOW + 60
    assert ask(front, token=issuing.token(exp=int(NOW) + 200)).json["expires_in"] <= 200 + LEEWAY
    clock.advance(59.5)
    assert ask(front, token=SHORT).json["expires_in"] == 1
    clock.advance(0.5)
    assert ask(front, token=SHORT).status == 401


# ---------------------------------------------------------------- forms


def test_a_password_grant_is_a_login(front):
    reply = log_in(front, scope="repository:team/app:pull,push")
    assert granted(reply) == ["repository:team/app:pull,push"]
    assert "refresh_token" not in reply.json
    assert "refresh_token" in log_in(front, access_type="offline").json


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("anonymous", ""),
        ("", "x"),
        ("ada", ""),
    ],
)
def test_a_wrong_password_grant_is_refused(front, name, password):
    reply = front.post(
        "/token",
        user=None,
        body=urlencode([("grant_type", "password"), ("username", name), ("password", password)]).encode(),
    )
    assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
    assert reply.header("www-authenticate") == 'Basic realm="simple-registry"'


def test_tokens_pass_as_passwords_of_the_grant(front):
    assert log_in(front, "ada", STATIC).status == 200
    assert log_in(front, "eve", STATIC).status == 401
    assert log_in(front, "ci", issuing.token()).status == 200


def test_several_scopes_come_as_several_fields_or_with_spaces(front):
    expected = ["repository:team/a:pull", "repository:team/b:pull"]
    assert granted(log_in(front, scope=expected)) == expected
    assert granted(log_in(front, scope=" ".join(expected))) == expected


def test_a_refresh_token_gives_tokens_with_other_scopes_for_as_long_as_it_lives(front, clock):
    refresh_token = log_in(front, access_type="offline").json["refresh_token"]
    for name in ("a", "b"):
        clock.advance(LIFE + 1)
        scope = f"repository:team/{name}:pull"
        reply = post(front, grant_type="refresh_token", refresh_token=refresh_token, scope=scope, access_type="offline")
        assert granted(reply) == [scope]
        assert "refresh_token" not in reply.json
    clock.advance(REFRESH_LIFE)
    assert post(front, grant_type="refresh_token", refresh_token=refresh_token).status == 401


def test_a_refresh_token_of_a_narrow_credential_stays_narrow(front):
    refresh_token = ask(front, offline=True, token=NARROW).json["refresh_token"]
    asked = ["repository:team/app:pull,push", "repository:team/other:pull"]
    reply = post(front, grant_type="refresh_token", refresh_token=refresh_token, scope=asked)
    assert_narrow(front, reply.json["token"])


@pytest.mark.parametrize("proof", [{"user": "ada"}, {"token": NARROW}])
def test_an_access_token_gets_no_refresh_token_since_that_would_carry_no_scopes(front, proof):
    narrow = ask(front, "repository:team/app:pull", **proof).json["token"]
    assert "refresh_token" not in ask(front, "repository:team/app:pull", offline=True, token=narrow).json
    assert "refresh_token" not in log_in(front, password=narrow, access_type="offline").json


def test_a_form_that_cannot_be_read_is_refused(front):
    assert log_in(front, password=b"\xed\xa0\x80").status == 400


@pytest.mark.parametrize("token", ["", "x", "a.b.c", STATIC, issuing.token(), "srt_x", "\u00e4"])
def test_other_text_than_a_refresh_token_refreshes_nothing(front, token):
    assert post(front, grant_type="refresh_token", refresh_token=token).status == 401


def test_an_access_token_refreshes_nothing(front):
    assert post(front, grant_type="refresh_token", refresh_token=ask(front, user="ada").json["token"]).status == 401


@pytest.mark.parametrize("grant", ["", "client_credentials", "authorization_code", "PASSWORD"])
def test_other_grants_are_unsupported(front, grant):
    assert post(front, grant_type=grant, username="ada", password=PASSWORD).status == 400
    assert front.post("/token", user=None).status == 400


def test_a_form_that_is_too_large_is_refused(front):
    reply = log_in(front, padding="x" * MAX_FORM)
    assert 400 <= reply.status < 500


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.text("abc:/,*% &=+", max_size=60))
def test_no_form_and_no_query_is_a_crash(memory_front, data, text):
    memory_front.access.rules = known()
    memory_front.clock.advance(FORGET_AFTER + 1)
    for prefix in (b"", b"grant_type=password&username=ada&password=", b"grant_type=refresh_token&refresh_token="):
        assert memory_front.post("/token", user=None, body=prefix + data).status in {400, 401}
    assert memory_front.get(f"/token?scope={quote(text)}", user=None).status == 200
    assert memory_front.get(f"/token?{text}", user=None).status in {200, 400}


def test_nothing_about_tokens_is_kept(front):
    with front.unchanged():
        ask(front, "repository:team/app:pull", offline=True, user="ada")
        log_in(front, password="wrong")
        post(front, grant_type="refresh_token", refresh_token="x")
