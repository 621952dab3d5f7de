"""Any binding can allow, none can deny, and each decision has its reason."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.caller import ANONYMOUS, Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_limit
from simple_registry.access.permission import OF_REGISTRY, Permission, Resource
from simple_registry.access.policy import Allowed, BindingPolicy, Refused, TooNarrow, decide
from simple_registry.access.roles import EMBRACING, METHODS, READ, BoundRole
from simple_registry.access.scopes import ScopePattern
from support.access import ADMINS, READONLY, READWRITE, binding, role

bindings = st.lists(
    st.builds(
        lambda subject, words, scope, number: binding(subject, words, scope, name=f"b{number}"),
        st.sampled_from(["ada", "bob", "@devs", "@ops"]),
        st.sampled_from([READONLY, READWRITE, ADMINS, ("tags", "pull"), ("manifests", "delete")]),
        st.sampled_from(["^$", "^a", "^a(:v.+)?$", ".*", "b"]),
        st.integers(0, 9),
    ),
    max_size=5,
)
identities = st.builds(
    Identity, st.sampled_from(["ada", "bob", "eve"]), st.frozensets(st.sampled_from(["devs", "ops"]))
)
permissions = st.builds(
    Permission,
    st.sampled_from(METHODS),
    st.sampled_from(list(Resource)),
    st.sampled_from(["", "a", "a:v1", "a:x", "b"]),
)


def allows(policy, identity, permission):
    return isinstance(policy.decide(identity, permission), Allowed)


@given(bindings, bindings, identities, permissions)
def test_bindings_add_up_and_none_takes_away(some, others, identity, permission):
    together = allows(BindingPolicy([*some, *others]), identity, permission)
    assert together == (
        allows(BindingPolicy(some), identity, permission) or allows(BindingPolicy(others), identity, permission)
    )


@given(bindings, identities, permissions)
def test_the_same_question_has_the_same_answer(some, identity, permission):
    policy = BindingPolicy(some)
    assert policy.decide(identity, permission) == policy.decide(identity, permission)


@given(bindings, st.frozensets(st.sampled_from(["devs", "ops"])), permissions)
def test_an_unbound_user_has_only_the_roles_of_its_groups(some, groups, permission):
    of_groups = [each for each in some if each.groups]
    assert allows(BindingPolicy(some), Identity("eve", groups), permission) == allows(
        BindingPolicy(of_groups), Identity("eve", groups), permission
    )


@given(bindings, permissions)
def test_no_identity_has_permissions_by_default(some, permission):
    assert not allows(BindingPolicy(some), ANONYMOUS, permission)
    assert not allows(BindingPolicy([]), Identity("ada", frozenset({"devs"})), permission)


def test_users_and_groups_of_one_name_are_different():
    policy = BindingPolicy([binding("ada", ADMINS, ""), binding("@ops", ADMINS, "")])
    permission = Permission("GET", Resource.BLOBS, "a")
    assert not allows(policy, Identity("eve", frozenset({"ada"})), permission)
    assert not allows(policy, Identity("ops"), permission)


def test_bindings_of_a_credential_apply_to_it_alone():
    policy = BindingPolicy([])
    bound = BoundRole("ci/bindings[0]", role(READONLY), (ScopePattern("^ci/"),))
    identity = Identity("ci:a", bindings=(bound,))
    permission = Permission("GET", Resource.BLOBS, "ci/x")
    assert policy.decide(identity, permission) == Allowed("ci/bindings[0]")
    assert isinstance(policy.decide(Identity("ci:a"), permission), Refused)


def test_the_answer_names_the_binding_that_decided():
    policy = BindingPolicy(
        [binding("ada", READONLY, "^a$", name="first"), binding("@devs", READWRITE, "", name="second")]
    )
    identity = Identity("ada", frozenset({"devs"}))
    assert policy.decide(identity, Permission("GET", Resource.BLOBS, "a")) == Allowed("first")
    assert policy.decide(identity, Permission("PUT", Resource.BLOBS, "a")) == Allowed("second")


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        (Permission("PUT", Resource.BLOBS, "a"), ["'first'", "reaches a", "PUT on blobs"]),
        (Permission("GET", Resource.BLOBS, "b"), ["'first'", "GET on blobs", "none of its scopes matches b"]),
        (
            Permission("GET", Resource.CATALOG, ""),
            ["'first'", "GET on catalog", "none of its scopes matches the catalog"],
        ),
        (Permission("DELETE", Resource.BLOBS, "b"), ["no binding", "ada", "blobs"]),
    ],
)
def test_a_refusal_names_the_nearest_binding_and_what_it_lacks(permission, words):
    policy = BindingPolicy([binding("ada", READONLY, "^a$", name="first"), binding("bob", ADMINS, "", name="other")])
    decision = policy.decide(Identity("ada"), permission)
    assert isinstance(decision, Refused)
    assert [word for word in words if word not in decision.reason] == []
    assert "other" not in decision.reason


def test_the_cache_of_decisions_is_bounded(monkeypatch):
    monkeypatch.setattr("simple_registry.access.policy.REMEMBERED", 10)
    policy = BindingPolicy([])
    for number in (*range(100), 0, 99):
        policy.decide(Identity(f"u{number}"), Permission("GET", Resource.BLOBS, "a"))
    hits, misses = policy.remembered
    assert (hits, misses) == (1, 101)


@pytest.mark.parametrize("text", sorted(EMBRACING))
def test_one_binding_of_everything_everywhere_is_everything(text):
    policy = BindingPolicy([binding("ada", ADMINS, "^$", text), binding("@devs", ADMINS, text)])
    assert policy.allows_everything(Identity("ada"))
    assert policy.allows_everything(Identity("eve", frozenset({"devs"})))
    assert not policy.allows_everything(Identity("eve", frozenset({"ada"})))
    assert all(ScopePattern(text).matches(scope) for scope in ("", "a", "team/app", "team/app:v1.0"))


def test_parts_of_everything_are_not_everything():
    for scope in ("^$", ".", ".+", "^[a-z]", "^team/.*$"):
        assert not BindingPolicy([binding("ada", ADMINS, scope)]).allows_everything(Identity("ada"))
    parts = [binding("ada", READWRITE, ".*"), binding("ada", ("*", "delete"), ".*"), binding("ada", ("tags", "*"), "")]
    assert not BindingPolicy(parts).allows_everything(Identity("ada"))
    brought = Identity("ci", bindings=(BoundRole("b", role(ADMINS), (ScopePattern(".*"),)),))
    assert BindingPolicy([]).allows_everything(brought)


@given(bindings, identities, permissions, st.sampled_from([None, (), ("repository:^a$:pull",), ("repository:.:*",)]))
def test_a_limit_takes_away_all_but_reads_that_are_public(some, identity, permission, grants):
    policy = BindingPolicy([*some, binding("anonymous", READONLY, "^a", "^$")])
    limits = () if grants is None else (parse_limit(grants),)
    caller = Caller(identity, Proof(Source.STATIC_TOKEN), limits, public=ANONYMOUS)
    public = (
        permission.verb in READ and permission.resource not in OF_REGISTRY and allows(policy, ANONYMOUS, permission)
    )
    decision = decide(policy, caller, permission)
    if not allows(policy, identity, permission):
        assert isinstance(decision, Refused)
    elif caller.limited_to(permission) or public:
        assert isinstance(decision, Allowed)
    else:
        assert isinstance(decision, TooNarrow)


def test_without_an_anonymous_user_nothing_is_public():
    policy = BindingPolicy([binding("ada", READONLY, "^a")])
    caller = Caller(Identity("ada"), Proof(Source.STATIC_TOKEN), ((),))
    assert decide(policy, caller, Permission("GET", Resource.BLOBS, "a")) == TooNarrow("ada-binding")


def test_where_nothing_can_be_reached_is_known_without_asking_for_each():
    policy = BindingPolicy([binding("ada", READONLY, "^$", "^team/app:v1$"), binding("ada", ADMINS, "^lib/.+$")])
    pull = policy.reach_below(Identity("ada"), "GET", Resource.MANIFESTS)
    assert [pull(beginning) for beginning in ("team/app:", "lib/x:", "team/web:", "a:")] == [True, True, False, False]
    push = policy.reach_below(Identity("ada"), "PUT", Resource.MANIFESTS)
    assert [push(beginning) for beginning in ("team/app:", "lib/x:")] == [False, True]
    assert not policy.reach_below(Identity("eve"), "GET", Resource.MANIFESTS)("team/app:")
