"""`policy`: documents checked, tested against expectations, compared, or described by a schema.

check    0 the documents load       1 they do not
test     0 all expectations hold    1 some do not
diff     0, also when there are differences
schema   0
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.access.comparison import Change, SubjectChanges, compare, example_scopes, words
from simple_registry.access.questions import Answer, answers
from simple_registry.cli.can_i import required_directories
from simple_registry.cli.data_commands import open_stores
from simple_registry.cli.options import CFGDIR, Parser, UsageError
from simple_registry.config.access_documents import declared_of
from simple_registry.config.configuration import configuration_of, settings_of
from simple_registry.config.documents import Documents
from simple_registry.config.expectations import Expectation, read_expectations
from simple_registry.config.load import load_access, read_documents, warnings_on
from simple_registry.config.schema import json_schema
from simple_registry.config.settings import Settings
from simple_registry.config.values import ConfigError
from simple_registry.server.logging import printable

PAGE = 1000
_SHOWN = 8
"""Scopes that are named for one change; the others are counted."""

_HELP = f"""\
usage: simple-registry policy check DIRECTORY...
       simple-registry policy test FILE... -cfgdir DIRECTORY...
       simple-registry policy diff OLD NEW [-datadir DIRECTORY]
       simple-registry policy schema

check: reports whether the documents of these directories load together. Prints errors and warnings with file and line.
test: compares permissions with the expectations of YAML tables. Prints each expectation that does not hold:

    - as: bob
      can: [push image team/app:v1]
      cannot: [delete manifests team/app]

Instead of 'as', a row begins with 'anonymous: true', 'groups: [...]', 'token: NAME', or 'issuer: NAME' and 'claims'.
diff: prints the permissions that each user and group gains or loses, over the repositories and tags of the data
directory (also while a server uses it), or over example names made from the patterns of both.
schema: prints the JSON Schema of the documents, for editors.

  -cfgdir DIRECTORY... directory of YAML documents, or the variable {CFGDIR.variable}
  -datadir DIRECTORY   the server's data directory
"""


def policy(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> int:
    """Run `policy` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    asked = _parser().parse_intermixed_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    paths = [Path(text) for text in asked.paths]
    match asked.action:
        case "check" if paths and not asked.cfgdir and not asked.datadir:
            return checked(paths, stdout)
        case "test" if paths and not asked.datadir:
            return _test(paths, required_directories(asked.cfgdir, environment), stdout)
        case "diff" if len(paths) == 2 and not asked.cfgdir:  # noqa: PLR2004
            return _diff(paths[0], paths[1], Path(asked.datadir) if asked.datadir else None, stdout)
        case "schema" if not paths and not asked.cfgdir and not asked.datadir:
            stdout.write(json.dumps(json_schema(), indent=2) + "\n")
            return 0
        case _:
            raise UsageError(
                "usage: policy check DIRECTORY..., policy test FILE... -cfgdir DIRECTORY, policy diff OLD NEW "
                "[-datadir DIRECTORY], or policy schema; see 'policy -help'"
            )


def _parser() -> Parser:
    parser = Parser("policy", _HELP)
    parser.add_argument("action", nargs="?")
    parser.add_argument("paths", nargs="*")
    return parser


def checked(
    directories: Sequence[Path], stdout: TextIO, settings: Callable[[Documents], Settings] | None = None
) -> int:
    """Load documents, and the `settings` of a command. Print errors and warnings; return the exit code."""
    try:
        documents = read_documents(directories)
        read = settings(documents) if settings else settings_of(configuration_of(documents), {}, {})
        declared = declared_of(documents, read.administrator)
    except ConfigError as error:
        stdout.write(f"error: {printable(str(error))}\n")
        return 1
    warnings = tuple(dict.fromkeys((*read.warnings, *warnings_on(declared, documents, time.time()))))
    stdout.writelines(f"warning: {printable(warning)}\n" for warning in warnings)
    counts = (
        _count(len(declared.users), "user"),
        _count(len(declared.roles), "role"),
        _count(len(declared.bindings), "binding"),
        _count(len(declared.tokens), "token"),
        _count(len(declared.issuers), "issuer"),
    )
    stdout.write(f"the documents load: {', '.join(counts)}; {_count(len(warnings), 'warning')}\n")
    return 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _test(files: Sequence[Path], directories: Sequence[Path], stdout: TextIO) -> int:
    rules = load_access(directories)
    expectations = [each for file in files for each in read_expectations(file, rules)]
    if not expectations:
        raise ConfigError(f"{files[0]}: contains no expectations")
    failures = 0
    for each in expectations:
        reason = _failure(each, answers(each.question, each.caller, rules.policy) if each.caller else ())
        if reason is not None:
            failures += 1
            stdout.write(f"{printable(reason)}\n")
    if failures:
        stdout.write(f"{failures} of {_count(len(expectations), 'expectation')} failed\n")
        return 1
    stdout.write(f"{_count(len(expectations), 'expectation')} hold{'s' if len(expectations) == 1 else ''}\n")
    return 0


def _failure(expectation: Expectation, found: Sequence[Answer]) -> str | None:
    """Return why an expectation does not hold, or `None`. Without answers nothing is allowed."""
    missing = next((answer for answer in found if not answer.allowed), None)
    allowed = bool(found) and missing is None
    if allowed is expectation.allowed:
        return None
    what = f"{expectation.place}: {expectation.who} {'can' if allowed else 'cannot'} {expectation.question.text}"
    if allowed:
        return f"{what}, but should not: {found[-1].reason}"
    return f"{what}: {missing if missing is not None else 'these credentials are rejected'}"


async def _existing_scopes(data_dir: Path) -> Sequence[str]:
    """Return every repository of a data directory, and every tag as `repository:tag`."""
    scopes: list[str] = []
    async with open_stores(data_dir) as stores:
        after: str | None = None
        while repositories := await stores.rows.repositories.page_repositories(after, PAGE):
            after = repositories[-1]
            for repository in repositories:
                scopes.append(repository)
                tag: str | None = None
                while tags := await stores.rows.tags.page_tags(repository, tag, PAGE):
                    tag = tags[-1]
                    scopes += (f"{repository}:{each}" for each in tags)
    return scopes


def _diff(old: Path, new: Path, data_dir: Path | None, stdout: TextIO) -> int:
    before, after = (declared_of(read_documents([directory]), None) for directory in (old, new))
    if data_dir is not None:
        scopes: Sequence[str] = asyncio.run(_existing_scopes(data_dir))
        over = f"the repositories and tags of {data_dir}"
    else:
        scopes = example_scopes(before, after)
        over = "example names made from the patterns"
    found = compare(before, after, scopes)
    stdout.write(f"compared over the catalog and {printable(over)} ({len(scopes)})\n")
    for subject in found:
        stdout.writelines(f"{line}\n" for line in _described(subject))
    if not found:
        stdout.write("no user or group gains or loses anything there\n")
    if before.issuers != after.issuers:
        stdout.write("TokenIssuers differ too: the permissions of their tokens depend on claims; see 'policy test'\n")
    return 0


def _described(subject: SubjectChanges) -> Iterator[str]:
    yield f"{subject.kind} {printable(subject.name)}"
    for change in subject.changes:
        yield f"  {'+' if change.gained else '-'} {words(change.rights)} on {_scopes(change)}"


def _scopes(change: Change) -> str:
    names = [scope or "the catalog" for scope in change.scopes]
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
