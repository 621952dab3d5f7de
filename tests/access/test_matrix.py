"""Every decision of a generated matrix, against an oracle that was written from the guide and shares no code.

    users x their groups x bindings (roles within scopes) x limits of credentials  x  verbs x resources x scopes

The oracle reads documents as data, as a person would, with Python's `re` for the patterns that both engines know.
"""

import itertools
import random
import re

import pytest

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_limit
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, BindingPolicy, decide
from simple_registry.access.roles import Binding, BoundRole, Role, parse_resources, parse_verbs
from simple_registry.access.scopes import ScopePattern

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "run"]
RESOURCES = ["catalog", "blobs", "manifests", "tags", "referrers", "metrics", "maintenance"]

USERS = {
    "admin": ["admins"],
    "ada": ["devs", "public"],
    "grace": ["release"],
    "robot": [],
    "eve": ["public"],
    "anonymous": ["public"],
}
ROLES = {
    "admins": (["*"], ["*"]),
    "readwrite": (["catalog", "blobs", "manifests"], ["HEAD", "GET", "POST", "PUT", "PATCH"]),
    "readonly": (["catalog", "blobs", "manifests"], ["HEAD", "GET"]),
    "puller": (["blobs", "manifests"], ["pull"]),
    "pusher": (["blobs", "manifests"], ["push"]),
    "cleaner": (["manifests"], ["delete"]),
    "lister": (["tags"], ["get"]),
    "prober": (["manifests"], ["head"]),
    "watcher": (["metrics"], ["get"]),
    "keeper": (["maintenance"], ["pull", "run"]),
    "linker": (["referrers", "Tags"], ["Get", "post"]),
}
SCOPES = [
    "^$",
    "^.+$",
    "^.*$",
    "^library/.*$",
    "^team/app(:.+)?$",
    "^team/app(:v.+)?$",
    "^team/[^/]+$",
    "^team/app$",
    "team",
    ":latest$",
    "^(library|team)/app(:|$)",
]
ASKED = [
    "",
    "library",
    "library/app",
    "library/app:v1",
    "team/app",
    "team/app:v1",
    "team/app:latest",
    "team/app/x:v2",
    "my/team:v1",
]
LIMITS = [
    None,
    [],
    ["repository:^team/app(:.+)?$:pull"],
    ["repository:team:push", "repository:^library/:pull,delete"],
    ["repository:.*:*"],
    ["registry:catalog:*"],
    ["registry:metrics:pull"],
    ["registry:maintenance:run"],
]
MINIMUM = 10_000


# ---------------------------------------------------------------- the oracle


def means(verbs):
    """The methods of verbs: words for several, and GET includes HEAD but not vice versa."""
    methods = set()
    for verb in (verb.upper() for verb in verbs):
        methods |= {
            "*": set(VERBS),
            "PULL": {"GET", "HEAD"},
            "PUSH": {"POST", "PUT", "PATCH"},
            "GET": {"GET", "HEAD"},
            "RUN": {"run"},
        }.get(verb, {verb})
    return methods


def covers(role, verb, resource):
    """Reading manifests covers tag listing and referrers too."""
    resources, verbs = role
    named = {each.lower() for each in resources}
    if verb not in means(verbs):
        return False
    if "*" in named or resource in named:
        return True
    return verb in {"GET", "HEAD"} and resource in {"tags", "referrers"} and "manifests" in named


def oracle(bindings, user, verb, resource, scope):
    """Any matching binding of the user, or of a group of theirs, allows; nothing takes away."""
    subjects = {("User", user), *(("Group", group) for group in USERS[user])}
    return any(
        subject in subjects and covers(ROLES[role], verb, resource) and any(re.search(each, scope) for each in scopes)
        for subject, role, scopes in bindings
    )


def within_limit(limit, verb, resource, scope):
    """A credential's scopes narrow: `repository:<pattern>:<actions>`, and `registry:catalog:*` for the catalog."""
    if limit is None:
        return True
    action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete", "run": "run"}.get(verb, "push")
    for grant in limit:
        kind, _, rest = grant.partition(":")
        pattern, _, actions = rest.rpartition(":")
        if action not in actions.split(",") and actions != "*":
            continue
        if kind == "registry" and resource == pattern:
            return True
        if kind == "repository" and resource not in {"catalog", "metrics", "maintenance"} and re.search(pattern, scope):
            return True
    return False


# ---------------------------------------------------------------- the matrix


def sets_of_bindings(count, seed):
    """Each role alone and each pattern alone, then random sets; always the same ones."""
    chosen = random.Random(seed)
    yield []
    for role in ROLES:
        yield [(("Group", "public"), role, ["^.*$"])]
    for scope in SCOPES:
        yield [(("User", "ada"), "admins", [scope])]
    subjects = [("User", user) for user in USERS] + [("Group", "devs"), ("Group", "public"), ("Group", "release")]
    subjects += [("Group", "ada"), ("User", "devs")]  # a user and a group of one name are different
    for _ in range(count):
        yield [
            (chosen.choice(subjects), chosen.choice(list(ROLES)), chosen.sample(SCOPES, chosen.randint(1, 3)))
            for _ in range(chosen.randint(1, 6))
        ]


def policy_of(bindings):
    return BindingPolicy(_binding(number, *each) for number, each in enumerate(bindings))


def _binding(number, subject, role, scopes):
    resources, verbs = ROLES[role]
    bound = BoundRole(
        f"b{number}",
        Role(role, parse_resources(resources), parse_verbs(verbs)),
        tuple(ScopePattern(scope) for scope in scopes),
    )
    kind, name = subject
    named = frozenset({name})
    return Binding(bound, named if kind == "User" else frozenset(), named if kind == "Group" else frozenset())


def questions():
    return itertools.product(USERS, VERBS, RESOURCES, ASKED)


def test_every_decision_is_that_of_the_guide():
    asked = allowed = 0
    for bindings in sets_of_bindings(count=25, seed=5):
        policy = policy_of(bindings)
        for user, verb, resource, scope in questions():
            permission = Permission(verb, Resource(resource), scope)
            decided = isinstance(policy.decide(Identity(user, frozenset(USERS[user])), permission), Allowed)
            assert decided == oracle(bindings, user, verb, resource, scope), (bindings, user, permission)
            asked, allowed = asked + 1, allowed + decided
    assert asked > 5 * MINIMUM
    assert 0.05 < allowed / asked < 0.6  # a matrix that is nearly all yes, or all no, would prove little


def test_the_binding_that_a_decision_names_suffices():
    for bindings in sets_of_bindings(count=8, seed=7):
        policy = policy_of(bindings)
        for user, verb, resource, scope in questions():
            decision = policy.decide(
                Identity(user, frozenset(USERS[user])), Permission(verb, Resource(resource), scope)
            )
            if isinstance(decision, Allowed):
                assert oracle([bindings[int(decision.binding[1:])]], user, verb, resource, scope)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limited_credential_does_what_both_its_user_and_its_limit_allow(limit):
    limits = () if limit is None else (parse_limit(limit),)
    asked = 0
    for bindings in sets_of_bindings(count=4, seed=11):
        policy = policy_of(bindings)
        for user, verb, resource, scope in itertools.product(["ada", "eve"], VERBS, RESOURCES, ASKED):
            caller = Caller(Identity(user, frozenset(USERS[user])), Proof(Source.STATIC_TOKEN), limits)
            permission = Permission(verb, Resource(resource), scope)
            may = isinstance(decide(policy, caller, permission), Allowed)
            expected = oracle(bindings, user, verb, resource, scope) and within_limit(limit, verb, resource, scope)
            assert may == expected, (bindings, limit, user, permission)
            asked += 1
    assert asked > MINIMUM
