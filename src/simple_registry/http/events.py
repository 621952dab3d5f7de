"""Changes made by requests, as values that responses carry to the audit log."""

from enum import StrEnum

import msgspec

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag


class EventName(StrEnum):
    """Every kind of line in the audit log."""

    BLOB_PUSH = "blob.push"
    BLOB_MOUNT = "blob.mount"
    BLOB_DELETE = "blob.delete"
    MANIFEST_PUSH = "manifest.push"
    MANIFEST_DELETE = "manifest.delete"
    TAG_SET = "tag.set"
    TAG_DELETE = "tag.delete"
    TAG_ROLLBACK = "tag.rollback"
    TAG_RESTORE = "tag.restore"
    MANIFEST_RESTORE = "manifest.restore"
    REPOSITORY_DELETE = "repository.delete"
    REPOSITORY_RESTORE = "repository.restore"
    CONTENT_PURGE = "content.purge"
    READ_ONLY_ON = "readonly.on"
    READ_ONLY_OFF = "readonly.off"
    TOKEN_CREATE = "token.create"  # noqa: S105 (a word, not a secret)
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 (as above)
    REFRESH_CREATE = "refresh.create"
    WEB_SESSION_BEGIN = "websession.begin"
    WEB_SESSION_END = "websession.end"
    RULES_CHANGE = "rules.change"
    COLLECTION_RUN = "collection.run"
    RETENTION_APPLY = "retention.apply"
    REFUSED = "request.refused"
    UNCERTAIN = "request.uncertain"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change. `previous` is the digest that a tag had before; `token` is the id of a token of `owner`.

    `count` contents or tags were removed, by a `grace` of its own.
    """

    name: EventName
    repository: RepositoryName | None = None
    reference: Tag | None = None
    digest: Digest | None = None
    size: int | None = None
    previous: Digest | None = None
    source: RepositoryName | None = None
    token: str | None = None
    owner: str | None = None
    count: int | None = None
    grace: str | None = None
