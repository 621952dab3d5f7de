"""Style sheet, script and icon, under names with their digests, so that browsers keep each version for ever."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

PATH = "/ui/-/assets/"
_DIGITS = 16
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file for browsers; `name` contains its digest."""

    name: str
    media_type: str
    content: bytes

    @property
    def url(self) -> str:
        """The path under which it is served."""
        return f"{PATH}{self.name}"

    @property
    def entity_tag(self) -> str:
        """Its strong `ETag`."""
        return f'"{self.name}"'


@lru_cache(maxsize=1)
def load_assets() -> dict[str, Asset]:
    """Return all assets by the names of their files."""
    found = {}
    for file in sorted(files(__package__).joinpath("assets").iterdir(), key=lambda file: file.name):
        content = file.read_bytes()
        stem, _, suffix = file.name.rpartition(".")
        name = f"{stem}-{hashlib.sha256(content).hexdigest()[:_DIGITS]}.{suffix}"
        found[file.name] = Asset(name, _TYPES[suffix], content)
    return found


def find_asset(name: str) -> Asset | None:
    """Return the asset of a name with a digest."""
    return next((asset for asset in load_assets().values() if asset.name == name), None)
