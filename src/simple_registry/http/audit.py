"""The audit stream: a line for everything that a request changed, and for every request that was refused.

The rules about access have a line at each start, and whenever they change.

A line is made before the answer leaves, so that whatever a client was told stands in the stream. A refusal is a line
when it is a 403, a 429, or a 401 to credentials that were sent; a 401 that only asks for some is none. A
request that was allowed to write, and of which nobody can tell whether it did (its client left, or storage failed under
it), is `request.uncertain`. Reads are in the access log only.
"""

from collections.abc import Callable, Iterator, Mapping

from simple_registry.access.caller import Source
from simple_registry.access.rules import AccessRules
from simple_registry.http.access_log import LONGEST
from simple_registry.http.call import DigestTarget, ManifestTarget, RepositoryTarget, SessionTarget
from simple_registry.http.dispatch import NOBODY, Outcome
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Request
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import Unauthorized

WRITES = frozenset(
    {
        "put_manifest",
        "delete_manifest",
        "delete_blob",
        "start_upload",
        "finish_upload",
        "create_token",
        "revoke_token",
    }
)
"""The endpoints whose success changes what others see, or may do."""

UNAUTHORIZED, DENIED, TOO_MANY, GONE = 401, 403, 429, 499

Write = Callable[[Mapping[str, object]], None]
"""Writes a line of these fields; never raises."""


def rules_line(documents: str, rules: AccessRules) -> Mapping[str, object]:
    """Return the line of the rules that are in force from now on, made of documents with this digest."""
    return {
        "event": EventName.RULES_CHANGE.value,
        "documents": documents,
        "users": len(rules.users),
        "bindings": rules.policy.count,
        "tokens": len(rules.tokens),
        "issuers": len(rules.issuers),
    }


class Audit:
    """Tells what requests did and were refused."""

    def __init__(self, write: Write) -> None:
        """Tell `write`."""
        self._write = write

    def __call__(self, request: Request, outcome: Outcome) -> None:
        """Write the lines of a request, usually none."""
        if outcome.response.events or outcome.response.status >= UNAUTHORIZED:
            for fields in _lines(request, outcome):
                self._write(fields)


def _lines(request: Request, outcome: Outcome) -> Iterator[Mapping[str, object]]:
    if outcome.response.events:
        for event in outcome.response.events:
            yield _line(request, outcome, event, "allowed")
    elif _is_refusal(outcome):
        yield _line(request, outcome, Event(EventName.REFUSED), "refused")
    elif outcome.response.status >= GONE and outcome.allowed and outcome.endpoint in WRITES:
        yield _line(request, outcome, Event(EventName.UNCERTAIN), "allowed")


def _is_refusal(outcome: Outcome) -> bool:
    status = outcome.response.status
    return status in {DENIED, TOO_MANY} or (status == UNAUTHORIZED and type(outcome.error) is not Unauthorized)


def _line(request: Request, outcome: Outcome, event: Event, decision: str) -> Mapping[str, object]:
    fields: dict[str, object] = {
        "event": event.name.value,
        "request": request.id,
        "decision": decision,
        **_who(outcome),
        "address": request.client,
        "method": request.method[:LONGEST],
        "path": request.path[:LONGEST],
        "endpoint": outcome.endpoint,
        **_what(outcome),
        **{
            name: str(value) if name != "size" else value
            for name in event.__struct_fields__[1:]
            if (value := getattr(event, name)) is not None
        },
        "binding": outcome.binding,
        "reason": None if decision == "allowed" and event.name is not EventName.UNCERTAIN else outcome.reason,
        "status": outcome.response.status,
        "agent": request.headers.get("user-agent", "")[:LONGEST],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _who(outcome: Outcome) -> Mapping[str, object]:
    """Return whom credentials proved and how, without anything that could prove it again."""
    caller = outcome.caller
    if caller is None or caller is NOBODY:
        return {"identity": None}
    source = caller.proof.source
    return {
        "identity": caller.identity.name,
        "proof": source.value,
        "credential": caller.credential or None,
        "derived": True if caller.derived and source is not Source.ANONYMOUS else None,
    }


def _what(outcome: Outcome) -> Mapping[str, object]:
    """Return what the path of the request names."""
    match outcome.matched.target if outcome.matched else None:
        case ManifestTarget(repository, reference):
            digest = str(reference) if isinstance(reference, Digest) else None
            return {"repository": repository, "reference": None if digest else reference, "digest": digest}
        case DigestTarget(repository, digest):
            return {"repository": repository, "digest": str(digest)}
        case RepositoryTarget(repository):
            return {"repository": repository}
        case SessionTarget(repository, _):
            return {"repository": repository}
        case _:
            return {}
