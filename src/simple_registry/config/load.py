"""Settings from every layer: flag > environment > file > default.

Options arrive as text with the words the user knows them by (`-addr`, `SIMPLE_REGISTRY_ADDR`); directories of documents
are walked here. A setting comes whole from the last layer that names it.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simple_registry.access.advice import Declared, advise, advise_on_tokens
from simple_registry.access.rules import AccessRules
from simple_registry.config.access_documents import located, names_anybody, read_declared, rules_of
from simple_registry.config.administrator import DEFAULT_NAME, administrator, parse_user_name, read_password_file
from simple_registry.config.documents import Document, Entry, Place, by_kind, nearest, parse_documents, read_file
from simple_registry.config.exposure import exposure
from simple_registry.config.fields import FIELDS, Field, settings_from
from simple_registry.config.settings import Administrator, Settings
from simple_registry.config.values import ConfigError, UnixAddress, parse_path
from simple_registry.config.watch import SUFFIXES, is_hidden

ACCESS_KINDS = ("User", "Role", "RoleBinding", "Token", "TokenIssuer")
KINDS = ("Configuration", *ACCESS_KINDS)
LATER_KINDS = ("PullThroughCache",)
LATER_FIELDS = (
    "web.ui",
    "storage",
    "garbageCollection.deleteUntagged",
)
SECRETS = (("Configuration", "web.tokenSecret"), ("Token", "value"))
"""The kinds of documents that can hold secrets as they are, and where."""
_BY_PATH = {field.path: field for field in FIELDS if field.path is not None}


SEPARATOR = "\n"
"""Stands between the texts of an option that was given several times."""


@dataclass(frozen=True, slots=True)
class Given:
    """The text of one option, and how it was given: `-addr` or `SIMPLE_REGISTRY_ADDR`."""

    text: str
    origin: str


Options = Mapping[str, Given]
"""Options by name (`addr`, `admin…`), without those that were not given."""


@dataclass(frozen=True, slots=True)
class _Found:
    value: object
    place: Place
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `Configuration` documents set, by path in a file, and what is odd about it."""

    values: Mapping[str, object]
    remarks: tuple[str, ...]


def load_settings(flags: Options, environment: Options, config_dirs: Iterable[Path]) -> Settings:
    """Return the settings of all layers together.

    Raises:
        ConfigError: anything in any layer is not right.

    """
    directories = tuple(config_dirs)
    configuration = _configuration_of(_merged(_read_all(directories).kinds))
    return settings_of(flags, environment, directories, configuration, given_administrator(flags, environment))


def settings_of(
    flags: Options,
    environment: Options,
    config_dirs: tuple[Path, ...],
    configuration: Configuration,
    administrator: Administrator | None,
) -> Settings:
    """Return the settings of all layers together, of which that of the files is `configuration`.

    Raises:
        ConfigError: anything in any layer is not right.

    """
    values = {_BY_PATH[path].attribute: value for path, value in configuration.values.items()}
    for layer in (environment, flags):
        values |= _from_options(layer)
    odd = (*configuration.remarks, *(administrator.warnings if administrator else ()))
    return replace(settings_from(values), config_dirs=config_dirs, administrator=administrator, warnings=odd)


def _from_options(options: Options) -> dict[str, object]:
    values: dict[str, object] = {}
    for field in FIELDS:
        given = options.get(field.option) if field.option else None
        if given is None:
            continue
        try:
            parsed = tuple(field.parse(text) for text in given.text.split(SEPARATOR))
            values[field.attribute] = parsed if field.many else parsed[0]
        except ValueError as error:
            raise ConfigError(f"{given.origin}: {error}") from None
    return values


@dataclass(frozen=True, slots=True)
class _Password:
    """A password or its hash, and warnings about where it stands."""

    text: str
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "_Password(***)"


def given_administrator(flags: Options, environment: Options) -> Administrator | None:
    """Return the administrator that options name, if they do.

    Raises:
        ConfigError: the options are not right, or the password file is not.

    """
    password = _password(flags) or _password(environment)
    name = flags.get("adminname") or environment.get("adminname")
    if password is None:
        if name is not None:
            raise ConfigError(f"{name.origin}: the administrator needs a password; give it with -adminpwd-file")
        return None
    try:
        named = parse_user_name(name.text) if name else DEFAULT_NAME
    except ConfigError as error:
        raise error.at(name.origin if name else "-adminname") from None
    return replace(administrator(named, password.text), warnings=password.warnings)


def _password(options: Options) -> _Password | None:
    text, file = options.get("adminpwd"), options.get("adminpwd-file")
    if text and file:
        raise ConfigError(f"{text.origin} and {file.origin} exclude each other; keep the file, it is not visible")
    if file:
        path = parse_path(file.text)
        return _Password(read_password_file(path), exposure(path, "the password file"))
    return _Password(text.text) if text else None


def _configuration_of(merged: Mapping[str, _Found]) -> Configuration:
    values = {path: found.value for path, found in merged.items()}
    return Configuration(values, tuple(remark for found in merged.values() for remark in found.remarks))


def _merged(kinds: Mapping[str, Sequence[Document]]) -> Mapping[str, _Found]:
    merged: dict[str, _Found] = {}
    for document in kinds.get("Configuration", ()):
        for path, found in _configuration(document).items():
            other = merged.setdefault(path, found)
            if other.value != found.value:
                raise ConfigError(f"{found.place}: {path} is set differently at {other.place}; keep one of them")
    return merged


def load_access(directories: Iterable[Path], administrator: Administrator | None) -> AccessRules:
    """Return what the documents below `directories`, and the flags, say about access.

    Raises:
        ConfigError: anything in any document is not right.

    """
    return load_documents(tuple(directories), administrator).rules


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that documents say: rules, which take effect at once, and settings, which wait for SIGHUP."""

    rules: AccessRules
    configuration: Configuration
    warnings: tuple[str, ...]
    digest: str
    """`sha256:` and the hash of all files, one after the other in the order in which they are read."""
    holders: frozenset[Path]
    """The files that hold documents, and the directories given that do."""
    named_anybody: bool
    """Whether these documents name a user or an issuer, or those before them did."""


def load_documents(
    directories: Sequence[Path], administrator: Administrator | None, before: Loaded | None = None
) -> Loaded:
    """Return all that the documents below `directories` say, with the administrator of the flags.

    A provisional administrator is part of it until documents name anybody, now or before.

    Raises:
        ConfigError: anything in any document is not right, or a file or directory that held documents `before` is
            there and holds none: so is one that is being written, and a directory whose mount has gone.

    """
    read = _read_all(directories)
    _require_kept(read.holders, before)
    named = names_anybody(read.kinds) or (before is not None and before.named_anybody)
    is_over = administrator is not None and administrator.provisional and named
    declared = read_declared(read.kinds, None if is_over else administrator)
    return Loaded(
        rules=rules_of(declared),
        configuration=_configuration_of(_merged(read.kinds)),
        warnings=(*located(advise_on_tokens(declared, time.time()), read.kinds), *_exposed(read.kinds)),
        digest=read.digest,
        holders=read.holders,
        named_anybody=named,
    )


def _require_kept(holders: frozenset[Path], before: Loaded | None) -> None:
    for holder in sorted(before.holders - holders) if before is not None else ():
        if holder.is_dir():
            raise ConfigError(f"{holder}: no documents are left below it; to serve without them, restart")
        if holder.exists():
            raise ConfigError(f"{holder}: it holds no documents any more; remove the file if they are to go")


@dataclass(frozen=True, slots=True)
class Examined:
    """What documents declare about access, and what works there but not as somebody would wish."""

    declared: Declared
    warnings: Sequence[str]


def examine_access(directories: Iterable[Path], administrator: Administrator | None, now: float) -> Examined:
    """Return what `load_access` would make rules of, with warnings.

    Raises:
        ConfigError: anything in any document is not right.

    """
    kinds = _read_all(tuple(directories)).kinds
    declared = read_declared(kinds, administrator)
    return Examined(declared, (*located(advise(declared, now), kinds), *_exposed(kinds)))


def _exposed(kinds: Mapping[str, Sequence[Document]]) -> Iterator[str]:
    """Yield a warning for each file that holds a secret as it is, not its hash, and that every user may read."""
    documents = [document for kind, path in SECRETS for document in kinds.get(kind, ()) if _holds(document, path)]
    for file in dict.fromkeys(document.place.file for document in documents):
        yield from exposure(file, "the secret in")


def _holds(document: Document, path: str) -> bool:
    entry = document.spec
    for name in path.split("."):
        entry = entry.any_fields().get(name) if entry is not None else None
    return entry is not None


@dataclass(frozen=True, slots=True)
class _Read:
    """Documents by kind, and what they were read from."""

    kinds: Mapping[str, Sequence[Document]]
    digest: str
    holders: frozenset[Path]


def _read_all(directories: Sequence[Path]) -> _Read:
    documents: list[Document] = []
    hashed = hashlib.sha256()
    for file in document_files(directories):
        content = read_file(file)
        hashed.update(content)
        documents += parse_documents(file, content)
    for document in documents:
        _require_known_kind(document)
    files = {document.place.file for document in documents}
    above = {directory for directory in directories if any(file.is_relative_to(directory) for file in files)}
    return _Read(by_kind(documents), f"sha256:{hashed.hexdigest()}", frozenset(files | above))


def document_files(directories: Iterable[Path]) -> list[Path]:
    """Return the YAML files below each directory, sorted; hidden files and folders (`..data` too) are left out."""
    files: dict[str, Path] = {}
    for directory in directories:
        _require_directory(directory)
        for file in _walk(directory, frozenset()):
            files.setdefault(_real(file), file)  # a file below two given directories counts once
    return list(files.values())


def _require_directory(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ConfigError(f"-cfgdir {path}: this directory does not exist") from None
    except OSError as error:
        raise ConfigError(f"-cfgdir {path}: {error.strerror}") from error
    if not stat.S_ISDIR(mode):
        raise ConfigError(f"-cfgdir {path}: this is not a directory")


def _real(path: Path) -> str:
    """Return the path without links; unlike `Path.resolve` also of a link to itself, which cannot be read later."""
    return os.path.realpath(path)


def _walk(directory: Path, above: frozenset[str]) -> Iterable[Path]:
    here = _real(directory)
    if here in above:  # a symbolic link that leads back up
        return
    try:
        visible = sorted(entry for entry in directory.iterdir() if not is_hidden(entry.name))
        entries = [(entry, entry.is_dir()) for entry in visible]
    except OSError as error:
        raise ConfigError(f"cannot read the directory {directory}: {error.strerror}") from error
    for entry, is_directory in entries:
        if is_directory:
            yield from _walk(entry, above | {here})
        elif entry.name.endswith(SUFFIXES):
            yield entry


def _require_known_kind(document: Document) -> None:
    if document.kind in KINDS:
        return
    if document.kind in LATER_KINDS:
        raise ConfigError(f"{document.place}: documents of kind {document.kind} come with a later version")
    raise ConfigError(
        f"{document.place}: {document.kind!r} is not a known kind{nearest(document.kind, (*KINDS, *LATER_KINDS))}"
    )


def _configuration(document: Document) -> dict[str, _Found]:
    if document.spec is None:
        return {}
    return {path: _found(_BY_PATH[path], entry) for path, entry in _leaves(document.spec, "").items()}


def _leaves(section: Entry, prefix: str) -> dict[str, Entry]:
    paths = [path for path in (*_BY_PATH, *LATER_FIELDS) if path.startswith(prefix)]
    known = {path.removeprefix(prefix).partition(".")[0] for path in paths}
    leaves: dict[str, Entry] = {}
    for name, entry in section.fields(known).items():
        path = prefix + name
        if path in LATER_FIELDS:
            raise entry.error("is not supported by this version")
        if path in _BY_PATH:
            leaves[path] = entry
        else:
            leaves |= _leaves(entry, f"{path}.")
    return leaves


def _found(field: Field, entry: Entry) -> _Found:
    entries = entry.items() if field.many and not (field.or_one and not entry.is_list()) else [entry]
    if field.or_one and not entries:
        raise entry.error("is empty; name at least one")
    values = tuple(_value(field, each) for each in entries)
    remarks = tuple(str(each.error(remark)) for each in entries if (remark := field.remark(each.text())))
    return _Found(values if field.many else values[0], entry.place, remarks)


def _value(field: Field, entry: Entry) -> object:
    try:
        value = field.parse(entry.text())
    except ValueError as error:
        raise entry.error(f"is wrong: {error}") from None
    return _below(entry.place.file.parent, value)


def _below(directory: Path, value: object) -> object:
    """Return a relative path as one that is relative to the file that names it."""
    if isinstance(value, Path):
        return directory / value
    if isinstance(value, UnixAddress):
        return replace(value, path=directory / value.path)
    return value
