"""Trusted issuers: whose signed tokens are believed, which of them, and what they bring.

A token names its keys and algorithm only by reference: keys come from the configuration, algorithms from a fixed list.
Claims fill templates after they were escaped, so no claim can widen a pattern; a claim that is missing, or is no text,
fills nothing and the binding falls away.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from simple_registry.access.identity import Identity
from simple_registry.access.roles import BoundRole, Role
from simple_registry.access.scopes import ScopePattern, escape

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Every algorithm that a `TokenIssuer` may name: signatures with a public key, nothing else."""

DEFAULT_ALGORITHMS = ("RS256", "ES256", "EdDSA")

LEEWAY = 60
"""Seconds by which the clocks of an issuer and ours may differ."""

REMEMBERED = 1024
"""Filled templates kept by each process: a token brings the same at every request, and compiling takes a while."""

LONGEST_REMEMBERED = 4 * 1024
"""Characters of a filled template that is kept."""

_TEMPLATE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.:/-]*)\}", re.ASCII)
_NAME = re.compile(r"[^\x00-\x20\x7f]{1,255}")


class ClaimsRefused(Exception):
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
        """Return who a verified token's claims speak of; `known_groups` are those its user has by a document.

        Raises: ClaimsRefused.
        """
        for claim, pattern in self.conditions:
            value = _text(claims.get(claim))
            if value is None or not pattern.matches_wholly(value):
                raise ClaimsRefused(f"the claim {claim} does not meet the condition of TokenIssuer {self.name}")
        return Identity(self.user_name(claims), known_groups | self._groups(claims), self._bound(claims))

    def user_name(self, claims: Mapping[str, object]) -> str:
        """Return the name of the user that claims speak of.

        Raises: ClaimsRefused.
        """
        value = _text(claims.get(self.user_claim))
        if value is None or _NAME.fullmatch(value) is None or self.user_prefix + value == "anonymous":
            raise ClaimsRefused(f"the claim {self.user_claim} names no user")
        return self.user_prefix + value

    def _groups(self, claims: Mapping[str, object]) -> frozenset[str]:
        value = claims.get(self.groups_claim) if self.groups_claim else None
        texts = value if isinstance(value, list) else [value]
        return frozenset(text for text in texts if isinstance(text, str) and text)

    def _bound(self, claims: Mapping[str, object]) -> tuple[BoundRole, ...]:
        bound = []
        for number, binding in enumerate(self.bindings):
            texts = [fill_template(scope, claims) for scope in binding.scopes]
            scopes = tuple(_pattern(text) for text in texts if text is not None)
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
    """Return the claims that a template names. `{2,3}`, a repetition, is none."""
    return _TEMPLATE.findall(template)


def _pattern(text: str) -> ScopePattern:
    return _remembered_pattern(text) if len(text) <= LONGEST_REMEMBERED else ScopePattern(text)


_remembered_pattern = lru_cache(REMEMBERED)(ScopePattern)


def _text(value: object) -> str | None:
    """Return a claim as text: text itself, a number or a truth value as JSON writes it; nothing else has one."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None
