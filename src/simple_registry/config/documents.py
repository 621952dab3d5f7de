"""YAML documents as entries that know their file and line, so that every error names both.

    directories ──► read_documents_below ──► Documents ──► the shape of each kind (`config.shapes`)

YAML is composed into nodes, never constructed into objects. Scalars keep their text as written; a shape parses it.
Duplicate keys are refused: YAML would silently keep the last one, and drop a rule that its author relies on.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from simple_registry.config.directories import document_files
from simple_registry.config.values import ConfigError, nearest
from simple_registry.files import open_regular

API_VERSION = "simple-registry.jlsalvador.online/v1beta1"
_TEXT_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "timestamp")}
_TRUTH_TAG = "tag:yaml.org,2002:bool"
# libyaml if available, as in every wheel: reloads are seven times faster. It limits nesting, too.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG_NAMES = {"null": "nothing", "bool": "true or false"}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a document: its place, its path (`spec.web.addr`), and its node."""

    place: Place
    path: str
    node: yaml.Node

    def error(self, reason: str) -> ConfigError:
        """Return an error about this entry."""
        return ConfigError(f"{self.place}: {self.path} {reason}" if self.path else f"{self.place}: {reason}")

    def text(self) -> str:
        """Return the text of a scalar, exactly as written."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag in _TEXT_TAGS:
            return str(self.node.value)
        raise self.error(f"must be text, not {self._what()}")

    def word(self) -> str:
        """Return the text of a scalar; `true` and `false` are words too."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == _TRUTH_TAG:
            return str(self.node.value).lower()
        return self.text()

    def is_list(self) -> bool:
        """Return whether this is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def items(self) -> list["Entry"]:
        """Return the entries of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"must be a list, not {self._what()}")
        return [self._inner(f"{self.path}[{index}]", node) for index, node in enumerate(self.node.value)]

    def fields(self, known: Collection[str]) -> dict[str, "Entry"]:
        """Return the entries of a mapping, by key.

        Raises: ConfigError when it is not a mapping, a key occurs twice, or a key is not among `known`.
        """
        found = self.any_fields()
        for name, entry in found.items():
            if name not in known:
                raise entry.error(f"is not a known field{nearest(name, known)}")
        return found

    def any_fields(self) -> dict[str, "Entry"]:
        """Return the entries of a mapping with any keys.

        Raises: ConfigError when it is not a mapping, or a key occurs twice.
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"must be a mapping (name: value), not {self._what()}")
        found: dict[str, Entry] = {}
        for key, value in self.node.value:
            name = self._inner(f"a key of {self.path or 'the document'}", key).text()
            entry = self._inner(f"{self.path}.{name}".lstrip("."), value, key)
            if name in found:
                raise entry.error(f"is there twice; the other one is on line {found[name].place.line}")
            found[name] = entry
        return found

    def _inner(self, path: str, node: yaml.Node, mark: yaml.Node | None = None) -> "Entry":
        return Entry(Place(self.place.file, (mark or node).start_mark.line + 1), path, node)

    def _what(self) -> str:
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        return _TAG_NAMES.get(self.node.tag.rpartition(":")[2], "a value of another type")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its kind, its name, and its `spec`, an empty mapping when it has none."""

    kind: str
    name: str
    place: Place
    spec: Entry

    def find(self, *path: str | int) -> Entry | None:
        """Return the entry of `spec` at a path of names and numbers; `None` when it is absent."""
        entry: Entry | None = self.spec
        for step in path:
            if entry is not None:
                entry = entry.items()[step] if isinstance(step, int) else entry.any_fields().get(step)
        return entry

    def at(self, *path: str | int) -> Entry:
        """Return the entry of `spec` at a path, or the whole of `spec` when it is absent."""
        return self.find(*path) or self.spec

    def error(self, reason: str, *path: str | int) -> ConfigError:
        """Return an error about the entry of `spec` at a path."""
        return self.at(*path).error(reason)


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents below some directories."""

    kinds: Mapping[str, Sequence[Document]]
    """By kind, in the order of their names."""
    digest: str
    """`sha256:` and the hash of all files, one after the other in the order in which they are read."""
    holders: frozenset[Path]
    """The files with documents, and the given directories that have such files below."""

    def of(self, kind: str) -> Sequence[Document]:
        """Return the documents of a kind."""
        return self.kinds.get(kind, ())


def read_documents_below(directories: Sequence[Path], kinds: Collection[str]) -> Documents:
    """Return all documents below `directories`, which are of some known kinds.

    Raises: ConfigError when a directory or file cannot be read, or a document does not have the common shape.
    """
    documents: list[Document] = []
    hashed = hashlib.sha256()
    for file in document_files(directories):
        content = read_file(file)
        hashed.update(content)
        documents += parse_documents(file, content)
    for document in documents:
        if document.kind not in kinds:
            raise ConfigError(f"{document.place}: {document.kind!r} is not a known kind{nearest(document.kind, kinds)}")
    files = {document.place.file for document in documents}
    above = {directory for directory in directories if any(file.is_relative_to(directory) for file in files)}
    return Documents(_by_kind(documents), f"sha256:{hashed.hexdigest()}", frozenset(files | above))


def parse_documents(file: Path, content: bytes) -> list[Document]:
    """Return the documents in the content of `file`.

    Raises: ConfigError when the content breaks off, is not YAML, or a document does not have the common shape.
    """
    if content and not content.endswith(b"\n"):
        line = content.count(b"\n") + 1
        raise ConfigError(f"{Place(file, line)}: the last line has no end, as in a file that is half written; end it")
    return list(_documents(file, content))


def read_roots(file: Path) -> list[Entry]:
    """Return the root of each YAML document of a file whose documents have no kind.

    Raises: ConfigError when the file cannot be read or is not YAML.
    """
    return list(roots(file, read_file(file, regular=False)))


def roots(file: Path, content: bytes) -> Iterator[Entry]:
    """Yield the root of each YAML document in the content of `file`.

    Raises: ConfigError when the content is not YAML.
    """
    for root in _compose(file, content):
        if not (isinstance(root, yaml.ScalarNode) and not root.value):
            yield Entry(Place(file, root.start_mark.line + 1), "", root)


def read_file(file: Path, *, regular: bool = True) -> bytes:
    """Return the content of a file. Unless `regular` is false, a pipe or device, which could block, is refused.

    Raises: ConfigError when it cannot be read.
    """
    try:
        with open_regular(file) if regular else file.open("rb") as opened:
            return opened.read()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error


def _documents(file: Path, content: bytes) -> Iterator[Document]:
    for entry in roots(file, content):
        yield _document(entry)


def _compose(file: Path, content: bytes) -> list[yaml.Node]:
    try:
        return list(yaml.compose_all(content, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        line = min(line, len(content.splitlines()) or 1)  # the end of a file may count as a line of its own
        if "nesting depth" in (error.problem or ""):
            raise ConfigError(f"{Place(file, line)}: this is nested too deeply") from None
        raise ConfigError(f"{Place(file, line)}: this is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: this is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{file}: this is nested too deeply") from None


def _document(entry: Entry) -> Document:
    fields = entry.fields({"apiVersion", "kind", "metadata", "spec"})
    version = fields.get("apiVersion")
    if version is not None and version.text() != API_VERSION:
        raise version.error(f"is {version.text()!r}, but this version reads only {API_VERSION!r}")
    for required in ("kind", "metadata"):
        if required not in fields:
            raise entry.error(f"a document needs the field {required!r}")
    metadata = fields["metadata"].fields({"name", "labels", "annotations"})
    if "name" not in metadata or not metadata["name"].text():
        raise fields["metadata"].error("needs a name")
    spec = fields.get("spec") or Entry(entry.place, "spec", yaml.MappingNode("tag:yaml.org,2002:map", []))
    return Document(fields["kind"].text(), metadata["name"].text(), entry.place, spec)


def _by_kind(documents: Sequence[Document]) -> Mapping[str, Sequence[Document]]:
    """Return the documents of each kind, in the order of their names.

    Raises: ConfigError when two documents of one kind have the same name.
    """
    kinds: dict[str, dict[str, Document]] = {}
    for document in documents:
        same_kind = kinds.setdefault(document.kind, {})
        other = same_kind.setdefault(document.name, document)
        if other is not document:
            raise ConfigError(
                f"{document.place}: the {document.kind} {document.name!r} is there twice; the other is {other.place}"
            )
    return {kind: [named[name] for name in sorted(named)] for kind, named in kinds.items()}
