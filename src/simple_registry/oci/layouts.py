"""OCI image layouts (image-spec, "OCI Image Layout"): their files, their index, and the names of its entries.

    oci-layout                       the version of the layout
    index.json                       descriptors of manifests, each perhaps with a name
    blobs/<algorithm>/<encoded>      content, manifests too

The specification leaves the meaning of a name to its users. We read a tag, or a repository and a tag or digest.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from simple_registry.oci import media_types
from simple_registry.oci.descriptors import Descriptor, DescriptorDocument, parse_descriptor
from simple_registry.oci.digests import ALGORITHMS, Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, ManifestInvalid, NameInvalid, TagInvalid
from simple_registry.oci.names import RepositoryName, Tag, parse_repository_name, parse_tag

MARKER = "oci-layout"
MARKER_TEXT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX = "index.json"
REF_NAME = "org.opencontainers.image.ref.name"

MAX_INDEX_BYTES = 32 * 1024 * 1024
"""Bytes of an index.json, which is read into memory: enough for 100,000 tags."""

_BLOB = re.compile(r"blobs/([a-z0-9]+)/([0-9a-f]+)", re.ASCII)


class LayoutInvalid(ValueError):
    """What should be a layout is none; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the index: a manifest, and its name as it is written there."""

    descriptor: Descriptor
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """What a name says. A name of a digest has no tag, nor has none at all."""

    repository: RepositoryName | None = None
    tag: Tag | None = None


class _Index(msgspec.Struct):
    manifests: list[DescriptorDocument]


def blob_path(digest: Digest) -> str:
    """Return the path of content in a layout."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def parse_blob_path(path: str) -> Digest | None:
    """Return the digest of the content with this path in a layout, or `None` for another path."""
    found = _BLOB.fullmatch(path)
    if found is None or ALGORITHMS.get(found[1]) != len(found[2]):
        return None
    return Digest(found[1], found[2])


def parse_index(data: bytes) -> Sequence[Entry]:
    """Return the entries of an index.json.

    Raises: LayoutInvalid.
    """
    try:
        index = msgspec.json.decode(data, type=_Index)
        return [_entry(document, number) for number, document in enumerate(index.manifests)]
    except (msgspec.DecodeError, RecursionError) as error:
        raise LayoutInvalid(f"{INDEX}: {error}") from error
    except ManifestInvalid as error:
        raise LayoutInvalid(f"{INDEX}: {error.facts['field']}: {error.facts['reason']}") from error


def _entry(document: DescriptorDocument, number: int) -> Entry:
    return Entry(parse_descriptor(document, f"manifests[{number}]"), (document.annotations or {}).get(REF_NAME))


def encode_index(entries: Iterable[Entry]) -> bytes:
    """Return an index.json."""
    index = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_IMAGE_INDEX,
        "manifests": [_document(entry) for entry in entries],
    }
    return msgspec.json.encode(index)


def _document(entry: Entry) -> Mapping[str, object]:
    descriptor = entry.descriptor
    document: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if entry.name is not None:
        document["annotations"] = {REF_NAME: entry.name}
    return document


def parse_name(text: str | None) -> Name:
    """Return what the name of an entry says: `v1`, `team/app:v1`, `team/app@sha256:…`.

    A host with a port before the repository is dropped; one without could be part of the repository.

    Raises: LayoutInvalid.
    """
    if not text:
        return Name()
    try:
        repository, at, digest = text.partition("@")
        if at:
            parse_digest(digest)
            return Name(_repository(repository))
        repository, colon, tag = text.rpartition(":")
        return Name(_repository(repository) if colon else None, parse_tag(tag))
    except (NameInvalid, TagInvalid, DigestInvalid) as error:
        raise LayoutInvalid(
            f"the name {text[:300]!r} is neither a tag nor a repository with a tag or digest"
        ) from error


def _repository(text: str) -> RepositoryName:
    host, _, rest = text.partition("/")
    return parse_repository_name(rest if ":" in host else text)
