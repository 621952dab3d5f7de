"""Issued tokens over HTTP, asked through the whole application."""

import json
from dataclasses import replace

import pytest

from simple_registry.access.token_secrets import ISSUED_PREFIX, token_hash
from support.access import ADMINS, READONLY, READWRITE, binding, rules, static_token
from support.front import ADMINISTRATOR, PASSWORD

PATH = "/api/v1/tokens"
JSON = {"content-type": "application/json"}
RULES = rules(
    binding("alice", READWRITE, "^team/.*$"),
    binding("bob", READONLY, "^team/.*$"),
    binding("carol", ADMINS, "^team/.*$"),
    binding("root", ADMINS, "^.*$"),
    binding("cata", ADMINS, "^$", "^team/.*$", name="the catalog"),
    binding("cata", READWRITE, "^.*$", name="everywhere"),
    binding("anonymous", READONLY, "^lib/"),
    users=["alice", "bob", "carol", "root", "cata", "anonymous"],
    tokens=[
        static_token("wide", "alice"),
        static_token("narrow", "alice", scopes=["repository:^team/.+$:pull"]),
        static_token("root-wide", "root"),
        static_token("root-narrow", "root", scopes=["repository:.:*", "registry:catalog:*"]),
    ],
)


@pytest.fixture
def front(make_front):
    return make_front(rules=RULES)


def post(front, document=None, *, body=None, headers=JSON, user="alice", **how):
    data = json.dumps(document or {}).encode() if body is None else body
    return front.post(PATH, headers=headers, body=data, user=user, **how)


def create(front, user="alice", **document):
    """Create a token that must be accepted, and return its id and its secret."""
    reply = post(front, document, user=user)
    assert reply.status == 201, reply
    return reply.json["id"], reply.json["secret"]


def ids(reply):
    assert reply.status == 200, reply
    return [token["id"] for token in reply.json["tokens"]]


# --- created


def test_a_token_is_created_and_its_secret_shown_once(front, clock):
    reply = post(front, {"description": "ci", "expiresIn": 3600, "scopes": ["repository:^team/app(:|$):pull"]})
    assert reply.status == 201
    assert dict(reply.headers)["cache-control"] == "no-store"
    secret = reply.json["secret"]
    assert secret.startswith(ISSUED_PREFIX)
    assert {name: value for name, value in reply.json.items() if name not in {"id", "secret"}} == {
        "owner": "alice",
        "description": "ci",
        "created": "2023-11-14T22:13:20Z",
        "expires": "2023-11-14T23:13:20Z",
        "scopes": ["repository:^team/app(:|$):pull"],
        "lastUsed": None,
    }
    listing = front.get(PATH, user="alice")
    assert ids(listing) == [reply.json["id"]]
    assert secret.encode() not in listing.body
    assert token_hash(secret).hex().encode() not in listing.body


def test_it_is_good_as_bearer_and_as_password_and_its_use_is_noted(front):
    token_id, secret = create(front, expiresIn="1h")
    assert front.get("/v2/", token=secret).status == 200
    assert front.get("/v2/", user="alice", password=secret).status == 200
    assert front.get("/v2/", user="bob", password=secret).status == 401
    front.run(front.services.registry.tokens.finish_touches())
    (listed,) = front.get(PATH, user="alice").json["tokens"]
    assert (listed["id"], listed["lastUsed"]) == (token_id, "2023-11-14T22:13:20Z")


def test_it_ends_when_it_expires(front, clock):
    _, secret = create(front, expiresAt="2023-11-14T22:14:20Z")
    assert front.get("/v2/", token=secret).status == 200
    clock.advance(60)
    assert front.get("/v2/", token=secret).status == 401


def test_without_an_expiry_it_does_not_end(front):
    reply = post(front)
    assert (reply.json["expires"], reply.json["scopes"], reply.json["description"]) == (None, None, "")


def test_its_scopes_limit_the_permissions_of_its_owner(front):
    _, secret = create(front, scopes=["repository:^team/app(:|$):pull"])
    assert front.post("/v2/team/app/blobs/uploads/", token=secret).status == 401
    assert front.post("/v2/team/app/blobs/uploads/", user="alice").status == 202
    assert front.get("/v2/team/app/manifests/x", token=secret).status == 404
    assert front.get("/v2/team/other/manifests/x", token=secret).status == 401


def test_its_scopes_add_no_permission(front):
    _, secret = create(front, user="bob", scopes=["repository:.*:*", "registry:catalog:*"])
    assert front.post("/v2/team/app/blobs/uploads/", token=secret).status == 403


BAD = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"description": 1}',
    b'{"description": null}',
    b'{"description": "a\\nb"}',
    b'{"description": "' + b"x" * 201 + b'"}',
    b'{"unknown": 1}',
    b'{"owner": "bob"}',
    b'{"expiresIn": 0}',
    b'{"expiresIn": -1}',
    b'{"expiresIn": 1.5}',
    b'{"expiresIn": true}',
    b'{"expiresIn": "soon"}',
    b'{"expiresIn": 99999999999999999999999}',
    b'{"expiresIn": 999999999999}',
    b'{"expiresIn": "1d", "expiresAt": "2030-01-01T00:00:00Z"}',
    b'{"expiresAt": "2020-01-01T00:00:00Z"}',
    b'{"expiresAt": "tomorrow"}',
    b'{"expiresAt": 1900000000}',
    b'{"scopes": "repository:a:pull"}',
    b'{"scopes": ["team/app"]}',
    b'{"scopes": ["repository:(:pull"]}',
    b'{"scopes": ["repository:a:fly"]}',
    b'{"scopes": [1]}',
    b'{"scopes": ["' + b"x" * 600 + b'"]}',
    b'{"description": "\\ud800"}',
    b"\xff",
    b"[" * 60_000,
]


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_an_invalid_token_request_is_refused_and_changes_nothing(front, body):
    front.get("/v2/", user="alice")
    with front.unchanged():
        reply = post(front, body=body)
    assert (reply.status, reply.codes) == (400, ["UNSUPPORTED"])
    assert reply.json["errors"][0]["detail"]


def test_a_large_request_is_refused(front):
    with front.unchanged():
        assert post(front, body=b" " * 70_000).status == 413


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_page_of_another_site_cannot_create_one(front, kind):
    with front.unchanged():
        assert post(front, headers={} if kind is None else {"content-type": kind}).status == 415


def test_parameters_of_the_type_do_not_matter(front):
    assert post(front, headers={"content-type": "Application/JSON; charset=utf-8"}).status == 201


# --- who may


def test_requests_without_credentials_are_refused(front):
    token_id, _ = create(front)
    anonymous = front.get("/token", user=None).json["token"]
    with front.unchanged():
        for how in ({"user": None}, {"token": anonymous}, {"token": "srt_wrong"}, {"user": "alice", "password": "x"}):
            assert front.get(PATH, **how).status == 401
            assert front.post(PATH, headers=JSON, body=b"{}", **how).status == 401
            assert front.delete(f"{PATH}/{token_id}", **how).status == 401


def test_no_token_creates_a_token(front):
    _, issued = create(front, expiresIn="1h")
    signed = front.get("/token?scope=repository:team/app:pull", user="alice").json["token"]
    with front.unchanged():
        for token in ("wide", "narrow", "root-wide", "root-narrow", signed):
            reply = front.post(PATH, headers=JSON, body=b"{}", token=token)
            assert (reply.status, reply.codes) == (403, ["DENIED"])
    assert front.post(PATH, headers=JSON, body=b"{}", token=issued).status == 403
    assert front.post(PATH, headers=JSON, body=b"{}", user="alice", password=issued).status == 403


def test_a_limited_token_lists_and_revokes_nothing(front):
    token_id, _ = create(front)
    with front.unchanged():
        for token in ("narrow", "root-narrow"):
            assert front.get(PATH, token=token).status == 403
            assert front.get(f"{PATH}?owner=*", token=token).status == 403
            assert front.delete(f"{PATH}/{token_id}", token=token).status == 403


def test_a_token_may_revoke_itself_and_no_other(front):
    other, _ = create(front)
    token_id, secret = create(front, scopes=["repository:^team/app$:pull"])
    assert front.delete(f"{PATH}/{other}", token=secret).status == 403
    assert front.delete(f"{PATH}/{token_id}", token=secret).status == 204
    assert front.get("/v2/", token=secret).status == 401
    assert ids(front.get(PATH, user="alice")) == [other]


@pytest.mark.parametrize("scopes", [None, ["repository:^team/app(:|$):pull"]])
@pytest.mark.parametrize("asked", ["", "?scope=repository:team/app:pull"])
def test_a_token_derived_from_a_token_does_not_revoke_it(front, scopes, asked):
    token_id, secret = create(front, scopes=scopes)
    derived = front.get(f"/token{asked}", token=secret).json["token"]
    front.run(front.services.registry.tokens.finish_touches())
    with front.unchanged():
        assert front.delete(f"{PATH}/{token_id}", token=derived).status == 403
        assert front.delete(f"{PATH}/{token_id}", user="alice", password=derived).status == 403
    assert front.get("/v2/", token=secret).status == 200


def test_users_see_and_revoke_only_their_own(front):
    of_alice, secret = create(front)
    of_bob, _ = create(front, user="bob")
    assert ids(front.get(PATH, user="bob")) == [of_bob]
    with front.unchanged():
        other = front.delete(f"{PATH}/{of_alice}", user="bob")
        none = front.delete(f"{PATH}/{'0' * 21}", user="bob")
    assert (other.status, none.status) == (404, 404)
    assert other.codes == none.codes == ["UNSUPPORTED"]
    assert front.get("/v2/", token=secret).status == 200


@pytest.mark.parametrize("owner", ["bob", "*", "nobody", "anonymous"])
@pytest.mark.parametrize("user", ["alice", "carol", "cata"])
def test_only_a_user_with_every_permission_sees_tokens_of_others(front, user, owner):
    create(front, user="bob")
    assert front.get(f"{PATH}?owner={owner}", user=user).status == 403


def test_catalog_permissions_revoke_no_tokens_of_others(front):
    of_alice, secret = create(front)
    with front.unchanged():
        assert front.delete(f"{PATH}/{of_alice}", user="cata").status == 404
    assert front.get("/v2/", token=secret).status == 200


@pytest.mark.parametrize("user", [ADMINISTRATOR, "root"])
def test_a_user_with_every_permission_sees_and_revokes_all(front, user):
    of_alice, secret = create(front)
    of_bob, _ = create(front, user="bob")
    assert ids(front.get(PATH, user=user)) == []
    assert sorted(ids(front.get(f"{PATH}?owner=*", user=user))) == sorted([of_alice, of_bob])
    assert ids(front.get(f"{PATH}?owner=bob", user=user)) == [of_bob]
    assert front.delete(f"{PATH}/{of_alice}", user=user).status == 204
    assert front.get("/v2/", token=secret).status == 401


def test_the_user_with_the_name_of_all_owners_is_one_user(make_front):
    front = make_front(rules=rules(users=["*", "bob"]))
    create(front, user="bob")
    assert ids(front.get(PATH, user="*")) == []
    assert front.get(f"{PATH}?owner=*", user="*").status == 403


# --- listed and revoked


def test_tokens_are_listed_in_pages_that_lead_on(front, clock):
    made = []
    for _ in range(5):
        made.append(create(front, user="bob")[0])
        clock.advance(1)
    seen, target = [], f"{PATH}?owner=bob&n=2"
    while target:
        reply = front.get(target, user=ADMINISTRATOR)
        seen += ids(reply)
        link = dict(reply.headers).get("link")
        target = link and link[1 : link.index(">")]
    assert seen == made
    assert front.get(f"{PATH}?n=x", user="bob").status == 400
    assert ids(front.get(f"{PATH}?n=0", user="bob")) == []


def test_a_revoked_token_ends_everything_derived_from_it(front):
    token_id, secret = create(front)
    session = front.post("/v2/team/app/blobs/uploads/", token=secret).location
    signed = front.get("/token?scope=repository:team/app:pull,push", token=secret).json["token"]
    assert front.get("/v2/", token=signed).status == 200
    assert front.delete(f"{PATH}/{token_id}", user="alice").status == 204
    assert front.get("/v2/", token=signed).status == 401
    assert front.patch(session, body=b"x", token=secret).status == 401
    assert front.delete(f"{PATH}/{token_id}", user="alice").status == 404


def test_an_expired_token_may_finish_its_upload_and_is_removed_a_day_later(front, clock):
    token_id, secret = create(front, expiresIn=60)
    session = front.post("/v2/team/app/blobs/uploads/", token=secret).location
    clock.advance(61)
    assert front.patch(session, body=b"x", token=secret).status == 202
    assert front.get("/v2/", token=secret).status == 401
    front.run(front.services.garbage.collect())
    assert ids(front.get(PATH, user="alice")) == [token_id]
    clock.advance(24 * 3600)
    front.run(front.services.garbage.collect())
    assert ids(front.get(PATH, user="alice")) == []


@pytest.mark.parametrize("token_id", ["x", "..", "%00", "x" * 2000, "';%20DROP%20TABLE%20tokens;%20--", "%C3%A9"])
def test_an_invalid_id_is_unknown(front, token_id):
    assert front.delete(f"{PATH}/{token_id}", user=ADMINISTRATOR).status == 404


def test_other_methods_and_paths_do_not_exist(front):
    assert front.request("PUT", PATH, user="alice").status == 405
    assert front.get(f"{PATH}/x", user="alice").status == 405
    assert front.get(f"{PATH}/", user="alice").status == 404
    assert front.get("/api/v1/other", user="alice").status == 404


def test_the_password_is_the_only_thing_that_counts(front):
    assert front.get(PATH, user="alice", password=PASSWORD).status == 200


# --- and their users


def with_password(known, name, password_hash):
    return replace(known, users={**known.users, name: replace(known.users[name], password_hash=password_hash)})


OTHER_HASH = "$2b$04$" + "a" * 53


@pytest.mark.parametrize("password_hash", [OTHER_HASH, None])
def test_a_token_ends_with_the_password_with_which_it_was_made(front, password_hash):
    _, secret = create(front)
    derived = front.get("/token?scope=repository:team/app:pull", token=secret).json["token"]
    front.access.rules = with_password(RULES, "alice", password_hash)
    for token in (secret, derived):
        assert front.get("/v2/", token=token).status == 401
    assert front.get("/v2/", user="alice", password=secret).status == 401
    front.access.rules = with_password(RULES, "bob", OTHER_HASH)
    assert front.get("/v2/", token=secret).status == 200


def test_a_token_that_an_operator_made_outlasts_a_password(front):
    _, secret = front.run(front.services.registry.tokens.create("alice", "robot", expires=None, scopes=None))
    front.access.rules = with_password(RULES, "alice", OTHER_HASH)
    assert front.get("/v2/", token=secret).status == 200


def test_a_later_user_of_the_same_name_inherits_no_token(front, clock):
    _, secret = create(front)
    _, of_operator = front.run(front.services.registry.tokens.create("alice", "robot", expires=None, scopes=None))
    of_bob, _ = create(front, user="bob")
    front.access.rules = replace(RULES, users={name: user for name, user in RULES.users.items() if name != "alice"})
    collect = front.services.garbage.collect
    assert front.run(collect()).tokens == 0
    clock.advance(24 * 3600 - 1)
    assert front.run(collect()).tokens == 0
    clock.advance(2)
    assert front.run(collect()).tokens == 2
    front.access.rules = RULES
    for token in (secret, of_operator):
        assert front.get("/v2/", token=token).status == 401
    assert ids(front.get(f"{PATH}?owner=*")) == [of_bob]


def test_users_that_are_lost_and_put_back_within_a_day_keep_their_tokens(front, clock):
    _, secret = create(front)
    collect = front.services.garbage.collect
    for _ in range(3):
        front.access.rules = replace(RULES, users={})
        front.run(collect())
        clock.advance(20 * 3600)
        front.access.rules = RULES
        assert front.run(collect()).tokens == 0
    assert front.get("/v2/", token=secret).status == 200


def test_tokens_of_an_administrator_whose_hash_is_new_at_each_start_stay_valid(front):
    _, secret = create(front, user=ADMINISTRATOR)
    users = RULES.users
    for changed, status in (({"fresh": True}, 200), ({"fresh": False}, 401)):
        user = replace(users[ADMINISTRATOR], password_hash=OTHER_HASH, **changed)
        front.access.rules = replace(RULES, users={**users, ADMINISTRATOR: user})
        assert front.get("/v2/", token=secret).status == status
