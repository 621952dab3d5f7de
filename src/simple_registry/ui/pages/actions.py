"""The pages that change a repository. Each first says what will happen; its form then does exactly that, or nothing.

    GET: what will happen, and to what ──► form ──► POST: the change, if nothing else came first

The changes are those of the API, with the same permissions, guards and events (`http.changes`). What a tag pointed at
when the page was made comes back with the form, as the condition of the change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http import changes
from simple_registry.http.call import Call
from simple_registry.http.events import Event
from simple_registry.http.messages import Query, Response
from simple_registry.http.numbers import parse_number
from simple_registry.http.targets import ManifestTarget, RepositoryTarget, TagTarget, Target
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import ManifestUnknown
from simple_registry.oci.names import RepositoryName, Tag, parse_reference, parse_tag
from simple_registry.oci.preconditions import Precondition
from simple_registry.operations.pages import in_turns
from simple_registry.ui.forms import read_form
from simple_registry.ui.links import repository_url
from simple_registry.ui.reading import Reading
from simple_registry.ui.render import page, redirect

MAX_NAMED = 100
"""Tags that a page names before a change of all of them."""

EXPECTED = "expected"
"""The field with what a tag pointed at; empty if it did not exist."""


@dataclass(frozen=True, slots=True)
class Move:
    """A tag that will point at `after` instead of `before`."""

    tag: Tag
    before: Digest | None
    after: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a page says before a change: `key` names its words in `texts`."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    tags: Sequence[Tag] = ()
    manifests: Sequence[Digest] = ()
    notes: Sequence[str] = ()
    """Keys of further sentences."""
    referring: Digest | None = None
    """A manifest that lacks a part afterwards."""
    refusal: str | None = None
    """The rule that forbids it."""
    is_needed: bool = False
    """Whether `referring` forbids it."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The fields of the form."""
    cancel: str
    dangerous: bool = False


# ---------------------------------------------------------------- rolling back


async def show_roll_back(call: Call[TagTarget]) -> Response:
    """page: what a rollback of a tag will do; `to` is an event or a digest, else the previous target."""
    repository, tag = call.target.repository, call.target.tag
    call.require("restore", Resource.MANIFESTS, scope_of(repository))
    to = await _roll_back_target(call, call.request.query().find("to"))
    before = await _current(call, repository, tag)
    guard = call.guard(repository)
    plan = Plan(
        key="roll_back",
        values={"tag": tag},
        moves=[Move(tag, before, to)],
        notes=["roll_back.same"] if before == to else [],
        refusal=guard.from_moving(tag) if guard and before not in {None, to} else None,
        fields={"to": str(to), EXPECTED: _text(before)},
        cancel=repository_url(repository, "history", tag=tag),
    )
    return await _ask(call, repository, plan)


async def roll_back_tag(call: Call[TagTarget]) -> Response:
    """page: roll a tag back, as `rollback`."""
    repository, tag = call.target.repository, call.target.tag
    call.require("restore", Resource.MANIFESTS, scope_of(repository))
    form = await read_form(call)
    to = parse_digest(form.find("to") or "")
    _, events = await changes.roll_back_tag(
        call, repository, tag, to, precondition=_expected(call, form, repository, tag)
    )
    return _done(repository, "rolled-back", events)


async def _roll_back_target(call: Call[TagTarget], text: str | None) -> Digest:
    if text is not None and ":" in text:
        return parse_digest(text)
    event = None if text is None else parse_number(text)
    return await call.registry.undo.earlier_target(call.target.repository, call.target.tag, event)


# ---------------------------------------------------------------- deleting


async def show_delete(call: Call[ManifestTarget]) -> Response:
    """page: what the deletion of a tag, or of a manifest, will do."""
    repository, reference = call.target.repository, call.target.reference
    call.require("GET", Resource.MANIFESTS, scope_of(repository, reference))
    read = await Reading(call, repository).manifest(reference)
    tags = await call.registry.tags.of_manifest(repository, read.row.digest)
    guard = call.guard(repository)
    if isinstance(reference, Digest):
        await in_turns(tags, partial(call.require_of_tag, "DELETE", repository))
        rules = (guard.from_deletion(tag) for tag in tags) if guard else ()
        referring = await call.registry.manifests.find_referring(repository, reference)
        plan = Plan(
            key="delete_manifest",
            values={"digest": reference},
            tags=tags,
            manifests=[reference],
            referring=referring,
            refusal=next((rule for rule in rules if rule), None),
            is_needed=referring is not None and call.registry.manifests.keep_parts,
            cancel=repository_url(repository, f"manifests/{reference}"),
            dangerous=True,
        )
        return await _ask(call, repository, plan)
    others = [
        tag for tag in tags if tag != reference and call.can("GET", Resource.MANIFESTS, scope_of(repository, tag))
    ]
    plan = Plan(
        key="delete_tag",
        values={"tag": reference},
        moves=[Move(reference, read.row.digest, None)],
        tags=others,
        notes=["delete_tag.others" if others else "delete_tag.last"],
        refusal=guard.from_deletion(reference) if guard else None,
        fields={EXPECTED: str(read.row.digest)},
        cancel=repository_url(repository, f"manifests/{reference}"),
        dangerous=True,
    )
    return await _ask(call, repository, plan)


async def delete_manifest(call: Call[ManifestTarget]) -> Response:
    """page: delete a tag, or a manifest with its tags, as `end-9`."""
    repository, reference = call.target.repository, call.target.reference
    form = await read_form(call)
    if isinstance(reference, Digest):
        return _done(repository, "manifest-deleted", await changes.delete_reference(call, repository, reference))
    expected = _expected(call, form, repository, reference)
    events = await changes.delete_reference(call, repository, reference, precondition=expected)
    return _done(repository, "tag-deleted", events)


async def show_delete_repository(call: Call[RepositoryTarget]) -> Response:
    """page: what the deletion of a repository will do."""
    repository = call.target.repository
    call.require("DELETE", Resource.BLOBS, scope_of(repository))
    usage = await call.registry.usages.get(repository)
    plan = Plan(
        key="delete_repository",
        values={"repository": repository, "tags": f"{usage.tags:,}", "manifests": f"{usage.manifests:,}"},
        notes=["delete_repository.restore"],
        cancel=repository_url(repository),
        dangerous=True,
    )
    return await _ask(call, repository, plan)


async def delete_repository(call: Call[RepositoryTarget]) -> Response:
    """page: delete a repository, as `repository`."""
    await read_form(call)
    events = await changes.delete_repository(call, call.target.repository)
    return redirect(repository_url(call.target.repository, "history"), events=events)


# ---------------------------------------------------------------- restoring


async def show_restore(call: Call[RepositoryTarget]) -> Response:
    """page: what will be restored: a tag or a manifest (`of`), or what the last deletion of the repository deleted."""
    repository, of = call.target.repository, call.request.query().find("of")
    reference = None if of is None else parse_reference(of)
    call.require("restore", Resource.MANIFESTS, scope_of(repository, reference))
    found = await call.registry.undo.restorable(repository, reference)
    await in_turns([*found.tags], partial(call.require_of_tag, "restore", repository))
    kind = "repository" if reference is None else "manifest" if isinstance(reference, Digest) else "tag"
    plan = Plan(
        key=f"restore_{kind}",
        values={"repository": repository, "of": of or repository},
        moves=[Move(tag, None, target) for tag, target in [*found.tags.items()][:MAX_NAMED]],
        manifests=found.manifests[:MAX_NAMED] if kind == "repository" else (),
        notes=["restore.grace"] + ([] if kind == "tag" else ["restore.elsewhere"]),
        fields={} if of is None else {"of": of},
        cancel=repository_url(repository, "history"),
    )
    return await _ask(call, repository, plan)


async def restore_deleted(call: Call[RepositoryTarget]) -> Response:
    """page: restore what was deleted, as `restore`."""
    of = (await read_form(call)).find("of")
    reference = None if of is None else parse_reference(of)
    _, events = await changes.restore_deleted(call, call.target.repository, reference)
    return _done(call.target.repository, "restored", events)


# ---------------------------------------------------------------- tagging


async def show_tagging(call: Call[ManifestTarget]) -> Response:
    """page: the form for a further tag of a manifest, and with `tag` what it will do."""
    repository, wanted = call.target.repository, call.request.query().find("tag")
    read = await Reading(call, repository).manifest(call.target.reference)
    if wanted is None:
        return page(
            call, "tagging.html", repository=repository, reference=call.target.reference, digest=read.row.digest
        )
    tag = parse_tag(wanted.strip())
    call.require("PUT", Resource.MANIFESTS, scope_of(repository, tag))
    before, guard = await _current(call, repository, tag), call.guard(repository)
    plan = Plan(
        key="tagging",
        values={"tag": tag},
        moves=[Move(tag, before, read.row.digest)],
        notes=["tagging.new" if before is None else "tagging.same" if before == read.row.digest else "tagging.moves"],
        refusal=guard.from_moving(tag) if guard and before not in {None, read.row.digest} else None,
        fields={"tag": tag, EXPECTED: _text(before), "digest": str(read.row.digest)},
        cancel=repository_url(repository, f"manifests/{call.target.reference}"),
    )
    return await _ask(call, repository, plan)


async def set_tag(call: Call[ManifestTarget]) -> Response:
    """page: give a manifest a further tag, by pushing it again under that tag, as `end-7a`."""
    repository, form = call.target.repository, await read_form(call)
    tag, digest = parse_tag(form.find("tag") or ""), parse_digest(form.find("digest") or "")
    call.require("PUT", Resource.MANIFESTS, scope_of(repository, tag))
    read = await Reading(call, repository).manifest(call.target.reference)
    if read.row.digest != digest:
        raise ManifestUnknown(reference=str(call.target.reference), note="the tag was moved meanwhile")
    _, events = await changes.push_manifest(
        call,
        repository,
        tag,
        read.data,
        content_type=read.row.media_type,
        precondition=_expected(call, form, repository, tag),
    )
    return redirect(repository_url(repository, f"manifests/{tag}", done="tagged"), events=events)


# ---------------------------------------------------------------- in common


async def _ask(call: Call[Target], repository: RepositoryName, plan: Plan) -> Response:
    mode = await call.registry.read_only.find()
    return page(call, "action.html", repository=repository, plan=plan, max_named=MAX_NAMED, mode=mode)


def _done(repository: RepositoryName, done: str, events: Sequence[Event]) -> Response:
    return redirect(repository_url(repository, done=done), events=events)


async def _current(call: Call[Target], repository: RepositoryName, tag: Tag) -> Digest | None:
    """Return what a tag points at, which its caller must be allowed to pull."""
    call.require("GET", Resource.MANIFESTS, scope_of(repository, tag))
    try:
        row, _ = await call.registry.manifests.pull(repository, tag)
    except ManifestUnknown:
        return None
    return row.digest


def _text(digest: Digest | None) -> str:
    return "" if digest is None else str(digest)


def _expected(call: Call[Target], form: Query, repository: RepositoryName, tag: Tag) -> Precondition:
    """Return the condition that a tag points at what the page said, which its caller may read."""
    call.require("GET", Resource.MANIFESTS, scope_of(repository, tag))
    expected = form.find(EXPECTED)
    if expected is None:
        return Precondition(exists=True)
    return Precondition(one_of=frozenset({parse_digest(expected)})) if expected else Precondition(absent=True)
