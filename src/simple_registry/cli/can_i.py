"""`can-i`: whether a caller may do something under the documents of some directories, and why.

    yes → 0     no → 1     a question that cannot be asked → 2

The first line is the answer. A line for each permission that the question needs names the binding that gives it, or
the nearest one that does not.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from simple_registry.access.caller import Caller, Proof, Source
from simple_registry.access.external_tokens import ExternalTokenInvalid, check_claims, read_token
from simple_registry.access.issuers import LEEWAY
from simple_registry.access.limits import GrantInvalid, parse_client_limit
from simple_registry.access.questions import QuestionInvalid, answers, parse_question
from simple_registry.access.rules import AccessRules
from simple_registry.access.token_secrets import ISSUED_PREFIX, token_hash
from simple_registry.cli.data_commands import open_tokens
from simple_registry.cli.options import CFGDIR, Parser, UsageError, config_directories
from simple_registry.config.administrator import read_password_file
from simple_registry.config.expectations import caller_named, caller_of_claims, caller_of_token
from simple_registry.config.load import load_access
from simple_registry.config.values import nearest
from simple_registry.operations.issued_tokens import TokenRow
from simple_registry.server.logging import printable

_HELP = f"""\
usage: simple-registry can-i -as USER|-token-file FILE|-anonymous VERB RESOURCE [WHERE] -cfgdir DIRECTORY...

  VERB                 pull, push, delete, history, restore, run, or an HTTP method
  RESOURCE             catalog, blobs, manifests, tags, referrers, metrics, maintenance, or image: all resources of one
  WHERE                repository, repository:tag or repository@digest; nothing for catalog, metrics and maintenance

  -as USER             a user of the documents
  -token-file FILE     the bearer of the token on the one line of this file; of a JWT of a trusted issuer, the claims
                       are used and the signature is not checked
  -anonymous           a client without credentials
  -cfgdir DIRECTORY... directory of YAML documents, or the variable {CFGDIR.variable}
  -datadir DIRECTORY   the server's data directory, where tokens of 'token create' are looked up

Prints yes (exit code 0) or no (1), and the binding that decided or the nearest that did not.
"""


def can_i(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> int:
    """Run `can-i` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("can-i", _HELP)
    parser.add_argument("question", nargs="*")
    asked = parser.parse_intermixed_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    try:
        question = parse_question(asked.question)
    except QuestionInvalid as error:
        raise UsageError(str(error)) from None
    rules = load_access(required_directories(asked.cfgdir, environment))
    caller, problem = _caller(asked, rules)
    if caller is None:
        stdout.write(f"no\n  {printable(problem)}\n")
        return 1
    found = answers(question, caller, rules.policy)
    allowed = all(answer.allowed for answer in found)
    stdout.write("yes\n" if allowed else "no\n")
    stdout.writelines(f"  {'yes' if answer.allowed else 'no':<3} {printable(str(answer))}\n" for answer in found)
    return 0 if allowed else 1


def required_directories(given: Sequence[str], environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the directories of `-cfgdir` or its variable.

    Raises: UsageError when none is given.
    """
    directories = config_directories(given, environment)
    if not directories:
        raise UsageError("-cfgdir is required")
    return directories


def _caller(asked: argparse.Namespace, rules: AccessRules) -> tuple[Caller | None, str]:
    """Return the caller, or `None` and the reason why there is none."""
    user, token_file = getattr(asked, "as"), asked.token_file
    if (user is not None) + (token_file is not None) + asked.anonymous != 1:
        raise UsageError("exactly one of -as, -token-file and -anonymous is required")
    if token_file is not None:
        return _of_token(read_password_file(Path(token_file)), asked.datadir, rules)
    if asked.anonymous:
        identity = rules.anonymous
        problem = "there is no User 'anonymous': credentials are required"
        return (None if identity is None else Caller(identity, Proof(Source.ANONYMOUS))), problem
    identity = caller_named(user, rules)
    if identity is None:
        raise UsageError(f"-as: no User document names {user!r}{nearest(user, tuple(rules.users))}")
    return Caller(identity, Proof(Source.PASSWORD)), ""


def _of_token(text: str, data_dir: str | None, rules: AccessRules) -> tuple[Caller | None, str]:
    static = rules.tokens.get(token_hash(text))
    if static is not None:
        return _unless_expired(caller_of_token(static, rules))
    if text.startswith(ISSUED_PREFIX):
        if data_dir is None:
            raise UsageError("this token was created with 'token create'; give the server's -datadir to look it up")
        return _of_row(asyncio.run(_find(text, Path(data_dir))), rules)
    return _of_claims(text, rules)


async def _find(secret: str, data_dir: Path) -> TokenRow | None:
    async with open_tokens(data_dir) as tokens:
        return await tokens.find(secret)


def _of_row(row: TokenRow | None, rules: AccessRules) -> tuple[Caller | None, str]:
    if row is None:
        return None, "the token is unknown: it was revoked, or belongs to another registry"
    identity = rules.identity(row.owner)
    if identity is None:
        return None, f"the token's owner {row.owner!r} is not a User"
    if row.fingerprint is not None and not rules.keeps_password(row.owner, row.fingerprint):
        return None, f"the password of {row.owner!r}, with which the token was created, was changed or removed"
    try:
        limits = () if row.scopes is None else (parse_client_limit(row.scopes),)
    except GrantInvalid as error:
        return None, f"the token was issued with scopes that are no longer accepted: {error}"
    return _unless_expired(Caller(identity, Proof(Source.ISSUED_TOKEN), limits, row.expires, public=rules.anonymous))


def _of_claims(text: str, rules: AccessRules) -> tuple[Caller | None, str]:
    """Return the caller for the claims of a JWT, by the first issuer whose conditions they meet."""
    try:
        read = read_token(text)
    except ExternalTokenInvalid as error:
        return None, f"no Token document has this value, and it is not a JWT: {error}"
    problem = f"no TokenIssuer document names its issuer {read.issuer!r}"
    for issuer in rules.issuers:
        if issuer.issuer != read.issuer:
            continue
        try:
            expires = check_claims(read, issuer, time.time()).expires + LEEWAY
        except ExternalTokenInvalid as error:
            problem = f"TokenIssuer {issuer.name}: {error}"
            continue
        caller = caller_of_claims(issuer.name, read.claims, rules)
        if caller is not None:
            return _unless_expired(replace(caller, expires=expires))
        problem = f"TokenIssuer {issuer.name}: the claims do not meet its conditions, or name no user"
    return None, problem


def _unless_expired(caller: Caller | None) -> tuple[Caller | None, str]:
    if caller is not None and caller.expires is not None and caller.expires <= time.time():
        return None, "the token has expired"
    return caller, ""
