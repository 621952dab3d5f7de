"""What commands beside `serve` share: their parser, where documents and data are, and how rows are shown."""

import argparse
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from simple_registry.backends import local
from simple_registry.cli.options import OPTIONS, PREFIX, UsageError
from simple_registry.clock import SystemClock
from simple_registry.config.load import Given, load_settings
from simple_registry.config.settings import Settings
from simple_registry.operations.tokens import Tokens
from simple_registry.services import build_tokens


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError."""

    def error(self, message: str) -> NoReturn:
        """Raise the message."""
        raise UsageError(f"{message}; '{self.prog} -help' tells more")


def config_directories(given: Sequence[str], environment: Mapping[str, str]) -> Sequence[Path]:
    """Return the directories of `-cfgdir`, or of its variable."""
    texts = given or environment.get(f"{PREFIX}CFGDIR", "").split(os.pathsep)
    return tuple(Path(text) for text in texts if text)


def read_settings(
    given: Mapping[str, str | None], environment: Mapping[str, str], directories: Sequence[Path]
) -> Settings:
    """Return the server's settings: those of the `given` options, of their variables, or of documents in `directories`.

    Raises: ConfigError.
    """
    options = {}
    for option in OPTIONS:
        text = option.name in given and (given[option.name] or environment.get(option.variable))
        if text:
            options[option.name] = Given(text, f"-{option.name}")
    return load_settings(options, {}, directories)


@asynccontextmanager
async def open_tokens(data_dir: Path) -> AsyncIterator[Tokens]:
    """Lend the operations on issued tokens of a data directory.

    Raises: as `stores_for_command`.
    """
    clock = SystemClock()
    async with local.stores_for_command(data_dir, clock) as stores:
        yield build_tokens(stores, clock)


def table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Yield rows, of which the first has the headings, as lines with columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
