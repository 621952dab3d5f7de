"""Trusted issuers: which of their tokens are accepted, and which user, groups and roles these give.

A token names its keys and algorithm only by reference: keys come from the configuration, algorithms from a fixed list.
Claims fill templates after they were escaped, so no claim can widen a pattern; a claim that is missing, is not text, or
makes the pattern larger than one of a client may be, fills nothing and the binding falls away.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simple_registry.access.caller import Identity
from simple_registry.access.roles import BoundRole, Role
from simple_registry.access.scopes import CLIENT_MEMORY, PatternInvalid, ScopePattern, escape
from simple_registry.bounded_cache import BoundedCache

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Every algorithm that a `TokenIssuer` may name: signatures with a public key, nothing else."""

DEFAULT_ALGORITHMS = ("RS256", "ES256", "EdDSA")

LEEWAY = 60
"""Seconds by which the clocks of an issuer and ours may differ."""

FILLED_CAPACITY = 16 * 1024 * 1024
"""Bytes of filled templates that a process caches: a token has the same at every request."""

_TEMPLATE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.:/-]*)\}", re.ASCII)
_NAME = re.compile(r"[^\x00-\x20\x7f]{1,255}")


class ClaimsInvalid(ValueError):
    """A token whose signature is right but whose claims are not; the message says which, never what they hold."""


@dataclass(frozen=True, slots=True)
class KeysFromFile:
    """Keys in a JWKS file."""

    path: str


@dataclass(frozen=True, slots=True)
class KeysFromUrl:
    """Keys in a JWKS document that the issuer publishes."""

    url: str


@dataclass(frozen=True, slots=True)
class KeysFromPem:
    """Public keys, each in PEM."""

    keys: tuple[str, ...]


Keys = KeysFromFile | KeysFromUrl | KeysFromPem


@dataclass(frozen=True, slots=True)
class TemplateBinding:
    """A role within scopes whose templates (`{claim}`) the token's claims fill."""

    role: Role
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """A `TokenIssuer` document."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    keys: Keys
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    user_claim: str = "sub"
    user_prefix: str = ""
    groups_claim: str | None = None
    conditions: tuple[tuple[str, ScopePattern], ...] = ()
    bindings: tuple[TemplateBinding, ...] = ()

    def identity(self, claims: Mapping[str, object], known_groups: frozenset[str] = frozenset()) -> Identity:
        """Return the identity of a verified token's claims; `known_groups` are the groups of its user's document.

        Raises: ClaimsInvalid.
        """
        for claim, pattern in self.conditions:
            value = _text(claims.get(claim))
            if value is None or not pattern.matches_wholly(value):
                raise ClaimsInvalid(f"the claim {claim} does not meet the condition of TokenIssuer {self.name}")
        groups = known_groups | self._groups(claims)
        return Identity(self.user_name(claims), groups, self._bound(claims), issuer=self.name)

    def user_name(self, claims: Mapping[str, object]) -> str:
        """Return the name of the user in the claims.

        Raises: ClaimsInvalid.
        """
        value = _text(claims.get(self.user_claim))
        if value is None or _NAME.fullmatch(value) is None or self.user_prefix + value == "anonymous":
            raise ClaimsInvalid(f"the claim {self.user_claim} names no user")
        return self.user_prefix + value

    def _groups(self, claims: Mapping[str, object]) -> frozenset[str]:
        value = claims.get(self.groups_claim) if self.groups_claim else None
        texts = value if isinstance(value, list) else [value]
        return frozenset(text for text in texts if isinstance(text, str) and text)

    def _bound(self, claims: Mapping[str, object]) -> tuple[BoundRole, ...]:
        bound = []
        for number, binding in enumerate(self.bindings):
            texts = [fill_template(scope, claims) for scope in binding.scopes]
            patterns = [_pattern(text) for text in texts if text is not None]
            scopes = tuple(pattern for pattern in patterns if pattern is not None)
            if scopes:
                bound.append(BoundRole(f"{self.name}/bindings[{number}]", binding.role, scopes))
        return tuple(bound)


def fill_template(template: str, claims: Mapping[str, object]) -> str | None:
    """Return a pattern with its `{claim}`s filled in, escaped; `None` when one of them is missing or empty."""
    values = {name: _text(claims.get(name)) for name in template_claims(template)}
    if any(value is None for value in values.values()):
        return None
    return _TEMPLATE.sub(lambda match: escape(values[match[1]] or ""), template)


def template_claims(template: str) -> Sequence[str]:
    """Return the names of claims in a template. `{2,3}` is not one, but a repetition."""
    return _TEMPLATE.findall(template)


_filled: BoundedCache[str, ScopePattern] = BoundedCache(FILLED_CAPACITY)


def _pattern(text: str) -> ScopePattern | None:
    """Return the pattern of a filled template; `None` when it is larger than one of a client may be."""
    pattern = _filled.find(text)
    if pattern is None:
        try:
            pattern = ScopePattern(text, of_client=True)
        except PatternInvalid:
            return None
        _filled.keep(text, pattern, CLIENT_MEMORY)
    return pattern


def _text(value: object) -> str | None:
    """Return a claim as text: text itself, a number or a truth value as JSON writes it; nothing else has one."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None
