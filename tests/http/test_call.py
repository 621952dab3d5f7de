"""The methods of an authorised call."""

from dataclasses import replace

import pytest

from simple_registry.access.caller import ANONYMOUS, Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_limit
from simple_registry.access.permission import Resource
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.rules import AccessRules
from simple_registry.http.authorization import Authorization
from simple_registry.http.call import Call
from simple_registry.http.messages import Request
from simple_registry.http.targets import NoTarget
from simple_registry.oci.errors import Denied
from simple_registry.operations.blobs import Actor
from simple_registry.wire.body import NO_BODY
from support.access import binding

CALLER = Caller(Identity("ada"), Proof(Source.PASSWORD))


@pytest.fixture
def call_of(memory_front):
    """Return the call of a caller, under a policy of some bindings."""

    def make(caller, *bindings):
        rules = AccessRules(policy=BindingPolicy(bindings))

        async def again():
            return caller, rules

        authorization = Authorization(caller, rules, again=again, current=lambda: rules, clock=memory_front.clock)
        registry = memory_front.services.registry
        return Call(Request("GET", "/", "", {}, NO_BODY, "id"), NoTarget(), registry, authorization)

    return make


@pytest.fixture
def call(call_of):
    return call_of(CALLER, binding("ada", ("blobs", "GET"), "^a$"))


def test_a_further_permission_can_be_asked_for(call):
    assert call.can("GET", Resource.BLOBS, "a")
    assert not call.can("PUT", Resource.BLOBS, "a")
    assert not call.can("GET", Resource.BLOBS, "b")


def test_a_further_permission_can_be_insisted_on(call):
    call.require("GET", Resource.BLOBS, "a")
    with pytest.raises(Denied) as refused:
        call.require("PUT", Resource.MANIFESTS, "a:v1")
    assert refused.value.facts == {"verb": "PUT", "resource": "manifests", "scope": "a:v1"}


@pytest.mark.parametrize(("grant", "can"), [("repository:^a$:pull", True), ("repository:^b$:pull", False)])
def test_the_limits_of_the_caller_count(call_of, grant, can):
    limited = replace(CALLER, limits=(parse_limit([grant]),))
    call = call_of(limited, binding("ada", ("blobs", "GET"), "^a$"))
    assert call.can("GET", Resource.BLOBS, "a") == can
    assert call.visible(Resource.BLOBS)("a") == can
    assert not call.visible(Resource.BLOBS)("b")


@pytest.mark.parametrize(("grant", "sees"), [("repository:.:history", ["a"]), ("repository:.:pull", [])])
def test_a_listing_may_need_another_verb_which_is_never_public(call_of, grant, sees):
    limited = replace(CALLER, limits=(parse_limit([grant]),), public=ANONYMOUS)
    call = call_of(
        limited,
        binding("ada", ("manifests", "history"), "^a$"),
        binding("anonymous", ("manifests", "pull history"), "^[ab]$"),
    )
    assert [scope for scope in "abc" if call.visible(Resource.MANIFESTS, "history")(scope)] == sees
    assert [scope for scope in "abc" if call.can("history", Resource.MANIFESTS, scope)] == sees


def test_public_repositories_are_listed_whatever_the_limits(call_of):
    limited = replace(CALLER, limits=((),), public=ANONYMOUS)
    call = call_of(
        limited, binding("ada", ("blobs", "GET"), "^[ab]$"), binding("anonymous", ("blobs", "GET"), "^[bc]$")
    )
    assert [scope for scope in "abc" if call.visible(Resource.BLOBS)(scope)] == ["b"]
    assert [scope for scope in "abc" if call.can("GET", Resource.BLOBS, scope)] == ["b"]


@pytest.mark.parametrize(("credential", "expected"), [("", "password"), ("ci", "password ci")])
def test_the_actor_is_in_the_words_of_the_audit_log(call_of, credential, expected):
    assert call_of(replace(CALLER, credential=credential)).actor == Actor("ada", expected, "id")
