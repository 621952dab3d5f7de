"""What differs between two manifests of a repository."""

from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import RepositoryTarget
from simple_registry.oci.errors import DigestInvalid, ManifestUnknown, TagInvalid
from simple_registry.oci.names import parse_reference
from simple_registry.ui.comparison import (
    Change,
    Parts,
    PlatformChange,
    compare_configs,
    compare_layers,
    compare_platforms,
)
from simple_registry.ui.reading import Reading, ReadManifest
from simple_registry.ui.render import page
from simple_registry.ui.rights import may_delete, may_read_history, require_some_pull


@dataclass(frozen=True, slots=True)
class Difference:
    """Two manifests, and what differs between them."""

    before: ReadManifest
    after: ReadManifest
    layers: Parts
    platforms: Sequence[PlatformChange]
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Unread:
    """A text of the form for which there is no manifest; `key` names the words that say why."""

    text: str
    key: str
    status: int


async def show_comparison(call: Call[RepositoryTarget]) -> Response:
    """page: what differs between two manifests, `from` and `to`; a form without them."""
    repository, query = call.target.repository, call.request.query()
    await require_some_pull(call, repository)
    reading, texts = Reading(call, repository), [(query.find(name) or "").strip() for name in ("from", "to")]
    sides = [await _read(call, reading, text) for text in texts] if all(texts) else []
    unread = [side for side in sides if isinstance(side, Unread)]
    found = [side for side in sides if isinstance(side, ReadManifest)]
    return page(
        call,
        "compare.html",
        status=max((each.status for each in unread), default=200),
        repository=repository,
        texts=texts,
        unread=unread,
        difference=await _difference(reading, *found) if found and not unread else None,
        has_history=may_read_history(call, repository),
        may_delete=may_delete(call, repository),
    )


async def _difference(reading: Reading, before: ReadManifest, after: ReadManifest) -> Difference:
    return Difference(
        before,
        after,
        compare_layers(before.document, after.document),
        compare_platforms(before.document, after.document),
        compare_configs(await reading.config(before.document), await reading.config(after.document)),
    )


async def _read(call: Call[RepositoryTarget], reading: Reading, text: str) -> ReadManifest | Unread:
    """Return the manifest that a text names, which the caller must be allowed to pull.

    Raises: as `Call.require`.
    """
    try:
        reference = parse_reference(text)
        call.require("GET", Resource.MANIFESTS, scope_of(call.target.repository, reference))
        return await reading.manifest(reference)
    except (DigestInvalid, TagInvalid):
        return Unread(text, "invalid", 400)
    except ManifestUnknown:
        return Unread(text, "unknown", 404)
