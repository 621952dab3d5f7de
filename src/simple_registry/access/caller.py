"""A caller: an identity, how it was proved, and what the proof limits it to."""

from dataclasses import dataclass, field
from enum import StrEnum

from simple_registry.access.limits import Limit, within
from simple_registry.access.permission import Permission
from simple_registry.access.roles import BoundRole

EXPIRED_KEPT = 24 * 3600
"""Seconds after their end for which credentials of any kind may finish the uploads that they began."""


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
    """The kind of credentials that first proved an identity."""

    ANONYMOUS = "anonymous"
    PASSWORD = "password"  # noqa: S105 (a word, not a secret)
    STATIC_TOKEN = "token"  # noqa: S105 (as above)
    ISSUED_TOKEN = "issued"  # noqa: S105 (as above)
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Proof:
    """Enough of the credentials to check later whether they are still valid: see `authentication.authenticator`.

    `reference` is a fingerprint of the password's hash, the hash of a static token, the id of an issued one, or an
    external token itself. It is never shown; signed tokens carry it encrypted.
    """

    source: Source
    reference: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity and its proof. All `limits` apply together; `expired` callers may only finish older uploads.

    `derived` callers sent an access token, which is never exchanged for one that is wider or lives longer.
    """

    identity: Identity
    proof: Proof
    limits: tuple[Limit, ...] = ()
    expires: float | None = None
    expired: bool = False
    derived: bool = False
    public: Identity | None = None
    """The identity of an anonymous caller, if there is one; see `policy.decide`."""
    credential: str = ""
    """The name of the token that proved it: its document, its id or its issuer. Not a secret; for the audit log."""

    @property
    def sent_nothing(self) -> bool:
        """Whether no credentials were sent, not even an anonymous token."""
        return self.proof.source is Source.ANONYMOUS and not self.derived

    def could_be_wider(self, permission: Permission) -> bool:
        """Return whether only the requested scopes of a token are too narrow: another token could have more."""
        return self.derived and all(within(limit, permission) for limit in self.limits[:-1])

    def limited_to(self, permission: Permission) -> bool:
        """Return whether every limit includes a permission."""
        return all(within(limit, permission) for limit in self.limits)
