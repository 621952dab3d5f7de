"""The page of a manifest: its kind, its parts, its referrers, and why it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import ManifestTarget
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, ManifestUnknown
from simple_registry.oci.names import Tag
from simple_registry.operations.explanations import Explained
from simple_registry.operations.history import JournalEvent
from simple_registry.ui.address import address_of
from simple_registry.ui.image_configs import BuildLine, ImageConfig, match_history
from simple_registry.ui.json_text import MAX_SHOWN, Segment, shown_text, with_links
from simple_registry.ui.kinds import Kind, predicate_of
from simple_registry.ui.manifest_documents import Entry, ManifestDocument
from simple_registry.ui.pull_commands import pull_commands, verify_commands
from simple_registry.ui.reading import Overview, Reading, ReadManifest
from simple_registry.ui.render import page
from simple_registry.ui.rights import may_delete, may_read_history

MAX_TAGS = 100
"""Tags of a manifest that its page names."""

MAX_CHILDREN = 50
"""Children that a page reads, beyond their descriptors."""

MAX_CHILD_SIZE = 64 * 1024
"""Bytes of the largest child that is read for that."""

MAX_REFERRERS = 20
"""Referrers that one page shows."""

MAX_CONTENTS = 4
"""Contents of one manifest that are shown."""

COSIGN_SUFFIXES = ("sig", "att", "sbom")
"""Tags `sha256-….sig` by which older versions of cosign attach something to a manifest."""


@dataclass(frozen=True, slots=True)
class Child:
    """A manifest in an index."""

    entry: Entry
    overview: Overview | None
    attests: str = ""
    """The platform that an attestation is about."""


@dataclass(frozen=True, slots=True)
class ShownContent:
    """A small content; without a text if it is not text, or too large."""

    entry: Entry
    text: str | None


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest about another one: what it is, and its contents; `tag` is the one by which it was found, if any."""

    read: ReadManifest
    predicate: str
    contents: Sequence[ShownContent]
    tag: Tag | None = None


@dataclass(frozen=True, slots=True)
class Referrers:
    """Some referrers, and where the list goes on."""

    found: Sequence[Referrer] = ()
    following: Digest | None = None


async def show_manifest(call: Call[ManifestTarget]) -> Response:
    """page: a manifest by tag or digest."""
    repository, reference = call.target.repository, call.target.reference
    reading = Reading(call, repository)
    read = await reading.manifest(reference)
    digest, document, address = read.row.digest, read.document, address_of(call.request, call.registry.origins)
    config = await reading.config(document)
    tag = None if isinstance(reference, Digest) else reference
    referrers = await _referrers(call, reading, digest)
    about = {each.read.document.described.kind for each in referrers.found}
    return page(
        call,
        "manifest.html",
        repository=repository,
        tag=tag,
        digest=digest,
        row=read.row,
        document=document,
        overview=await reading.overview(digest),
        tags=await _visible_tags(call, digest),
        config=config,
        lines=_lines(document, config),
        largest=max((each.size for each in document.layers), default=0),
        children=await _children(reading, document),
        contents=await contents_of(reading, document),
        predicate=predicate_of(_annotations(document)),
        commands=pull_commands(document.described.kind, address, repository, reference),
        verifying=verify_commands(about, address, repository, digest),
        referrers=referrers,
        last=await _last_change(call, tag),
        kept=await _kept(call, reading, digest),
        source=_source(read),
        has_history=may_read_history(call, repository),
        may_delete=may_delete(call, repository),
        may_delete_this=may_delete(call, repository, tag),
        may_tag=call.can("PUT", Resource.MANIFESTS, scope_of(repository)),
        done=call.request.query().find("done") == "tagged",
    )


async def contents_of(reading: Reading, document: ManifestDocument) -> Sequence[ShownContent]:
    """Return the small contents of an artifact other than an image: its layers, as text where they are text."""
    if document.described.kind in {Kind.IMAGE, Kind.INDEX, Kind.BUILD_CACHE}:
        return []
    return [ShownContent(entry, await reading.text(entry)) for entry in document.layers[:MAX_CONTENTS]]


async def _visible_tags(call: Call[ManifestTarget], digest: Digest) -> Sequence[Tag]:
    """Return tags of a manifest that the caller may pull."""
    repository, visible = call.target.repository, call.visible(Resource.MANIFESTS)
    tags = await call.registry.tags.of_manifest(repository, digest)
    return [tag for tag in tags[:MAX_TAGS] if visible(scope_of(repository, tag))]


def _lines(document: ManifestDocument, config: ImageConfig) -> Sequence[BuildLine]:
    return match_history(document.layers, config.history)


async def _children(reading: Reading, document: ManifestDocument) -> Sequence[Child]:
    platforms = {str(each.digest): str(each.platform) for each in document.children if each.platform is not None}
    found = []
    for at, entry in enumerate(document.children):
        wanted = reading.reads_digests and at < MAX_CHILDREN and entry.size <= MAX_CHILD_SIZE
        overview = await reading.overview(entry.digest) if wanted else None
        found.append(Child(entry, overview, platforms.get(entry.attested, "") if entry.is_attestation else ""))
    return found


async def _referrers(call: Call[ManifestTarget], reading: Reading, digest: Digest) -> Referrers:
    """Return the referrers of a manifest, if the caller may list them."""
    repository = call.target.repository
    if not call.can("GET", Resource.REFERRERS, scope_of(repository)):
        return Referrers()
    last = _digest(call.request.query().find("referrers-after"))
    rows, more = await call.registry.referrers.small_page(repository, digest, last=last)
    found = [] if last else await _tagged_referrers(call, reading, digest)
    if not reading.reads_digests:
        return Referrers(found)
    for row in rows[:MAX_REFERRERS]:
        if (read := await _read(reading, row.digest)) is not None:
            found.append(await _referrer(reading, read))
    shown = rows[:MAX_REFERRERS]
    return Referrers(found, shown[-1].digest if more or len(shown) < len(rows) else None)


async def _tagged_referrers(call: Call[ManifestTarget], reading: Reading, digest: Digest) -> list[Referrer]:
    """Return what older versions of cosign attached to a manifest, by tags."""
    repository, visible = call.target.repository, call.visible(Resource.MANIFESTS)
    found = []
    for suffix in COSIGN_SUFFIXES:
        tag = Tag(f"{digest.algorithm}-{digest.encoded}.{suffix}")
        if len(tag) <= 128 and visible(scope_of(repository, tag)):  # noqa: PLR2004 (characters of a tag)
            read = await _read(reading, tag)
            if read is not None and read.document.subject is None:  # one with a subject is found by that
                found.append(await _referrer(reading, read, tag))
    return found


async def _read(reading: Reading, reference: Digest | Tag) -> ReadManifest | None:
    try:
        return await reading.manifest(reference)
    except ManifestUnknown:
        return None


async def _referrer(reading: Reading, read: ReadManifest, tag: Tag | None = None) -> Referrer:
    contents = await contents_of(reading, read.document)
    return Referrer(read, predicate_of(_annotations(read.document)), contents, tag)


def _annotations(document: ManifestDocument) -> dict[str, str]:
    """Return the annotations that may name a predicate: those of the manifest, and of its first layer."""
    return {**(document.layers[0].annotations if document.layers else {}), **document.annotations}


async def _last_change(call: Call[ManifestTarget], tag: Tag | None) -> JournalEvent | None:
    """Return the last event of a tag, if the caller may read its history."""
    repository = call.target.repository
    if tag is None or not may_read_history(call, repository):
        return None
    found = await call.registry.history.page(repository, tag, before=None, limit=1, visible=lambda _: True)
    return next(iter(found.events), None)


async def _kept(call: Call[ManifestTarget], reading: Reading, digest: Digest) -> Explained | None:
    """Return why the repository keeps a manifest, unless by a tag or manifest that the caller may not see."""
    repository = call.target.repository
    explained = await call.registry.explanations.explain(digest, repository)
    kept = next(iter(explained), None)
    if kept is None or (len(kept.path) > 1 and not reading.reads_digests):
        return None
    hidden = kept.tag is not None and not call.can("GET", Resource.MANIFESTS, scope_of(repository, kept.tag))
    return None if hidden else kept


def _source(read: ReadManifest) -> Sequence[Segment] | None:
    """Return the JSON of a manifest, with links to manifests; `None` for a large one."""
    if len(read.data) > MAX_SHOWN:
        return None
    document = read.document
    known = {each.digest for each in document.children} | ({document.subject.digest} if document.subject else set())
    return with_links(shown_text(read.data) or "", known)


def _digest(text: str | None) -> Digest | None:
    try:
        return None if text is None else parse_digest(text)
    except DigestInvalid:
        return None
