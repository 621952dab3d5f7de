"""The wire's inclusive ranges, to and from half-open spans (RFC 9110, section 14; distribution-spec, chunked uploads).

A `Range` that cannot be read is ignored; one that asks for bytes that are not there, or that ends before it begins, is
refused. The RFC allows both for the latter, and the official conformance suite wants the refusal.
"""

import re
from collections.abc import Sequence

from simple_registry.content import Span
from simple_registry.http.numbers import DIGITS, parse_number
from simple_registry.oci.errors import BlobUploadInvalid, RangeNotSatisfiable

MAX_RANGES = 64
"""More ranges than this in one request get the whole content: a list of tiny ones costs more than it asks for."""
_RANGE_SET = re.compile(r"bytes[ \t]*=(.*)", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(rf"[ \t]*(?:({DIGITS})-({DIGITS})?|-({DIGITS}))[ \t]*", re.ASCII)
_CHUNK = re.compile(rf"(?:bytes[ \t]+)?({DIGITS})-({DIGITS})(?:/(?:\*|{DIGITS}))?", re.ASCII)


def parse_range(header: str | None, size: int) -> Sequence[Span] | None:
    """Return the spans of content of `size` bytes that a `Range` header asks for; `None` means all of it.

    A list that adds up to more than the content gets all of it once instead.

    Raises: RangeNotSatisfiable when every range lies outside, or one is backwards.
    """
    match = _RANGE_SET.fullmatch(header) if header else None
    if match is None:
        return None
    texts = match[1].split(",")
    if len(texts) > MAX_RANGES:
        return None
    spans: list[Span] = []
    for text in texts:
        found = _RANGE.fullmatch(text)
        if found is None:
            return None
        span = _span(found, size)
        if span.size > 0:
            spans.append(span)
    if not spans:
        raise RangeNotSatisfiable(size=size)
    return None if sum(span.size for span in spans) > size else spans


def _span(match: re.Match[str], size: int) -> Span:
    """Return the part of the content that one range names, empty when it lies outside.

    Raises: RangeNotSatisfiable when it ends before it begins.
    """
    first, last, suffix = (parse_number(text or "") for text in match.groups())
    if first is None:
        return Span(max(0, size - (suffix or 0)), size)
    if last is not None and last < first:
        raise RangeNotSatisfiable(size=size)
    stop = size if last is None else min(last + 1, size)
    return Span(first, max(stop, first))


def content_range(span: Span, size: int) -> str:
    """Return the value of `Content-Range` for a span of content of `size` bytes."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """Return the value of `Content-Range` that goes with a 416."""
    return f"bytes */{size}"


def parse_chunk_range(header: str) -> Span:
    """Return the span that an upload's `Content-Range` names: `0-99`, `bytes 0-99/*` or `bytes 0-99/1000`.

    Raises: BlobUploadInvalid.
    """
    match = _CHUNK.fullmatch(header.strip(" \t"))
    first, last = (parse_number(match[1]), parse_number(match[2])) if match else (None, None)
    if first is None or last is None or last < first:
        raise BlobUploadInvalid(reason="Content-Range must be <first>-<last>", contentRange=header[:100])
    return Span(first, last + 1)


def received_range(received: int) -> str:
    """Return the value of `Range` for what was received of an upload; clients refuse `0--1`, so nothing is `0-0`."""
    return f"0-{max(received - 1, 0)}"
