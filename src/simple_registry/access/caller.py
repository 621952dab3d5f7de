"""A caller: an identity, how it was proved, and what the proof limits it to."""

from dataclasses import dataclass, field
from enum import StrEnum

from simple_registry.access.limits import Limit, within
from simple_registry.access.permission import Permission
from simple_registry.access.roles import BoundRole

EXPIRED_KEPT = 24 * 3600
"""Seconds after its end for which a credential, of whatever kind, may finish the uploads that it began."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller's name, as credentials proved it, its groups, and roles that the credential itself brings.

    Only a trusted issuer's token brings roles: those that its `TokenIssuer` document binds to its claims.
    """

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    bindings: tuple[BoundRole, ...] = ()
    issuer: str | None = None
    """The `TokenIssuer` document whose token described it, if one did."""


ANONYMOUS_NAME = "anonymous"
"""The user whose rights callers without credentials have."""

ANONYMOUS = Identity(ANONYMOUS_NAME)
"""The caller without credentials, where no document gives the anonymous user groups."""


class Source(StrEnum):
    """What proved an identity in the first place."""

    ANONYMOUS = "anonymous"
    PASSWORD = "password"  # noqa: S105 (a word, not a secret)
    STATIC_TOKEN = "token"  # noqa: S105 (likewise)
    ISSUED_TOKEN = "issued"  # noqa: S105 (likewise)
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Proof:
    """Enough of a credential to ask later whether it still holds: see `authentication.authenticator`.

    `reference` is a fingerprint of the password's hash, the hash of a static token, the id of an issued one, or an
    external token itself. It is shown nowhere; the tokens that the registry derives carry it sealed.
    """

    source: Source
    reference: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. All `limits` apply together; `expired` credentials are good only for uploads older than their end.

    `derived` callers sent an access token of ours, which never becomes anything that is wider or lives longer.
    """

    identity: Identity
    proof: Proof
    limits: tuple[Limit, ...] = ()
    expires: float | None = None
    expired: bool = False
    derived: bool = False
    public: Identity | None = None
    """Who the caller would be without the credential, if that could be; see `policy.decide`."""
    credential: str = ""
    """What a token that proved it is called, by its document, its id or its issuer: no secret, for people to read."""

    @property
    def sent_nothing(self) -> bool:
        """Whether no credential was sent, not even an anonymous token."""
        return self.proof.source is Source.ANONYMOUS and not self.derived

    def could_be_wider(self, permission: Permission) -> bool:
        """Tell whether only the scopes that a token was asked for stand in the way: a new one could have more."""
        return self.derived and all(within(limit, permission) for limit in self.limits[:-1])

    def limited_to(self, permission: Permission) -> bool:
        """Tell whether every limit leaves room for a permission."""
        return all(within(limit, permission) for limit in self.limits)
