"""`token create | list | revoke`: the issued tokens of a data directory, whether or not a server runs.

Standard output has only the secret of a new token, which is shown once, or a listing. Messages go to standard error.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set as AbstractSet
from typing import TextIO

from simple_registry.access.limits import GrantInvalid, parse_client_limit
from simple_registry.cli.command_audit import record_changes
from simple_registry.cli.data_commands import open_tokens, read_settings, table
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.administrator import parse_user_name
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.http.events import EventName
from simple_registry.oci.errors import RegistryError
from simple_registry.operations.issued_tokens import TokenRow, Tokens, token_document
from simple_registry.server.logging import printable
from simple_registry.times import TimeInvalid, format_moment, parse_expiry

Users = AbstractSet[str] | None
"""The users of the documents; `None` when no directory of documents is given."""

_PAGE = 1000
_COLUMNS = ("ID", "OWNER", "CREATED", "EXPIRES", "LAST USED", "SCOPES", "DESCRIPTION")


def token(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `token` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("token", _HELP)
    parser.add_argument("action", nargs="?", choices=tuple(_ACTIONS))
    parser.add_argument("id", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if asked.action is None:
        raise UsageError("usage: token create, token list or token revoke; see 'token -help'")
    directories = config_directories(asked.cfgdir, environment)
    documents = read_documents(directories)
    users: Users = {user.name for user in documents.of("User")} if directories else None
    settings = read_settings({"datadir": asked.datadir, "audit-log": asked.audit_log}, environment, documents)
    try:
        return asyncio.run(_ACTIONS[asked.action](asked, settings, users, stdout, stderr))
    except RegistryError as error:
        facts = "; ".join(f"{name}: {fact}" for name, fact in error.facts.items())
        raise UsageError(f"{error.message} ({facts})" if facts else error.message) from None


async def _create(asked: argparse.Namespace, settings: Settings, users: Users, stdout: TextIO, stderr: TextIO) -> int:
    if not asked.user or asked.id:
        raise UsageError("usage: token create -user NAME [-description TEXT] [-expires 30d] [-scope ...]")
    owner = parse_user_name(asked.user)
    scopes = _scopes(asked.scope)
    async with open_tokens(settings.data_dir) as tokens:
        expires = _expires(asked.expires, tokens)
        _warn(owner, expires, users, stderr)
        row, secret = await tokens.create(owner, asked.description or "", expires=expires, scopes=scopes)
    _record(settings, EventName.TOKEN_CREATE, [row], stderr)
    stdout.write(secret + "\n")
    stdout.flush()
    end = f"expires {format_moment(row.expires)}" if row.expires is not None else "does not expire"
    stderr.write(f"token {row.token_id} of {printable(owner)} {end}; it is shown only now\n")
    return 0


async def _list(asked: argparse.Namespace, settings: Settings, _: Users, stdout: TextIO, _stderr: TextIO) -> int:
    if asked.id:
        raise UsageError("usage: token list [-user NAME] [-json]")
    async with open_tokens(settings.data_dir) as tokens:
        rows = [row async for row in _all(tokens, asked.user)]
    if asked.json:
        stdout.write(json.dumps([token_document(row) for row in rows], indent=2) + "\n")
    else:
        stdout.writelines(table([_COLUMNS, *map(_cells, rows)]))
    stdout.flush()
    return 0


async def _revoke(asked: argparse.Namespace, settings: Settings, _: Users, _stdout: TextIO, stderr: TextIO) -> int:
    if (asked.id is None) == (asked.user is None):
        raise UsageError("usage: token revoke ID, or token revoke -user NAME; 'token list' shows the ids")
    async with open_tokens(settings.data_dir) as tokens:
        rows = [await tokens.revoke(asked.id, None)] if asked.id else await tokens.revoke_all(asked.user)
    _record(settings, EventName.TOKEN_REVOKE, rows, stderr)
    stderr.writelines(f"token {row.token_id} of {printable(row.owner)} is revoked\n" for row in rows)
    if not rows:
        stderr.write(f"{printable(asked.user)} has no tokens\n")
    return 0


def _record(settings: Settings, name: EventName, rows: Iterable[TokenRow], stderr: TextIO) -> None:
    changes = [{"event": name.value, "token": row.token_id, "owner": row.owner} for row in rows]
    record_changes(settings, changes, stderr)


_ACTIONS = {"create": _create, "list": _list, "revoke": _revoke}
_HELP = f"""\
usage: simple-registry token create -user NAME [-description TEXT] [-expires WHEN] [-scope SCOPE]...
       simple-registry token list [-user NAME] [-json]
       simple-registry token revoke ID|-user NAME

  -user NAME           user of the token, whose permissions limit it; revoke: all tokens of the user
  -description TEXT    a description of its purpose
  -expires WHEN        after 12h, 30d or 2w, or at 2027-01-31T12:00:00Z (default: never)
  -scope SCOPE...      limit of its permissions: repository:<pattern>:pull,push,delete
  -json                list as JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory, and the users
  -audit-log FILE      the server's audit log, or the variable {PREFIX}AUDIT_LOG (default: as the documents say)

The secret of a new token is printed once, alone, on standard output.
"""


def _expires(text: str | None, tokens: Tokens) -> float | None:
    try:
        return None if text is None else parse_expiry(text, tokens.now())
    except TimeInvalid as error:
        raise UsageError(f"-expires: {error}") from None


def _scopes(texts: Sequence[str]) -> Sequence[str] | None:
    try:
        parse_client_limit(texts)
    except GrantInvalid as error:
        raise UsageError(f"-scope: {error}") from None
    return texts or None


def _warn(owner: str, expires: float | None, users: Users, stderr: TextIO) -> None:
    if expires is None:
        stderr.write("warning: the token never expires; give -expires, for example -expires 90d\n")
    if users is not None and owner not in users:
        stderr.write(
            f"warning: no User document names {printable(owner)!r}; unless that is the administrator of -adminname, "
            "the token is not valid until there is one, and is removed after a day\n"
        )


async def _all(tokens: Tokens, owner: str | None) -> AsyncIterator[TokenRow]:
    last: str | None = None
    more = True
    while more:
        page = await tokens.page(owner, last=last, limit=_PAGE)
        for row in page.rows:
            yield row
        last, more = (page.rows[-1].token_id, page.more) if page.rows else (None, False)


def _cells(row: TokenRow) -> Sequence[str]:
    scopes = "all of its owner" if row.scopes is None else " ".join(row.scopes) or "none"
    expires = "never" if row.expires is None else format_moment(row.expires)
    used = "never" if row.last_used is None else format_moment(row.last_used)
    cells = (row.token_id, row.owner, format_moment(row.created), expires, used, scopes, row.description)
    return [printable(cell) for cell in cells]
