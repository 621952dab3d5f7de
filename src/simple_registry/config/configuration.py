"""Settings from every layer: flag > environment > file > default.

Options arrive as text, with the spelling that the user wrote (`-addr`, `SIMPLE_REGISTRY_ADDR`). A higher layer replaces
the whole value of a setting.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from simple_registry.config.documents import Documents, Entry, Place
from simple_registry.config.rows import Row, build
from simple_registry.config.settings import ROWS, Administrator, Settings
from simple_registry.config.shapes import Field, Fields, Kind, Values
from simple_registry.config.values import ConfigError


@dataclass(frozen=True, slots=True)
class Given:
    """The texts of one option, and its spelling: `-addr` or `SIMPLE_REGISTRY_ADDR`."""

    origin: str
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text of an option that cannot be repeated."""
        return self.texts[0]


Options = Mapping[str, Given]
"""Options by name (`addr`, `adminname`), without those that were not given."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values that `Configuration` documents set, by path, with their places and with warnings."""

    values: Mapping[str, object]
    warnings: tuple[str, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)


def _shape(rows: Iterable[Row]) -> Fields:
    whole: list[Field] = []
    sections: dict[str, list[Field]] = {}
    for row in rows:
        section, dot, name = str(row.path).partition(".")
        meaning = f"{row.meaning}. {row.details}".strip() if row.details else row.meaning
        default = row.default_text if row.default_text in {"none", row.without} else f"`{row.default_text}`"
        each = Field(name or section, row.shape, meaning, default=default)
        (sections.setdefault(section, []) if dot else whole).append(each)
    return Fields((*whole, *(Field(name, Fields(tuple(inner)), "") for name, inner in sections.items())))


_BY_PATH = {row.path: row for row in ROWS if row.path is not None}
CONFIGURATION = Kind("Configuration", "settings of the server", _shape(_BY_PATH.values()))


def configuration_of(documents: Documents) -> Configuration:
    """Return the configuration that all documents set together.

    Raises: ConfigError.
    """
    merged: dict[str, tuple[object, Entry]] = {}
    warnings: list[str] = []
    for document in documents.of(CONFIGURATION.name):
        for path, value in _leaves(CONFIGURATION.read(document)):
            entry = document.at(*path.split("."))
            other, first = merged.setdefault(path, (value, entry))
            if other != value:
                raise ConfigError(f"{entry.place}: {path} is set differently at {first.place}; keep one of them")
            warning = _BY_PATH[path].warning
            if warning is not None and (why := warning(entry.text())):
                warnings.append(str(entry.error(why)))
    return Configuration(
        {path: value for path, (value, _) in merged.items()},
        tuple(warnings),
        {path: entry.place for path, (_, entry) in merged.items()},
    )


def settings_of(
    configuration: Configuration,
    flags: Options,
    environment: Options,
    *,
    config_dirs: tuple[Path, ...] = (),
    administrator: Administrator | None = None,
) -> Settings:
    """Return the settings of all layers together; `configuration` is that of the files.

    Raises: ConfigError.
    """
    values = {_BY_PATH[path].attribute: value for path, value in configuration.values.items()}
    for layer in (environment, flags):
        values |= _from_options(layer)
    _require_pair(values)
    warnings = (*configuration.warnings, *(administrator.warnings if administrator else ()))
    return replace(build(Settings, values), config_dirs=config_dirs, administrator=administrator, warnings=warnings)


def _leaves(spec: Values, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _from_options(options: Options) -> dict[str, object]:
    values: dict[str, object] = {}
    for row in ROWS:
        given = options.get(row.option.name) if row.option else None
        if given is None:
            continue
        try:
            parsed = tuple(row.text.parse(text) for text in given.texts)
        except ValueError as error:
            raise ConfigError(f"{given.origin}: {error}") from None
        values[row.attribute] = parsed if row.many else parsed[0]
    return values


def _require_pair(values: Mapping[str, object]) -> None:
    certificate, key = values.get("tls.certificate"), values.get("tls.key")
    if certificate is not None and key is None:
        raise ConfigError(f"the certificate {certificate} has no private key; give it with -key")
    if key is not None and certificate is None:
        raise ConfigError(f"the private key {key} has no certificate; give it with -cert")
