"""Which kind of registry a directory belongs to."""

from collections.abc import Callable, Mapping
from pathlib import Path

from simple_registry.files import is_directory
from simple_registry.storage.foreign import trees
from simple_registry.storage.foreign.layout_directory import LayoutTree, is_layout
from simple_registry.storage.foreign.link_tree import LinkTree
from simple_registry.storage.sources import Source, SourceInvalid

DISTRIBUTION_ROOT = Path("docker", "registry", "v2")


def _distribution(path: Path) -> Source | None:
    base = path / DISTRIBUTION_ROOT
    return LinkTree("distribution", base, data_name="data") if trees.is_directory(base / "repositories") else None


def _simple_registry(path: Path) -> Source | None:
    if path.parts[-3:] == DISTRIBUTION_ROOT.parts:
        raise SourceInvalid(str(path), f"give the directory above {DISTRIBUTION_ROOT}")
    if trees.is_directory(path / "repositories") and trees.is_directory(path / "blobs"):
        return LinkTree("simple-registry", path, tags_suffice=True)
    return None


def _layouts(kind: str) -> Callable[[Path], Source | None]:
    def find(path: Path) -> Source | None:
        if is_layout(path):
            raise SourceInvalid(str(path), "it is a single OCI layout without a name; use 'import' with a repository")
        tree = LayoutTree(kind, path)
        return tree if next(tree.repositories(), None) is not None else None

    return find


_KINDS: Mapping[str, Callable[[Path], Source | None]] = {
    "distribution": _distribution,
    "simple-registry": _simple_registry,
    "zot": _layouts("zot"),
    "layout": _layouts("layout"),
}
KINDS = tuple(_KINDS)


def open_source(path: Path, kind: str | None = None) -> Source:
    """Return the data directory of another registry: of this kind, or of the first that fits.

    Raises: SourceInvalid.
    """
    if not is_directory(path):
        raise SourceInvalid(str(path), "it is not a directory")
    if trees.find_file(path / "registry.db") is not None:
        raise SourceInvalid(
            str(path), "it is a data directory of this program; give it to 'serve', or restore a backup"
        )
    for name in (kind,) if kind else KINDS:
        found = _KINDS[name](path.resolve())
        if found is not None:
            return found
    wanted = kind or f"a registry that is known ({', '.join(KINDS)})"
    raise SourceInvalid(str(path), f"it is not the data directory of {wanted}")
