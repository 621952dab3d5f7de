"""Everything that documents and flags say about access: as declared, and as one immutable value that answers requests.

A reload builds a new value and exchanges it for the old in one step; every request takes one and keeps it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simple_registry.access.caller import ANONYMOUS_NAME, Identity
from simple_registry.access.issuers import ClaimsInvalid, TrustedIssuer
from simple_registry.access.passwords import COST, cost_of
from simple_registry.access.permission import Resource
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.quotas import Quota
from simple_registry.access.retention import Retention
from simple_registry.access.roles import VERBS, Binding, BoundRole, Role, User
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import ProtectedTags, TagProtection
from simple_registry.access.token_secrets import StaticToken
from simple_registry.oci.names import RepositoryName

ADMINISTRATOR_ROLE = Role("administrator", frozenset(Resource), frozenset(VERBS))
EVERYTHING = ScopePattern("")
"""Occurs in every scope string."""


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document that was loaded, and its place: `file:line`."""

    kind: str
    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What documents and flags declare, each by itself."""

    users: Mapping[str, User] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    bindings: Sequence[Binding] = ()
    tokens: Sequence[StaticToken] = ()
    issuers: tuple[TrustedIssuer, ...] = ()
    administrator: str | None = None
    """The user of the flags, who may do everything."""
    in_clear: frozenset[str] = frozenset()
    """The names of tokens whose values the documents hold."""
    retentions: tuple[Retention, ...] = ()
    protections: tuple[TagProtection, ...] = ()
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Users, the policy, what holds for tags, quotas, static tokens (by hash), and trusted issuers."""

    users: Mapping[str, User] = field(default_factory=dict)
    policy: BindingPolicy = field(default_factory=lambda: BindingPolicy(()))
    tokens: Mapping[bytes, StaticToken] = field(default_factory=dict)
    issuers: tuple[TrustedIssuer, ...] = ()
    administrator: str | None = None
    """The user of the flags, who may do everything; no document describes that user."""
    retentions: tuple[Retention, ...] = ()
    protections: tuple[TagProtection, ...] = ()
    quotas: tuple[Quota, ...] = ()
    documents: tuple[SourceDocument, ...] = ()
    """What they were made of, for people to look at."""
    password_cost: int = field(init=False, default=COST)
    """The highest cost of the users' hashes, which a login of an unknown user costs, too: its time reveals nothing."""

    def __post_init__(self) -> None:
        costs = [cost_of(user.password_hash) for user in self.users.values() if user.password_hash]
        object.__setattr__(self, "password_cost", max(costs, default=COST))

    def identity(self, name: str) -> Identity | None:
        """Return the identity of a user that exists."""
        user = self.users.get(name)
        return None if user is None else Identity(user.name, user.groups)

    def knows(self, name: str) -> bool:
        """Return whether a name is that of a user, or can be that of a trusted issuer's token."""
        prefixes = (issuer.user_prefix for issuer in self.issuers)
        return name in self.users or any(prefix and name.startswith(prefix) for prefix in prefixes)

    def keeps_password(self, name: str, fingerprint: str) -> bool:
        """Return whether a user still has the password that had this fingerprint, as far as that can be known."""
        user = self.users.get(name)
        return user is not None and (user.fresh or user.fingerprint == fingerprint)

    def keeps_from(self, issuer: TrustedIssuer, name: str) -> bool:
        """Return whether a name is kept from tokens of an issuer: its user is not one that the issuer is mapped to.

        The empty prefix maps onto `User` documents, so their names are meant then; the administrator's never is.
        """
        return name == self.administrator or (bool(issuer.user_prefix) and name in self.users)

    def identity_of_claims(self, issuer: TrustedIssuer, claims: Mapping[str, object]) -> Identity:
        """Return the identity that the claims of a verified token describe.

        Raises: ClaimsInvalid.
        """
        name = issuer.user_name(claims)
        user = self.users.get(name)
        identity = issuer.identity(claims, user.groups if user else frozenset())
        if self.keeps_from(issuer, name):
            raise ClaimsInvalid(f"{name[:64]!r} is not a name for tokens of TokenIssuer {issuer.name}")
        if not issuer.user_prefix and user is None:
            raise ClaimsInvalid(f"no User document for {name[:64]!r}")
        return identity

    def protected_tags(self, repository: RepositoryName, identity: Identity | None) -> ProtectedTags:
        """Return the protection of the tags of a repository from a caller, or from the registry itself (`None`)."""
        return ProtectedTags(self.protections, repository, identity)

    @property
    def anonymous(self) -> Identity | None:
        """The identity of clients without credentials; `None` where they have none."""
        return self.identity(ANONYMOUS_NAME)


def rules_of(declared: Declared, documents: Iterable[SourceDocument] = ()) -> AccessRules:
    """Return the rules that declarations make together, which were read from some documents."""
    return AccessRules(
        users=declared.users,
        policy=BindingPolicy(declared.bindings),
        tokens={token.value_hash: token for token in declared.tokens},
        issuers=declared.issuers,
        administrator=declared.administrator,
        retentions=declared.retentions,
        protections=declared.protections,
        quotas=declared.quotas,
        documents=tuple(documents),
    )


def administrator_binding(name: str) -> Binding:
    """Return the binding that lets the administrator of the flags do everything."""
    bound = BoundRole(f"-adminname {name}", ADMINISTRATOR_ROLE, (EVERYTHING,))
    return Binding(bound, users=frozenset({name}), groups=frozenset())
