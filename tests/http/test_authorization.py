"""A request acts on its body only if it may when the body has arrived, whatever changed meanwhile."""

import asyncio
from dataclasses import replace
from itertools import product

import pytest

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.permission import Permission, Resource
from simple_registry.http.authorization import DECISION_LIFE, Authorization, ConfirmedBody
from simple_registry.http.routes import ROUTES
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import Denied, Unauthorized
from simple_registry.oci.media_types import OCI_IMAGE_INDEX
from support.access import READONLY, READWRITE, binding, rules, static_token

INDEX = b'{"schemaVersion":2,"manifests":[]}'
DATA = b"some content"
DIGEST = digest_of(DATA)
UNDOING = (f"{READWRITE[0]} maintenance", f"{READWRITE[1]} restore run")
BEFORE = rules(binding("bob", UNDOING, ""), users=["bob"])
AFTER = {
    "the user is removed": (rules(), 401),
    "the password is removed": (
        replace(BEFORE, users={**BEFORE.users, "bob": replace(BEFORE.users["bob"], password_hash=None)}),
        401,
    ),
    "the binding is removed": (rules(users=["bob"]), 403),
    "the role is narrower": (rules(binding("bob", READONLY, ""), users=["bob"]), 403),
}
BODIES = {
    "put_manifest": ("PUT", "/v2/team/app/manifests/v1", INDEX),
    "start_upload": ("POST", f"/v2/team/app/blobs/uploads/?digest={DIGEST}", DATA),
    "append_chunk": ("PATCH", "{session}", DATA),
    "finish_upload": ("PUT", f"{{session}}?digest={DIGEST}", DATA),
    "create_token": ("POST", "/api/v1/tokens", b"{}"),
    "roll_back_tag": (
        "POST",
        "/api/v1/repositories/team/app/rollback",
        f'{{"tag":"v1","to":"{digest_of(INDEX)}"}}'.encode(),
    ),
    "restore_deleted": ("POST", "/api/v1/repositories/team/app/restore", b'{"tag":"v1"}'),
    "collect_garbage": ("POST", "/api/v1/garbage-collection", b'{"grace":"0s"}'),
    "apply_retention": ("POST", "/api/v1/retention", b"{}"),
}
"""By the name of its endpoint: a request whose body changes something."""
WITHOUT = {
    "delete_manifest": "it reads no body",
    "delete_blob": "it reads no body",
    "delete_repository": "it reads no body",
    "cancel_upload": "it reads no body",
    "revoke_token": "it reads no body",
    "post_token": "its credentials are in the body",
}
JSON = {"content-type": "application/json"}
HEADERS = {
    "put_manifest": {"content-type": OCI_IMAGE_INDEX},
    "create_token": JSON,
    "roll_back_tag": JSON,
    "restore_deleted": JSON,
    "collect_garbage": JSON,
    "apply_retention": JSON,
}


def body_during_which(change, data):
    async def body():
        yield data[:-1]
        await asyncio.sleep(0)
        change()
        yield data[-1:]

    return body()


def with_something_to_change(front):
    """Push and delete a tag, and open an upload session; return its location."""
    front.push_manifest("team/app", "v1", INDEX, OCI_IMAGE_INDEX)
    front.delete("/v2/team/app/manifests/v1")
    return front.post("/v2/team/app/blobs/uploads/", user="bob").location


def test_every_endpoint_that_writes_is_asked_here():
    writing = {
        endpoint.name
        for route in ROUTES
        for method, endpoint in route.endpoints.items()
        if method not in {"GET", "HEAD"}
    }
    assert writing == BODIES.keys() | WITHOUT.keys()


@pytest.mark.parametrize(
    ("endpoint", "after"),
    [each for each in product(BODIES, AFTER) if each[0] != "create_token" or AFTER[each[1]][1] == 401],
)
def test_a_request_that_began_before_its_caller_lost_the_right_changes_nothing(make_front, endpoint, after):
    front = make_front(rules=BEFORE)
    later, status = AFTER[after]
    method, target, data = BODIES[endpoint]
    session = with_something_to_change(front)
    body = body_during_which(lambda: setattr(front.access, "rules", later), data)
    with front.unchanged():
        reply = front.request(
            method, target.format(session=session), body=body, user="bob", headers=HEADERS.get(endpoint, {})
        )
    assert reply.status == status
    if status == 401:
        assert reply.header("www-authenticate")
    front.access.rules = BEFORE
    again = front.request(
        method, target.format(session=session), body=data, user="bob", headers=HEADERS.get(endpoint, {})
    )
    assert again.status in {200, 201, 202}


@pytest.mark.parametrize("endpoint", BODIES)
def test_a_change_of_the_rules_that_leaves_the_right_ends_nothing(make_front, endpoint):
    front = make_front(rules=BEFORE)
    method, target, data = BODIES[endpoint]
    session = with_something_to_change(front)
    later = rules(binding("bob", UNDOING, "^team/", "^$"), users=["bob", "eve"])
    body = body_during_which(lambda: setattr(front.access, "rules", later), data)
    reply = front.request(
        method, target.format(session=session), body=body, user="bob", headers=HEADERS.get(endpoint, {})
    )
    assert reply.status in {200, 201, 202}


def test_further_tags_are_asked_about_again(make_front):
    before = rules(binding("bob", READWRITE, "^team/app(:v.+)?$"), users=["bob"])
    later = rules(binding("bob", READWRITE, "^team/app(:v1)?$"), users=["bob"])
    front = make_front(rules=before)
    how = {"user": "bob", "headers": {"content-type": OCI_IMAGE_INDEX}}
    body = body_during_which(lambda: setattr(front.access, "rules", later), INDEX)
    with front.unchanged():
        assert front.put("/v2/team/app/manifests/v1?tag=v2", body=body, **how).status == 403
    body = body_during_which(lambda: setattr(front.access, "rules", later), INDEX)
    assert front.put("/v2/team/app/manifests/v1?tag=v1", body=body, **how).status == 201


def test_no_piece_that_arrives_after_a_user_was_removed_is_taken(make_front):
    front = make_front(rules=BEFORE)
    session = with_something_to_change(front)
    pieces = []

    async def endless():
        while True:
            pieces.append(DATA)
            yield DATA
            if len(pieces) == 3:
                front.access.rules = rules()

    with front.unchanged():
        assert front.patch(session, body=endless(), user="bob").status == 401
    assert len(pieces) == 4


def test_a_token_that_is_revoked_while_the_body_arrives_ends_the_request_within_a_second(make_front, clock):
    front = make_front(rules=BEFORE)
    tokens = front.services.registry.tokens
    row, secret = front.run(tokens.create("bob", "", expires=None, scopes=None))
    session = front.post("/v2/team/app/blobs/uploads/", token=secret).location

    async def body():
        yield DATA
        await tokens.revoke(row.token_id, None)
        clock.advance(DECISION_LIFE)
        yield DATA

    reply = front.patch(session, body=body(), token=secret)
    assert reply.status == 401
    assert front.get(session, user="bob").header("range") == "0-0"


def test_a_token_that_expires_while_the_body_arrives_ends_nothing(make_front, clock):
    expiring = rules(
        binding("bob", READWRITE, ""), users=["bob"], tokens=[static_token("token", "bob", expires=clock.now() + 10)]
    )
    front = make_front(rules=expiring)

    async def body():
        yield DATA[:3]
        clock.advance(60)
        yield DATA[3:]

    assert front.post(f"/v2/team/app/blobs/uploads/?digest={DIGEST}", body=body(), token="token").status == 201
    assert front.post(f"/v2/team/app/blobs/uploads/?digest={DIGEST}", body=DATA, token="token").status == 401


def test_a_token_that_becomes_that_of_another_user_ends_the_request(make_front):
    bindings = [binding("bob", READWRITE, ""), binding("eve", READWRITE, "")]
    before, after = (
        rules(*bindings, users=["bob", "eve"], tokens=[static_token("token", name)]) for name in ("bob", "eve")
    )
    front = make_front(rules=before)
    body = body_during_which(lambda: setattr(front.access, "rules", after), DATA)
    with front.unchanged():
        reply = front.post(f"/v2/team/app/blobs/uploads/?digest={DIGEST}", body=body, token="token")
    assert reply.status == 401


def test_a_login_that_waited_counts_by_the_rules_of_its_end(memory_front, monkeypatch):
    memory_front.access.rules = BEFORE
    authenticator = memory_front.services.authentication.authenticator
    authenticate, calls = authenticator.authenticate, []

    async def slowly(header, client):
        caller = await authenticate(header, client)
        calls.append(caller)
        memory_front.access.rules = rules()
        return caller

    monkeypatch.setattr(authenticator, "authenticate", slowly)
    with memory_front.unchanged():
        assert memory_front.post("/v2/team/app/blobs/uploads/", user="bob").status == 401
    assert len(calls) == 1


# ---------------------------------------------------------------- the parts

BOB = Caller(Identity("bob"), Proof(Source.PASSWORD))
PUSH = Permission("PUT", Resource.MANIFESTS, "a")


class World:
    """A caller and rules that a test exchanges, and how often they were asked for."""

    def __init__(self, clock):
        self.caller, self.rules, self.asked = BOB, BEFORE, 0
        self.authorization = Authorization(
            self.caller, self.rules, again=self.again, current=lambda: self.rules, clock=clock
        )

    async def again(self):
        self.asked += 1
        return self.caller, self.rules

    def confirm(self):
        asyncio.run(self.authorization.confirm())


@pytest.fixture
def world(clock):
    return World(clock)


def test_a_decision_is_relied_on_for_a_second_under_the_same_rules(world, clock):
    world.confirm()
    clock.advance(DECISION_LIFE - 0.1)
    world.confirm()
    assert world.asked == 0
    clock.advance(0.1)
    world.confirm()
    world.confirm()
    assert world.asked == 1
    world.rules = rules(binding("bob", READWRITE, ""), users=["bob"])
    world.confirm()
    assert world.asked == 2
    assert world.authorization.rules is world.rules


def test_only_required_permissions_are_decided_again(world):
    assert world.authorization.require(PUSH) == "bob-binding"
    with pytest.raises(Denied):
        world.authorization.require(Permission("DELETE", Resource.MANIFESTS, "a"))
    world.rules = rules(binding("bob", ("manifests", "PUT"), "^a$"), users=["bob"])
    world.confirm()
    world.rules = rules(binding("bob", ("manifests", "GET"), "^a$"), users=["bob"])
    with pytest.raises(Denied):
        world.confirm()


def test_another_user_is_not_the_caller(world):
    world.caller, world.rules = Caller(Identity("eve"), BOB.proof), rules()
    with pytest.raises(Unauthorized):
        world.confirm()


def test_a_body_ends_only_while_the_request_is_authorised(world):
    class Pieces:
        announced, received = 6, 4

        async def __aiter__(self):
            yield b"one"
            world.rules = rules()
            world.caller = Caller(Identity("eve"), BOB.proof)

        def reserve(self, size):
            return size < 5

    body, read = ConfirmedBody(Pieces(), world.authorization), []

    async def read_all():
        async for piece in body:
            read.append(piece)  # noqa: PERF401 (what was read before it raised counts)

    with pytest.raises(Unauthorized):
        asyncio.run(read_all())
    assert read == [b"one"]
    assert (body.announced, body.received, body.reserve(4), body.reserve(5)) == (6, 4, True, False)
