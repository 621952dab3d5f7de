"""All documents together: access rules, which take effect at once, and settings, which need SIGHUP.

directories ──► read_documents ──► configuration_of ──► settings of the files
└──► declared_of ──► rules
└──► warnings
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simple_registry.access.lint import LintWarning, lint, lint_tokens
from simple_registry.access.rules import AccessRules, Declared, SourceDocument, rules_of
from simple_registry.config.access_documents import declared_of, names_users
from simple_registry.config.configuration import Configuration, configuration_of
from simple_registry.config.directories import signature
from simple_registry.config.documents import Documents, Place, read_documents_below
from simple_registry.config.followed import Followed
from simple_registry.config.kinds import KINDS, SECRETS
from simple_registry.config.settings import Administrator, Certificate, Settings
from simple_registry.config.values import ConfigError
from simple_registry.config.writers import Unfinished
from simple_registry.files import exposure


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of loading all documents."""

    rules: AccessRules
    configuration: Configuration
    warnings: tuple[str, ...]
    digest: str
    """As in `Documents`."""
    holders: frozenset[Path]
    """As in `Documents`."""
    named_users: bool
    """Whether these documents, or earlier ones, name a user or an issuer."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration that the parent keeps and forked workers inherit: the values that loaded last."""

    settings: Settings
    documents: Followed[Loaded]
    certificate: Followed[Certificate] | None = None


def read_documents(directories: Sequence[Path]) -> Documents:
    """Return all documents below some directories.

    Raises: ConfigError.
    """
    return read_documents_below(directories, KINDS)


def load_access(directories: Iterable[Path], administrator: Administrator | None = None) -> AccessRules:
    """Return the access rules of the documents below `directories` and of the flags.

    Raises: ConfigError.
    """
    return load_documents(tuple(directories), administrator).rules


def load_documents(
    directories: Sequence[Path], administrator: Administrator | None, before: Loaded | None = None
) -> Loaded:
    """Load the documents below `directories`, with the administrator of the options.

    A provisional administrator is part of the rules until documents name a user.

    Raises: ConfigError when a document is wrong, or a file or directory that held documents `before` exists but holds
    none, as during a write, or after an unmount.
    """
    documents = read_documents(directories)
    _require_kept(documents.holders, before)
    named = names_users(documents) or (before is not None and before.named_users)
    is_over = administrator is not None and administrator.provisional and named
    declared = declared_of(documents, None if is_over else administrator)
    return Loaded(
        rules=rules_of(declared, _sources(documents)),
        configuration=configuration_of(documents),
        warnings=_located(lint_tokens(declared, time.time()), documents),
        digest=documents.digest,
        holders=documents.holders,
        named_users=named,
    )


def follow_documents(
    directories: tuple[Path, ...], administrator: Administrator | None, before: Followed[Loaded] | None = None
) -> Followed[Loaded]:
    """Follow the documents below `directories`, with the administrator of the options, from `before` on.

    Raises: ConfigError.
    """
    return Followed(
        lambda known: load_documents(directories, administrator, known),
        lambda: signature(directories),
        None if before is None else before.value,
        unfinished=Unfinished(directories) if before is None else before.unfinished,
    )


def warnings_on(declared: Declared, documents: Documents, now: float) -> Sequence[str]:
    """Return every warning about the access rules that documents declare, with file and line."""
    return _located(lint(declared, now), documents)


def _sources(documents: Documents) -> Iterator[SourceDocument]:
    for kind, found in documents.kinds.items():
        yield from (SourceDocument(kind, document.name, str(document.place)) for document in found)


def _located(found: Iterable[LintWarning], documents: Documents) -> tuple[str, ...]:
    """Return warnings as lines, in the order of their places; those about readable files follow."""
    lines: list[tuple[Place, str]] = []
    for each in found:
        for document in documents.of(each.kind):
            if document.name == each.name:
                place = document.at(*each.at).place if each.at else document.place
                lines.append((place, f"{place}: the {each.kind} {each.name!r} {each.text}"))
    lines.sort(key=lambda one: (str(one[0].file), one[0].line))
    return (*(line for _, line in lines), *_exposed(documents))


def _exposed(documents: Documents) -> Iterator[str]:
    """Yield a warning for each file with a secret in clear text that every user may read."""
    holding = [document for kind, path in SECRETS for document in documents.of(kind) if document.find(*path)]
    for file in dict.fromkeys(document.place.file for document in holding):
        yield from exposure(file, "the secret in")


def _require_kept(holders: frozenset[Path], before: Loaded | None) -> None:
    for holder in sorted(before.holders - holders) if before is not None else ():
        if holder.is_dir():
            raise ConfigError(f"{holder}: no documents are left below it; to serve without them, restart")
        if holder.exists():
            raise ConfigError(f"{holder}: it holds no documents any more; remove the file if they are to go")
