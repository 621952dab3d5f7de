"""Every setting as it is in effect, with the origin of its value; secrets are never shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.config.configuration import Configuration, Given, Options
from simple_registry.config.rows import PREFIX, Row
from simple_registry.config.settings import ROWS, Settings
from simple_registry.config.values import Secret

MASK = "***"


class Layer(StrEnum):
    """Where a value was given, the weakest layer first."""

    DEFAULT = "default"
    DOCUMENT = "document"
    VARIABLE = "variable"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting: its field in documents or else its option, the texts of its values, and their origin.

    `place` is a file and line, a variable or an option; it is empty for a default.
    """

    name: str
    values: tuple[str, ...]
    layer: Layer = Layer.DEFAULT
    place: str = ""


def effective(
    settings: Settings, configuration: Configuration, flags: Options, environment: Options
) -> Iterator[Effective]:
    """Yield every setting of `settings`, which were made of these layers, and the options of the administrator."""
    for row in ROWS:
        given = (flags.get(row.option.name) or environment.get(row.option.name)) if row.option else None
        place = configuration.places.get(row.path or "")
        values = _texts(row, settings)
        if given is not None:
            yield of_option(row.label if row.path is None else row.path, given, values)
        elif place is not None:
            yield Effective(str(row.path), values, Layer.DOCUMENT, str(place))
        else:
            yield Effective(row.path or row.label, values)
    yield from _administrator(flags, environment)


def of_option(name: str, given: Given, values: tuple[str, ...]) -> Effective:
    """Return a setting whose values an option or a variable gives."""
    layer = Layer.VARIABLE if given.origin.startswith(PREFIX) else Layer.OPTION
    return Effective(name, values, layer, given.origin)


def _administrator(flags: Options, environment: Options) -> Iterator[Effective]:
    """Yield the options of the administrator. A password of the command line replaces those of both variables."""
    name = flags.get("adminname") or environment.get("adminname")
    yield of_option("-adminname", name, name.texts) if name else Effective("-adminname", ("admin",))
    passwords = ("adminpwd-file", "adminpwd")
    layer = next((layer for layer in (flags, environment) if any(each in layer for each in passwords)), {})
    for each in passwords:
        given = layer.get(each)
        texts = (MASK,) if each == "adminpwd" else given.texts if given else ()
        yield of_option(f"-{each}", given, texts) if given else Effective(f"-{each}", ())


def _texts(row: Row, settings: Settings) -> tuple[str, ...]:
    value: object = settings
    for step in row.attribute.split("."):
        value = getattr(value, step, None)  # a section that is not given is None
    if value == row.default and row.without:
        return (row.without,)
    values = value if row.many and isinstance(value, tuple) else (value,)
    return tuple(MASK if isinstance(each, Secret) else row.text.format(each) for each in values if each is not None)
