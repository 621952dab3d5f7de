"""The error codes of the specification, one class each, raised with facts.

Facts (keyword arguments) go to the client as `detail`; `note` goes to the log only. The codes, their meanings and
the usual statuses are those of the distribution specification's table "Error Codes"; `tests/oci/test_errors.py`
compares the two. `http.error_responses` is the only place that turns one of these into a response.
"""

from typing import ClassVar

READ_ONLY_RETRY = 30
"""Seconds after which a client may ask again whether the read-only mode has ended."""

Fact = str | int | bool | None | list[str]


class RegistryError(Exception):
    """An error answered to the client."""

    code: ClassVar[str]
    message: str
    status: ClassVar[int]

    def __init__(self, *, note: str | None = None, **facts: Fact) -> None:
        super().__init__(self.message, facts)
        self.facts = facts
        self.note = note


class BlobUnknown(RegistryError):
    """code-1."""

    code = "BLOB_UNKNOWN"
    message = "blob unknown to registry"
    status = 404


class BlobUploadInvalid(RegistryError):
    """code-2."""

    code = "BLOB_UPLOAD_INVALID"
    message = "blob upload invalid"
    status = 400


class UploadBusy(BlobUploadInvalid):
    """code-2: another request is writing to the session and cannot be interrupted at this point."""

    message = "blob upload invalid: another request is writing to this session; wait for it or start a new one"
    status = 409


class UploadTaken(BlobUploadInvalid):
    """code-2: a newer request has taken over the session, so nothing of this one is kept."""

    message = "blob upload invalid: a newer request has taken over this session"
    status = 409


class BlobUploadUnknown(RegistryError):
    """code-3."""

    code = "BLOB_UPLOAD_UNKNOWN"
    message = "blob upload unknown to registry"
    status = 404


class DigestInvalid(RegistryError):
    """code-4."""

    code = "DIGEST_INVALID"
    message = "provided digest did not match uploaded content or is not a supported digest"
    status = 400


class ManifestBlobUnknown(RegistryError):
    """code-5."""

    code = "MANIFEST_BLOB_UNKNOWN"
    message = "manifest references a manifest or blob unknown to registry"
    status = 404


class ManifestInvalid(RegistryError):
    """code-6."""

    code = "MANIFEST_INVALID"
    message = "manifest invalid"
    status = 400


class ManifestTooLarge(RegistryError):
    """code-10, for a manifest over the size limit."""

    code = "SIZE_INVALID"
    message = "manifest is larger than this registry accepts"
    status = 413


class ManifestUnknown(RegistryError):
    """code-7."""

    code = "MANIFEST_UNKNOWN"
    message = "manifest unknown to registry"
    status = 404


class NotRestorable(ManifestUnknown):
    """code-7, for what cannot be restored; `reason` says why."""

    message = "there is nothing to restore"


class HistoryUnknown(ManifestUnknown):
    """code-7: the journal does not reach back to the time that was asked for."""

    message = "the journal does not reach back that far"


class NameInvalid(RegistryError):
    """code-8."""

    code = "NAME_INVALID"
    message = "invalid repository name"
    status = 400


class NameUnknown(RegistryError):
    """code-9."""

    code = "NAME_UNKNOWN"
    message = "repository name not known to registry"
    status = 404


class PartSizeInvalid(RegistryError):
    """code-10, for a descriptor whose size differs from that of its content."""

    code = "SIZE_INVALID"
    message = "a descriptor's size differs from that of its content"
    status = 400


class SizeInvalid(RegistryError):
    """code-10."""

    code = "SIZE_INVALID"
    message = "provided length did not match content length"
    status = 400


class RangeInvalid(RegistryError):
    """code-2, for a chunk that does not begin where the session ends (416)."""

    code = "BLOB_UPLOAD_INVALID"
    message = "chunk out of order: it must begin at the first missing byte"
    status = 416


class Unauthorized(RegistryError):
    """code-11."""

    code = "UNAUTHORIZED"
    message = "authentication required"
    status = 401


class Denied(RegistryError):
    """code-12."""

    code = "DENIED"
    message = "requested access to the resource is denied"
    status = 403


class PreconditionFailed(RegistryError):
    """code-12, for a conditional change whose reference does not name what the request expects (412)."""

    code = "DENIED"
    message = "precondition failed: the reference does not name what the request expects"
    status = 412


class TagIsProtected(RegistryError):
    """code-12, for a tag that a rule keeps from being moved or deleted (409)."""

    code = "DENIED"
    message = "a tag is protected"
    status = 409

    def __init__(self, tag: str, rule: str, change: str) -> None:
        """Name the tag, the rule, and the `change` that it forbids: `moved` or `deleted`."""
        self.message = f"the tag {tag} is protected by the rule {rule}: it cannot be {change}"
        super().__init__(note=self.message, tag=tag, rule=rule)


class StillReferenced(RegistryError):
    """code-12, for content that a manifest of the repository needs (409)."""

    code = "DENIED"
    message = "a manifest needs the content"
    status = 409

    def __init__(self, digest: str, by: str) -> None:
        """Name the content and the manifest that refers to it."""
        super().__init__(digest=digest, neededBy=by)
        self.message = f"the manifest {by} of this repository needs {digest}: delete that manifest first"


class Unsupported(RegistryError):
    """code-13."""

    code = "UNSUPPORTED"
    message = "the operation is unsupported"
    status = 405


class RangeNotSatisfiable(RegistryError):
    """code-13, for a range outside the content (416)."""

    code = "UNSUPPORTED"
    message = "requested range lies outside the content"
    status = 416


class TooManyRequests(RegistryError):
    """code-14."""

    code = "TOOMANYREQUESTS"
    message = "too many requests"
    status = 429


class TagInvalid(RegistryError):
    """code-6, for a malformed tag: the table has no code for tags."""

    code = "MANIFEST_INVALID"
    message = "invalid tag"
    status = 400


class PaginationInvalid(RegistryError):
    """code-13, for an `n` that is not a number."""

    code = "UNSUPPORTED"
    message = "invalid number of results requested"
    status = 400


class TimeUnreadable(RegistryError):
    """code-13, for an `at` that is not a time."""

    code = "UNSUPPORTED"
    message = "invalid time"
    status = 400


class NotFound(RegistryError):
    """code-13: no endpoint has this path."""

    code = "UNSUPPORTED"
    message = "no such endpoint"
    status = 404


class UriTooLong(RegistryError):
    """code-13: the query has too many values."""

    code = "UNSUPPORTED"
    message = "too many values in the query"
    status = 414


class RequestTimeout(RegistryError):
    """code-2: the request body arrived too slowly."""

    code = "BLOB_UPLOAD_INVALID"
    message = "the request body arrived too slowly"
    status = 408


class Unavailable(RegistryError):
    """Not in the table, which covers 4xx only: the server is temporarily unable to answer."""

    code = "UNKNOWN"
    message = "the registry cannot serve this request right now; try again later"
    status = 503


class StorageNotWritable(Unavailable):
    """Not in the table: the disk of the server is read-only; content is served, changes are refused."""

    message = "the registry's storage is read-only: pulls are served, nothing can be pushed or deleted"


class ReadOnlyForNow(StorageNotWritable):
    """Not in the table: an operator allows no changes for now; the message says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason, retryAfter=READ_ONLY_RETRY)
        self.message = f"the registry is read-only for now ({reason}): pulls are served, nothing can be changed"


class StorageExhausted(RegistryError):
    """Not in the table, which covers 4xx only: the disk of the server is full."""

    code = "UNKNOWN"
    message = "the registry's storage is full"
    status = 507


class Several(RegistryError):
    """Several errors in one answer; the status is that of the first."""

    code = ""
    message = ""
    status = 0

    def __init__(self, errors: list[RegistryError]) -> None:
        """Keep `errors`, at least one."""
        super().__init__()
        self.errors = errors
