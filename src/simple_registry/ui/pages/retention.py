"""What `Retention` documents would remove, and why the other tags stay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.retention import Verdict
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget, RepositoryTarget
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.retention import Judged
from simple_registry.storage.records import TagRow
from simple_registry.ui.links import page_url, repository_url
from simple_registry.ui.render import page

PAGE_SIZE = 30
TAGS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of the tags of a repository: how many go and stay, by which Retentions."""

    repository: RepositoryName
    going: int
    staying: int
    retentions: Sequence[str]


async def show_retention(call: Call[NoTarget]) -> Response:
    """page: the plan of all Retentions in force, by repository."""
    last = call.request.query().find("after")
    found = await call.registry.retention.page(last, PAGE_SIZE)
    return page(
        call,
        "retention.html",
        documents=call.authorization.rules.retentions,
        rows=[_outlook(judged) for judged in found.judged],
        first=page_url("retention") if last else None,
        following=page_url("retention", after=found.last) if found.more else None,
    )


async def show_verdicts(call: Call[RepositoryTarget]) -> Response:
    """page: the verdict on each tag of a repository, those that go first."""
    repository, last = call.target.repository, call.request.query().find("after")
    judged = await call.registry.retention.of(repository)
    ordered = sorted(judged.tags, key=_key)
    later = [each for each in ordered if last is None or _key(each) > (last[:1] == "1", last[1:])]
    shown = later[:TAGS_SHOWN]
    return page(
        call,
        "verdicts.html",
        repository=repository,
        rows=shown,
        first=repository_url(repository, "retention") if last else None,
        following=repository_url(repository, "retention", after=_mark(shown[-1])) if len(later) > len(shown) else None,
    )


def _outlook(judged: Judged) -> Outlook:
    counts = Counter(verdict.reason is None for _, verdict in judged.tags)
    names = sorted({verdict.retention for _, verdict in judged.tags})
    return Outlook(judged.repository, counts[True], counts[False], names)


def _key(judged: tuple[TagRow, Verdict]) -> tuple[bool, str]:
    """Return the key that sorts tags that go before those that stay."""
    row, verdict = judged
    return verdict.reason is not None, row.tag


def _mark(judged: tuple[TagRow, Verdict]) -> str:
    """Return a key as text."""
    stays, tag = _key(judged)
    return f"{int(stays)}{tag}"
