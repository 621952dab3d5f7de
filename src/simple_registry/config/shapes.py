"""The shape of a document, from which validation, the schema for editors and the reference are derived.

    Entry ──► shape.read ──► a value; an error names file, line and path
              shape ───────► JSON Schema (`config.schema`), and the tables of `docs/reference.md`

A mapping becomes a dictionary of the fields that are present, a list becomes a tuple, and a scalar becomes what its
parser returns.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

from simple_registry.access.scopes import PatternInvalid, ScopePattern
from simple_registry.config.documents import Document, Entry
from simple_registry.config.values import ConfigError, UnixAddress, Word, parse_path, word_parser

Values = Mapping[str, Any]
"""The values of a mapping, by field; fields that were left out are absent."""


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar: its name in the reference, its parser, and checks for editors."""

    what: str = "text"
    parse: Callable[[str], Any] = str
    """Raises ValueError, with a message that shows a correct example."""
    format: Callable[[Any], str] = str
    """The inverse of `parse`, for the documentation of defaults."""
    words: tuple[str, ...] = ()
    pattern: str | None = None
    number: bool = False
    """Whether a YAML number is accepted, too."""

    def read(self, entry: Entry) -> Any:
        """Return the value of a scalar. A relative path is relative to the file that names it."""
        text = entry.word() if self is BOOLEAN else entry.text()
        try:
            value = self.parse(text)
        except ValueError as error:
            raise entry.error(f"is wrong: {error}") from None
        directory = entry.place.file.parent
        if isinstance(value, Path):
            return directory / value
        return replace(value, path=directory / value.path) if isinstance(value, UnixAddress) else value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; with `or_one`, a single item may be written without brackets."""

    inner: "Text | Fields"
    or_one: bool = False
    empty: bool = False
    """Whether it may be empty."""
    hint: str = "name at least one"
    """What to write instead of an empty list."""

    def read(self, entry: Entry) -> tuple[Any, ...]:
        """Return the values of the items."""
        items = [entry] if self.or_one and not entry.is_list() else entry.items()
        if not items and not self.empty:
            raise entry.error(f"is empty; {self.hint}")
        return tuple(self.inner.read(item) for item in items)


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping with any keys; `key` describes them."""

    inner: Text
    key: str

    def read(self, entry: Entry) -> Values:
        """Return the values by key."""
        return {name: self.inner.read(value) for name, value in entry.any_fields().items()}


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with known fields; of `one_of`, exactly one is present."""

    fields: tuple["Field", ...]
    one_of: tuple[str, ...] = ()

    def read(self, entry: Entry) -> Values:
        """Return the values of the fields that are present."""
        found = entry.fields([field.name for field in self.fields])
        for field in self.fields:
            if field.required and field.name not in found:
                raise entry.error(f"needs {field.name!r}")
        if self.one_of and len(found.keys() & set(self.one_of)) != 1:
            raise entry.error(f"needs exactly one of {', '.join(self.one_of)}")
        return {field.name: field.shape.read(found[field.name]) for field in self.fields if field.name in found}


Shape = Union[Text, ListOf, MapOf, Fields]  # noqa: UP007 (the names above are forward references)


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, shape and meaning, whether it is required, and its default."""

    name: str
    shape: Shape
    meaning: str
    required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document."""

    name: str
    meaning: str
    spec: Fields

    def read(self, document: Document) -> Values:
        """Return the values of a document of this kind.

        Raises: ConfigError.
        """
        return self.spec.read(document.spec)


def word(words: Iterable[Word]) -> Text:
    """Return the shape of a scalar that is one of some words."""
    return Text("word", word_parser(words), words=tuple(str(each) for each in words))


def _parse_boolean(text: str) -> bool:
    return word_parser(("true", "false"))(text) == "true"


def _parse_pattern(text: str) -> ScopePattern:
    try:
        return ScopePattern(text)
    except PatternInvalid as error:
        raise ConfigError(f"not a valid pattern: {error}") from None


BOOLEAN = Text("boolean", _parse_boolean, lambda value: str(value).lower(), words=("true", "false"))
NAME = Text("name")
PATH = Text("path", parse_path, lambda path: str(path) if path.is_absolute() else f"./{path}")
PATTERN = Text("RE2 pattern", _parse_pattern)
