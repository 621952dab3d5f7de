"""Who is calling."""

from dataclasses import dataclass, field

from simple_registry.access.roles import BoundRole


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: the name that credentials proved, its groups, and roles that the credential itself brings.

    Only a trusted issuer's token brings roles: those that its `TokenIssuer` document binds to its claims.
    """

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    bindings: tuple[BoundRole, ...] = ()
    issuer: str | None = None
    """The `TokenIssuer` document whose token described it, if one did."""


ANONYMOUS_NAME = "anonymous"
"""The user that stands for everybody who sends no credentials."""

ANONYMOUS = Identity(ANONYMOUS_NAME)
"""Who calls without credentials, where no document gives the anonymous user groups."""
