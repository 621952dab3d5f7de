"""The audit log: a line for everything that a request changed, and for every request that was refused.

The access rules have a line at each start, and whenever they change.

A line is written before the answer is sent, so that the log has all that clients were told. A refusal is a 403, a 429,
a 409 for a protected tag, or a 401 to credentials that were sent; a 401 that only asks for some has no line. A request
that was allowed to write, but whose effect is unknown (its client left, or storage failed), is `request.uncertain`.
Reads are in the access log only.
"""

from collections.abc import Callable, Iterator, Mapping

from simple_registry.access.caller import Source
from simple_registry.access.rules import AccessRules
from simple_registry.authentication.credentials import CredentialsRejected
from simple_registry.http.access_log import MAX_VALUE
from simple_registry.http.dispatch import NO_CALLER, Outcome
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Request
from simple_registry.http.targets import DigestTarget, ManifestTarget, RepositoryTarget, SessionTarget, TagTarget
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import TagIsProtected

DENIED, TOO_MANY, CLIENT_GONE = 403, 429, 499

Write = Callable[[Mapping[str, object]], None]
"""Writes a line of these fields; never raises."""


def rules_line(documents: str, rules: AccessRules) -> Mapping[str, object]:
    """Return the line of the rules in force from now on, made of documents with this digest."""
    return {
        "event": EventName.RULES_CHANGE.value,
        "documents": documents,
        "users": len(rules.users),
        "bindings": len(rules.policy.bindings),
        "tokens": len(rules.tokens),
        "issuers": len(rules.issuers),
    }


class Audit:
    """Records what requests changed, and which were refused."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def __call__(self, request: Request, outcome: Outcome) -> None:
        """Write the lines of a request, usually none."""
        for fields in _lines(request, outcome):
            self._write(fields)


def _lines(request: Request, outcome: Outcome) -> Iterator[Mapping[str, object]]:
    if outcome.response.events:
        for event in outcome.response.events:
            yield _line(request, outcome, event, "allowed")
    elif _is_refusal(outcome):
        yield _line(request, outcome, Event(EventName.REFUSED), "refused")
    elif _is_uncertain(outcome):
        yield _line(request, outcome, Event(EventName.UNCERTAIN), "allowed")


def _is_refusal(outcome: Outcome) -> bool:
    refused = isinstance(outcome.error, CredentialsRejected | TagIsProtected)
    return refused or outcome.response.status in {DENIED, TOO_MANY}


def _is_uncertain(outcome: Outcome) -> bool:
    allowed = outcome.allowed and outcome.matched is not None and outcome.matched.endpoint.writes
    return allowed and outcome.response.status >= CLIENT_GONE


def _line(request: Request, outcome: Outcome, event: Event, decision: str) -> Mapping[str, object]:
    fields: dict[str, object] = {
        "event": event.name.value,
        "request": request.id,
        "decision": decision,
        **_who(outcome),
        "address": request.client,
        "method": request.method[:MAX_VALUE],
        "path": request.path[:MAX_VALUE],
        "endpoint": outcome.endpoint,
        **_what(outcome),
        **{
            name: value if isinstance(value, int) else str(value)
            for name in event.__struct_fields__[1:]
            if (value := getattr(event, name)) is not None
        },
        "binding": outcome.binding,
        "reason": None if decision == "allowed" and event.name is not EventName.UNCERTAIN else outcome.reason,
        "status": outcome.response.status,
        "agent": request.headers.get("user-agent", "")[:MAX_VALUE],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _who(outcome: Outcome) -> Mapping[str, object]:
    """Return the caller and how it was authenticated, without anything that could be used as credentials."""
    caller = outcome.caller
    if caller is None or caller is NO_CALLER:
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
        case TagTarget(repository, tag):
            return {"repository": repository, "reference": tag}
        case DigestTarget(repository, digest):
            return {"repository": repository, "digest": str(digest)}
        case RepositoryTarget(repository) | SessionTarget(repository):
            return {"repository": repository}
        case _:
            return {}
