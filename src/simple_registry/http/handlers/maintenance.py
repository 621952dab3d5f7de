"""Garbage collection and retention over HTTP: what they did and would do, and their start.

A request does as much as its time allows, and says whether that was all: no proxy waits for minutes, nothing needs to
be followed, and any worker can do the next part.
"""

import msgspec

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http import changes
from simple_registry.http.bodies import DocumentInvalid, read_json
from simple_registry.http.call import Call
from simple_registry.http.messages import Headers, Response, json_response
from simple_registry.http.pagination import parse_page_request
from simple_registry.http.targets import NoTarget
from simple_registry.http.urls import next_page_link
from simple_registry.oci.names import RepositoryName, Tag, parse_repository_name, parse_tag
from simple_registry.operations.collector import Wanted
from simple_registry.operations.retention import Position, described_tag
from simple_registry.times import TimeInvalid, parse_interval


class CollectionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A collection; `grace` is text such as `0s`."""

    dryRun: bool = False  # noqa: N815 (the name on the wire)
    deleteUntagged: bool = False  # noqa: N815 (the name on the wire)
    grace: str | None = None


class RetentionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An application of the Retentions; `last` is the `next` of the part before."""

    last: str | None = None


async def get_collection(call: Call[NoTarget]) -> Response:
    """collection: return the last collections, what waits for its end, and when the server collects next."""
    return json_response(await call.registry.collector.described())


async def collect_garbage(call: Call[NoTarget]) -> Response:
    """collection: collect, or show what that would do."""
    asked = await read_json(call.request, call.body, CollectionRequest)
    wanted = Wanted(_grace(asked.grace), asked.deleteUntagged)
    if asked.dryRun:
        return json_response((await call.registry.collector.rehearse(wanted)).described())
    report, events = await changes.collect_garbage(call, wanted, grace=asked.grace)
    return json_response(report.described(), events=events)


async def get_plan(call: Call[NoTarget]) -> Response:
    """retention: list the tags that Retentions reach, and why each stays or that it goes."""
    wanted = parse_page_request(call.request.query())
    pulls = call.visible(Resource.MANIFESTS)

    def visible(repository: RepositoryName, tag: Tag) -> bool:
        return pulls(scope_of(repository, tag))

    if not wanted.limit:
        return json_response({"tags": []})
    page = await call.registry.retention.plan_page(
        position_of(wanted.last), wanted.limit, visible=visible, seconds=changes.SECONDS
    )
    link: Headers = []
    if page.next is not None:
        link = [("link", next_page_link(call.request.path, {"n": str(wanted.limit), "last": str(page.next)}))]
    tags = [described_tag(judged.repository, *each) for judged in page.judged for each in judged.tags]
    return json_response({"tags": tags}, link)


async def apply_retention(call: Call[NoTarget]) -> Response:
    """retention: remove the tags that no Retention keeps."""
    asked = await read_json(call.request, call.body, RetentionRequest)
    done, events = await changes.apply_retention(call, position_of(asked.last))
    pulls = call.visible(Resource.MANIFESTS)
    document = {
        "removed": sum(done.removed.values()),
        "repositories": [
            {"name": name, "removed": number} for name, number in done.removed.items() if pulls(scope_of(name))
        ],
        "complete": done.complete,
        "next": None if done.complete or done.next is None else str(done.next),
    }
    return json_response(document, events=events)


def _grace(text: str | None) -> float | None:
    try:
        return None if text is None else parse_interval(text)
    except TimeInvalid as error:
        raise DocumentInvalid(reason=str(error)) from None


def position_of(text: str | None) -> Position | None:
    """Return the position that a text names. Raises: NameInvalid, TagInvalid."""
    if text is None:
        return None
    name, colon, tag = text.partition(":")
    return Position(parse_repository_name(name), parse_tag(tag) if colon else None)
