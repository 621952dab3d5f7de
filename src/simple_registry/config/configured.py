"""What flags, variables and files said when a server last read them, and the files that it follows from there on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simple_registry.config.followed import Followed
from simple_registry.config.load import Loaded, load_documents
from simple_registry.config.settings import Administrator, Certificate, Settings
from simple_registry.config.watch import directories_of, signature
from simple_registry.config.writers import Writers


@dataclass(frozen=True, slots=True)
class Configured:
    """What the parent keeps, and each worker is forked with: both values are the last ones that loaded."""

    settings: Settings
    documents: Followed[Loaded]
    certificate: Followed[Certificate] | None = None


def follow_documents(
    directories: tuple[Path, ...], administrator: Administrator | None, before: Followed[Loaded] | None = None
) -> Followed[Loaded]:
    """Return the documents below `directories`, with the administrator of the flags; `before` were followed until now.

    Raises: ConfigError.
    """
    return Followed(
        lambda known: load_documents(directories, administrator, known),
        lambda: signature(directories),
        None if before is None else before.value,
        unfinished=_unfinished(directories) if before is None else before.unfinished,
    )


def _unfinished(directories: tuple[Path, ...]) -> Callable[[], str | None]:
    """Return what says which document is being written, as far as that began after the first look."""
    if not directories:
        return lambda: None
    writers = Writers()

    def look() -> str | None:
        found = signature(directories)
        written = writers.look(directories_of(found)) & {path for path, *_ in found}
        return f"{min(written)}: a program writes to it, and has not closed it yet" if written else None

    return look
