"""Who is calling."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: the name that credentials proved, and the groups that the configuration gives it."""

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)


ANONYMOUS = Identity("anonymous")
"""Who calls without credentials."""
