"""One row for each setting: its default, shape, option, variable, field in documents, and meaning.

    workers: int = setting(0, WORKERS, "worker processes", option=Option("workers", "NUMBER"), restart=True)

    rows_of(Settings)        ──► options, help, `Configuration` documents, schema, reference
    build(Settings, values)  ──► Settings, with defaults for the rest

To a type checker, and to the rest of the program, the attributes are those of any dataclass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, TypeVar, cast

from simple_registry.config.shapes import ListOf, Text

PREFIX = "SIMPLE_REGISTRY_"

Value = TypeVar("Value")

NO_DEFAULT: Any = MISSING


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line that takes a value, and its other spellings."""

    name: str
    metavar: str
    aliases: tuple[str, ...] = ()
    meaning: str = ""
    details: str = ""
    """Further sentences for the reference, not in the help."""
    default: str = "none"
    repeatable: bool = False
    separator: str | None = None
    """The separator of several values in the variable; `None`: blanks."""

    @property
    def variable(self) -> str:
        """The environment variable of the same setting."""
        return PREFIX + self.name.upper().replace("-", "_")


@dataclass(frozen=True, slots=True)
class Row:
    """One setting; `attribute` is its dotted name in `Settings`."""

    attribute: str
    default: Any
    shape: Text | ListOf
    meaning: str
    path: str | None = None
    """Its field in a `Configuration`."""
    option: Option | None = None
    details: str = ""
    """Further sentences for the reference."""
    without: str = ""
    """The description of the default, if its value does not show it."""
    restart: bool = False
    """Whether a change needs a restart, and not only a reload."""
    warning: Callable[[str], str | None] | None = None
    """Returns a warning about a text that is accepted, but with another value."""

    @property
    def text(self) -> Text:
        """The shape of one value."""
        shape = self.shape.inner if isinstance(self.shape, ListOf) else self.shape
        if isinstance(shape, Text):
            return shape
        raise TypeError(shape)

    @property
    def many(self) -> bool:
        """Whether it has several values, as a tuple."""
        return isinstance(self.shape, ListOf)

    @property
    def label(self) -> str:
        """Its option, or else its field, for messages."""
        return f"-{self.option.name}" if self.option else str(self.path)

    @property
    def default_text(self) -> str:
        """The default as documents write it."""
        values = self.default if self.many else (self.default,)
        texts = [self.text.format(value) for value in values if value not in (None, MISSING)]
        return self.without or " ".join(texts) or "none"


def setting(
    default: Value,
    shape: Text | ListOf,
    meaning: str,
    *,
    path: str | None = None,
    option: Option | None = None,
    details: str = "",
    without: str = "",
    restart: bool = False,
    warning: Callable[[str], str | None] | None = None,
) -> Value:
    """Return an attribute of a dataclass that is a setting; see `Row`."""
    row = Row("", default, shape, meaning, path, None, details, without, restart, warning)
    if option is not None:
        words = f": {', '.join(row.text.words)}" if row.text.words else ""
        described = replace(
            option, meaning=meaning + words, details=details, default=row.default_text, repeatable=row.many
        )
        row = replace(row, option=described)
    return field(default=default, metadata={"row": row})


def section(of: type[Value]) -> Value:
    """Return an attribute that is a dataclass of settings."""
    return field(default_factory=of, metadata={"section": of})


def optional_section(of: type[Value]) -> Value | None:
    """Return an attribute that is a dataclass of settings, or `None` if none of them is given."""
    return field(default=None, metadata={"section": of})


def rows_of(of: type, prefix: str = "") -> Iterator[Row]:
    """Yield the rows of a dataclass of settings, and of its sections."""
    for each in fields(of):
        if row := each.metadata.get("row"):
            yield replace(row, attribute=prefix + each.name)
        elif inner := each.metadata.get("section"):
            yield from rows_of(inner, f"{prefix}{each.name}.")


def build(of: type[Value], values: Mapping[str, object], prefix: str = "") -> Value:
    """Return a dataclass of settings with `values`, by dotted attribute, and defaults for the rest."""
    given: dict[str, object] = {}
    for each in fields(cast("Any", of)):
        name = prefix + each.name
        if name in values:
            given[each.name] = values[name]
        elif "section" in each.metadata and any(key.startswith(f"{name}.") for key in values):
            given[each.name] = build(each.metadata["section"], values, f"{name}.")
    return of(**given)


def kept(old: Value, new: Value, rows: Iterable[Row]) -> Value:
    """Return `new` with the values that some rows have in `old`."""
    for row in rows:
        new = _replaced(new, row.attribute, attrgetter(row.attribute)(old))
    return new


def _replaced(value: Any, attribute: str, by: object) -> Any:
    name, _, rest = attribute.partition(".")
    return replace(value, **{name: _replaced(getattr(value, name), rest, by) if rest else by})
