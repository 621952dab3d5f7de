"""Settings from every layer: flag > environment > file > default.

Options arrive as text with the words the user knows them by (`-addr`, `SIMPLE_REGISTRY_ADDR`); directories of documents
are walked here. A setting comes whole from the last layer that names it.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simple_registry.access.advice import Declared, advise, advise_on_tokens
from simple_registry.access.rules import AccessRules
from simple_registry.config.access_documents import access_rules, located, read_declared
from simple_registry.config.administrator import DEFAULT_NAME, administrator, parse_user_name, read_password_file
from simple_registry.config.documents import Document, Entry, Place, by_kind, nearest, read_documents
from simple_registry.config.exposure import exposure
from simple_registry.config.fields import FIELDS, Field, settings_from
from simple_registry.config.settings import Administrator, Settings, UnixAddress
from simple_registry.config.values import ConfigError, parse_path

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


def load_settings(flags: Options, environment: Options, config_dirs: Iterable[Path]) -> Settings:
    """Return the settings of all layers together.

    Raises:
        ConfigError: anything in any layer is not right.

    """
    directories = tuple(config_dirs)
    values, warnings = read_configuration(directories)
    for layer in (environment, flags):
        values |= _from_options(layer)
    password = _password(flags) or _password(environment)
    return replace(
        settings_from(values),
        config_dirs=directories,
        administrator=_administrator(flags, environment, password),
        warnings=(*warnings, *(password.warnings if password else ())),
    )


def _from_options(options: Options) -> dict[str, object]:
    values: dict[str, object] = {}
    for field in FIELDS:
        given = options.get(field.option) if field.option else None
        if given is None:
            continue
        try:
            parsed = tuple(field.parse(text) for text in given.text.split(SEPARATOR))
            values[field.attribute] = parsed if field.many else parsed[0]
        except ConfigError as error:
            raise error.at(given.origin) from None
    return values


@dataclass(frozen=True, slots=True)
class _Password:
    """A password or its hash, and warnings about where it stands."""

    text: str
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "_Password(***)"


def _administrator(flags: Options, environment: Options, password: _Password | None) -> Administrator | None:
    name = flags.get("adminname") or environment.get("adminname")
    if password is None:
        if name is not None:
            raise ConfigError(f"{name.origin}: the administrator needs a password; give it with -adminpwd-file")
        return None
    try:
        named = parse_user_name(name.text) if name else DEFAULT_NAME
    except ConfigError as error:
        raise error.at(name.origin if name else "-adminname") from None
    return administrator(named, password.text)


def _password(options: Options) -> _Password | None:
    text, file = options.get("adminpwd"), options.get("adminpwd-file")
    if text and file:
        raise ConfigError(f"{text.origin} and {file.origin} exclude each other; keep the file, it is not visible")
    if file:
        path = parse_path(file.text)
        return _Password(read_password_file(path), exposure(path, "the password file"))
    return _Password(text.text) if text else None


def read_configuration(directories: Iterable[Path]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what the `Configuration` documents below `directories` set, by attribute of `Settings`, and warnings."""
    merged = _merged(_read_all(directories))
    values = {_BY_PATH[path].attribute: found.value for path, found in merged.items()}
    return values, tuple(remark for found in merged.values() for remark in found.remarks)


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
    return load_documents(directories, administrator).rules


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that documents say: rules, which take effect at once, and settings by their path in a file."""

    rules: AccessRules
    settings: Mapping[str, object]


def load_documents(directories: Iterable[Path], administrator: Administrator | None) -> Loaded:
    """Return all that the documents below `directories` say, with the administrator of the flags.

    Raises:
        ConfigError: anything in any document is not right.

    """
    kinds = _read_all(directories)
    settings = {path: found.value for path, found in _merged(kinds).items()}
    return Loaded(access_rules(kinds, administrator), settings)


@dataclass(frozen=True, slots=True)
class Examined:
    """What documents declare about access, and what works there but not as somebody would wish."""

    declared: Declared
    warnings: Sequence[str]


def examine_access(
    directories: Iterable[Path], administrator: Administrator | None, *, now: float, thorough: bool
) -> Examined:
    """Return what `load_access` would make rules of, with warnings; without `thorough`, only those about tokens.

    Raises:
        ConfigError: anything in any document is not right.

    """
    kinds = _read_all(directories)
    declared = read_declared(kinds, administrator)
    advice = advise(declared, now) if thorough else advise_on_tokens(declared, now)
    return Examined(declared, (*located(advice, kinds), *_exposed(kinds)))


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


def _read_all(directories: Iterable[Path]) -> Mapping[str, list[Document]]:
    documents = [document for file in document_files(directories) for document in read_documents(file)]
    for document in documents:
        _require_known_kind(document)
    return by_kind(documents)


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
        visible = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
        entries = [(entry, entry.is_dir()) for entry in visible]
    except OSError as error:
        raise ConfigError(f"cannot read the directory {directory}: {error.strerror}") from error
    for entry, is_directory in entries:
        if is_directory:
            yield from _walk(entry, above | {here})
        elif entry.suffix in {".yaml", ".yml"}:
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
    except ConfigError as error:
        raise entry.error(f"is wrong: {error}") from None
    return _below(entry.place.file.parent, value)


def _below(directory: Path, value: object) -> object:
    """Return a relative path as one that is relative to the file that names it."""
    if isinstance(value, Path):
        return directory / value
    if isinstance(value, UnixAddress):
        return replace(value, path=directory / value.path)
    return value
