"""Small JSON and other text as it is shown: indented, unwrapped, and with the digests that can be followed."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid
from simple_registry.oci.media_types import without_parameters
from simple_registry.ui.plain_text import plain

MAX_SHOWN = 64 * 1024
"""Bytes of the largest content that is shown."""

MAX_INDENTED = 4 * MAX_SHOWN
"""Characters of the largest document that is indented: the blanks of a deep one would take a multiple of its size."""

_MAX_DEPTH = 20
"""Depth of the deepest document that is indented."""

_DIGEST = re.compile(r"(sha(?:256|512):[0-9a-f]{64,128})", re.ASCII)
_TEXTS = ("text/", "application/json", "application/xml", "application/jose+json")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text, and its digest if it is one that links can lead to."""

    text: str
    digest: Digest | None = None


def is_text(media_type: str) -> bool:
    """Return whether content of this type is text."""
    essence = without_parameters(media_type)
    return essence.startswith(_TEXTS) or essence.endswith(("+json", "+xml", "+yaml"))


def shown_text(data: bytes) -> str | None:
    """Return content as text, with JSON indented, or `None` if it is not text.

    Of a signed envelope (DSSE, also in a bundle of Sigstore) its statement is returned, without the signatures.
    """
    document = _decode(data)
    payload = _payload(document)
    if payload is not None:
        data, document = payload, _decode(payload)
    if isinstance(document, dict | list) and _is_flat(document, _MAX_DEPTH):
        indented = msgspec.json.format(msgspec.json.encode(document), indent=2)
        data = indented if len(indented) <= MAX_INDENTED else data
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else plain(text, len(text))


def with_links(text: str, known: Collection[Digest]) -> Sequence[Segment]:
    """Return a text in pieces, of which the known digests become links."""
    return [_segment(piece, known) for piece in _DIGEST.split(text) if piece]


def _segment(piece: str, known: Collection[Digest]) -> Segment:
    try:
        digest = parse_digest(piece)
    except DigestInvalid:
        return Segment(piece)
    return Segment(piece, digest if digest in known else None)


def _decode(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None


def _payload(document: object) -> bytes | None:
    """Return the statement in an envelope, if there is one."""
    if not isinstance(document, dict):
        return None
    envelope = document.get("dsseEnvelope", document)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("payloadType"), str):
        return None
    payload = envelope.get("payload")
    try:
        return b64decode(payload, validate=True) if isinstance(payload, str) else None
    except (Base64Error, ValueError):
        return None


def _is_flat(value: object, depth: int) -> bool:
    """Return whether a document has at most this depth."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat(each, depth - 1) for each in inner)
