"""Expectations: YAML tables of what callers may and may not do, for use in a user's CI.

    - as: bob                                 a User
      can: [push image team/app:v1]
      cannot: [delete manifests team/app]
    - anonymous: true                         a client without credentials
    - groups: [team]                          a user in these groups and no others
    - token: deploy                           a Token document, with its scopes
    - issuer: github                          a TokenIssuer document, and
      claims: {repository_owner: acme}        the claims of its token

Questions are written as `can-i` takes them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.issuers import ClaimsInvalid
from simple_registry.access.questions import Question, QuestionInvalid, parse_question
from simple_registry.access.rules import AccessRules
from simple_registry.access.token_secrets import StaticToken
from simple_registry.config.documents import Entry, Place, read_roots
from simple_registry.config.values import nearest

_SUBJECTS = ("as", "anonymous", "groups", "token", "issuer")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a table: a question about a caller (`None` if its credentials are rejected) and the right answer."""

    place: Place
    who: str
    caller: Caller | None
    question: Question
    allowed: bool


def read_expectations(file: Path, rules: AccessRules) -> Iterator[Expectation]:
    """Yield the expectations of a file; users, tokens and issuers are those of `rules`.

    Raises: ConfigError.
    """
    for root in read_roots(file):
        for row in root.items():
            yield from _row(row, rules)


def _row(row: Entry, rules: AccessRules) -> Iterator[Expectation]:
    fields = row.fields((*_SUBJECTS, "claims", "can", "cannot"))
    named = [name for name in _SUBJECTS if name in fields]
    if len(named) != 1 or ("claims" in fields and named != ["issuer"]):
        raise row.error("needs exactly one of as, anonymous, groups, token, and issuer (with claims)")
    if "can" not in fields and "cannot" not in fields:
        raise row.error("needs can or cannot, with a list of questions")
    who, caller = _CALLERS[named[0]](fields, rules)
    for name, allowed in (("can", True), ("cannot", False)):
        for entry in fields[name].items() if name in fields else ():
            yield Expectation(entry.place, who, caller, _question(entry), allowed)


def _question(entry: Entry) -> Question:
    try:
        return parse_question(entry.text().split())
    except QuestionInvalid as error:
        raise entry.error(f"is wrong: {error}") from None


def _user(fields: Mapping[str, Entry], rules: AccessRules) -> tuple[str, Caller | None]:
    entry = fields["as"]
    name = entry.text()
    identity = caller_named(name, rules)
    if identity is None:
        raise entry.error(f"names no User: {name!r}{nearest(name, tuple(rules.users))}")
    return name, Caller(identity, Proof(Source.PASSWORD))


def caller_named(name: str, rules: AccessRules) -> Identity | None:
    """Return the identity of a user that a document names, or that a trusted issuer's token may have.

    Groups and roles from claims of such a token are not part of it.
    """
    prefixes = [issuer.user_prefix for issuer in rules.issuers if issuer.user_prefix]
    return rules.identity(name) or (Identity(name) if name.startswith(tuple(prefixes)) else None)


def _anonymous(fields: Mapping[str, Entry], rules: AccessRules) -> tuple[str, Caller | None]:
    entry = fields["anonymous"]
    if entry.word() != "true":
        raise entry.error("must be true; leave it out otherwise")
    identity = rules.anonymous
    return "anonymous", None if identity is None else Caller(identity, Proof(Source.ANONYMOUS))


def _groups(fields: Mapping[str, Entry], _: AccessRules) -> tuple[str, Caller | None]:
    names = [item.text() for item in fields["groups"].items()]
    who = f"a member of {' and '.join(names) or 'no group'}"
    return who, Caller(Identity("", frozenset(names)), Proof(Source.PASSWORD))


def _token(fields: Mapping[str, Entry], rules: AccessRules) -> tuple[str, Caller | None]:
    entry = fields["token"]
    tokens = {token.name: token for token in rules.tokens.values()}
    token = tokens.get(entry.text())
    if token is None:
        raise entry.error(f"names no Token: {entry.text()!r}{nearest(entry.text(), tuple(tokens))}")
    return f"the token {token.name}", caller_of_token(token, rules)


def caller_of_token(token: StaticToken, rules: AccessRules) -> Caller | None:
    """Return the caller of a `Token` document, or `None` if its user does not exist."""
    identity = rules.identity(token.username)
    limits = () if token.limit is None else (token.limit,)
    proof = Proof(Source.STATIC_TOKEN)
    return None if identity is None else Caller(identity, proof, limits, token.expires_at, public=rules.anonymous)


def _issuer(fields: Mapping[str, Entry], rules: AccessRules) -> tuple[str, Caller | None]:
    entry = fields["issuer"]
    issuers = {issuer.name: issuer for issuer in rules.issuers}
    if entry.text() not in issuers:
        raise entry.error(f"names no TokenIssuer: {entry.text()!r}{nearest(entry.text(), tuple(issuers))}")
    claims = (
        {name: _claim(value) for name, value in fields["claims"].any_fields().items()} if "claims" in fields else {}
    )
    who = f"a token of {entry.text()}"
    return who, caller_of_claims(entry.text(), claims, rules)


def _claim(entry: Entry) -> object:
    """Return the value of a claim; a list has texts, as in claims of groups."""
    if entry.is_list():
        return [item.text() for item in entry.items()]
    return {"true": True, "false": False}.get(entry.word(), entry.word())


def caller_of_claims(issuer_name: str, claims: Mapping[str, object], rules: AccessRules) -> Caller | None:
    """Return the caller of a token with these claims, or `None` if they do not meet its issuer's conditions."""
    issuer = next(each for each in rules.issuers if each.name == issuer_name)
    try:
        return Caller(rules.identity_of_claims(issuer, claims), Proof(Source.EXTERNAL))
    except ClaimsInvalid:
        return None


_CALLERS: Mapping[str, Callable[[Mapping[str, Entry], AccessRules], tuple[str, Caller | None]]] = {
    "as": _user,
    "anonymous": _anonymous,
    "groups": _groups,
    "token": _token,
    "issuer": _issuer,
}
"""Readers of the caller, by field."""
