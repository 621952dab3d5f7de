"""Shared by the commands on a data directory: settings, stores, and tables."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from simple_registry.backends import local
from simple_registry.cli.options import OPTIONS, config_directories, variables
from simple_registry.clock import SystemClock
from simple_registry.config.configuration import Given, configuration_of, settings_of
from simple_registry.config.documents import Documents
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.operations.issued_tokens import Tokens
from simple_registry.services import build_tokens
from simple_registry.storage.stores import Stores


def read_settings(given: Mapping[str, str | None], environment: Mapping[str, str], documents: Documents) -> Settings:
    """Return the server's settings from the `given` options, their variables, and documents.

    Raises: ConfigError.
    """
    flags = {name: Given(f"-{name}", (text,)) for name, text in given.items() if text}
    layer = variables(environment, [option for option in OPTIONS if option.name in given])
    return settings_of(configuration_of(documents), flags, layer)


def find_data_dir(given: str | None, directories: Sequence[str], environment: Mapping[str, str]) -> Path:
    """Return the server's data directory; documents are read only if neither option nor variable names it.

    So a reload reaches a server whose documents are wrong, which it is to report.

    Raises: ConfigError.
    """
    text = given or environment.get(f"{PREFIX}DATADIR")
    if text:
        return Path(text)
    documents = read_documents(config_directories(directories, environment))
    return read_settings({"datadir": None}, environment, documents).data_dir


def open_stores(data_dir: Path) -> AbstractAsyncContextManager[Stores]:
    """Open the stores of a data directory for a block, whether or not a server runs.

    Raises: StorageFault when this program cannot use the directory or its database.
    """
    return local.stores_for_command(data_dir)


@asynccontextmanager
async def open_tokens(data_dir: Path) -> AsyncIterator[Tokens]:
    """Open the issued tokens of a data directory for a block, as `open_stores` does."""
    async with open_stores(data_dir) as stores:
        yield build_tokens(stores, SystemClock())


def table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Yield rows as lines with columns. The first row has the headings."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
