"""What differs between two manifests of a repository."""

from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import RepositoryTarget
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


async def show_comparison(call: Call[RepositoryTarget]) -> Response:
    """page: what differs between two manifests, `from` and `to`; a form without them."""
    repository, query = call.target.repository, call.request.query()
    await require_some_pull(call, repository)
    texts = [query.find(name) for name in ("from", "to")]
    return page(
        call,
        "compare.html",
        repository=repository,
        texts=[text or "" for text in texts],
        difference=await _difference(call, *(text.strip() for text in texts if text)) if all(texts) else None,
        has_history=may_read_history(call, repository),
        may_delete=may_delete(call, repository),
    )


async def _difference(call: Call[RepositoryTarget], first: str, second: str) -> Difference:
    reading = Reading(call, call.target.repository)
    before, after = await _read(call, reading, first), await _read(call, reading, second)
    return Difference(
        before,
        after,
        compare_layers(before.document, after.document),
        compare_platforms(before.document, after.document),
        compare_configs(await reading.config(before.document), await reading.config(after.document)),
    )


async def _read(call: Call[RepositoryTarget], reading: Reading, text: str) -> ReadManifest:
    reference = parse_reference(text)
    call.require("GET", Resource.MANIFESTS, scope_of(call.target.repository, reference))
    return await reading.manifest(reference)
