"""The compact form of a signed token (RFC 7515, section 3.1), taken apart strictly: one spelling for one token.

Libraries skip padding, line ends and the bits that base64 leaves over, so that one token has many spellings. Whatever
is compared, counted or revoked by its text needs a single one.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class CompactInvalid(ValueError):
    """Not the compact form of a token; the message holds no part of it."""


@dataclass(frozen=True, slots=True)
class CompactToken:
    """The decoded parts of a token, and the bytes that its signature covers. Nothing in it can be believed yet."""

    header: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)


def parse_compact(token: str) -> CompactToken:
    """Return a token's parts.

    Raises: CompactInvalid.
    """
    if _COMPACT.fullmatch(token) is None:
        raise CompactInvalid("not three parts of base64url")
    header, payload, signature = token.split(".")
    signed = f"{header}.{payload}".encode()
    return CompactToken(decode_base64url(header), decode_base64url(payload), decode_base64url(signature), signed)


def encode_base64url(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """Return the bytes of a text that is the only one that they have.

    Raises: CompactInvalid.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CompactInvalid("not base64url") from None
    if encode_base64url(data) != text:
        raise CompactInvalid("not canonical base64url")
    return data
