"""What flags, variables and files said when a server last read them, and the files that it follows from there on."""

from dataclasses import dataclass
from pathlib import Path

from simple_registry.config.followed import Followed
from simple_registry.config.load import Loaded, load_documents
from simple_registry.config.settings import Administrator, Certificate, Settings
from simple_registry.config.unfinished import Unfinished
from simple_registry.config.watch import signature


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
        unfinished=Unfinished(directories) if before is None else before.unfinished,
    )
