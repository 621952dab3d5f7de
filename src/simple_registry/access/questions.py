"""Questions such as `pull image team/app:v1`, and the permissions that each needs.

VERB        pull, push, delete, history, restore, run, or an HTTP method
RESOURCE    catalog, blobs, manifests, tags, referrers, metrics, maintenance, or `image`: all that clients need for one
WHERE       repository, repository:tag or repository@digest; nothing for catalog, metrics and maintenance
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.caller import Caller
from simple_registry.access.permission import CATALOG_SCOPE, OF_REGISTRY, Permission, Resource, scope_of
from simple_registry.access.policy import Allowed, BindingPolicy, TooNarrow, decide
from simple_registry.access.roles import METHODS, RUN, UNDO
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.names import Reference, parse_repository_name, parse_tag

IMAGE = "image"
"""All that clients do to pull, push or delete an image, with its parts and platforms."""

VERBS = ("pull", "push", "delete", *UNDO, RUN, *METHODS)
RESOURCES = (*(resource.value for resource in Resource), IMAGE)

_METHODS = {
    **{("pull", resource.value): ("GET",) for resource in Resource},
    ("push", "blobs"): ("POST", "PATCH", "PUT"),
    ("push", "manifests"): ("PUT",),
    ("delete", "blobs"): ("DELETE",),
    ("delete", "manifests"): ("DELETE",),
    ("history", "catalog"): ("history",),
    ("history", "manifests"): ("history",),
    ("restore", "manifests"): ("restore",),
    (RUN, "maintenance"): (RUN,),
}
_WITH_TAGS = frozenset({"manifests", "tags", IMAGE})


class QuestionInvalid(ValueError):
    """Not a question; the message shows the expected form."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and every permission that a yes needs."""

    text: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether one permission is there, and which binding gives it, or what is missing."""

    permission: Permission
    allowed: bool
    reason: str

    def __str__(self) -> str:
        verb, resource, scope = self.permission
        return f"{verb} {resource}{f' {scope}' if scope else ''}: {self.reason}"


def parse_question(words: Sequence[str]) -> Question:
    """Return the question that two or three words ask.

    Raises: QuestionInvalid.
    """
    text = " ".join(words)
    if len(words) not in {2, 3}:
        raise QuestionInvalid(f"{text!r} is not a question; write VERB RESOURCE [REPOSITORY[:TAG]]")
    verb, resource = words[0].lower(), words[1].lower()
    verb = verb.upper() if verb.upper() in METHODS and verb != "delete" else verb
    if verb not in VERBS:
        raise QuestionInvalid(f"{words[0]!r} is not a verb; known: {', '.join(VERBS)}")
    if resource not in RESOURCES:
        raise QuestionInvalid(f"{words[1]!r} is not a resource; known: {', '.join(RESOURCES)}")
    return Question(text, _permissions(verb, resource, words[2] if len(words) > 2 else None))  # noqa: PLR2004


def answers(question: Question, caller: Caller, policy: BindingPolicy) -> Sequence[Answer]:
    """Return the answer for each permission of a question; all must be yes for the whole to be."""
    return [_answer(permission, caller, policy) for permission in question.permissions]


def _answer(permission: Permission, caller: Caller, policy: BindingPolicy) -> Answer:
    match decide(policy, caller, permission):
        case Allowed(binding):
            return Answer(permission, allowed=True, reason=f"binding {binding!r}")
        case TooNarrow(binding):
            reason = f"binding {binding!r} allows it, but the token's scopes do not"
            return Answer(permission, allowed=False, reason=reason)
        case refused:
            return Answer(permission, allowed=False, reason=refused.reason)


def _permissions(verb: str, resource: str, where: str | None) -> tuple[Permission, ...]:
    if resource in OF_REGISTRY:
        if where is not None:
            raise QuestionInvalid(f"the {resource} belongs to no repository; leave it out")
        return _each(verb, Resource(resource), CATALOG_SCOPE)
    if where is None:
        tag = "[:TAG]" if resource in _WITH_TAGS else ""
        raise QuestionInvalid(f"name a repository: {verb} {resource} REPOSITORY{tag}")
    repository, scope = _scopes(where, resource)
    if resource == IMAGE:
        return _of_image(verb, repository, scope)
    return _each(verb, Resource(resource), scope)


def _each(verb: str, resource: Resource, scope: str) -> tuple[Permission, ...]:
    methods = (verb,) if verb in METHODS else _METHODS.get((verb, resource))
    if methods is None:
        raise QuestionInvalid(f"{verb} has no meaning for {resource}")
    return tuple(Permission(method, resource, scope) for method in methods)


def _of_image(verb: str, repository: str, scope: str) -> tuple[Permission, ...]:
    """Return what clients send: a tag leads to digests, and they ask before they push."""
    scopes = (scope,) if scope == repository else (scope, repository)
    match verb:
        case "pull":
            needed = [*(("GET", Resource.MANIFESTS, each) for each in scopes), ("GET", Resource.BLOBS, repository)]
        case "push":
            needed = [("HEAD", Resource.BLOBS, repository)]
            needed += [(method, Resource.BLOBS, repository) for method in ("POST", "PATCH", "PUT")]
            needed += [(method, Resource.MANIFESTS, each) for each in scopes for method in ("HEAD", "PUT")]
        case "delete":
            needed = [("DELETE", Resource.MANIFESTS, scope)]
        case _:
            raise QuestionInvalid(f"write pull, push or delete for an image, not {verb}")
    return tuple(Permission(*each) for each in needed)


def _scopes(where: str, resource: str) -> tuple[str, str]:
    """Return the scope strings of a repository and of what was named in it."""
    try:
        name, at, digest = where.partition("@")
        name, colon, tag = name.partition(":")
        repository = parse_repository_name(name)
        reference: Reference | None = parse_tag(tag) if colon else None
        if at:
            reference = parse_digest(digest)
    except RegistryError:
        raise QuestionInvalid(f"{where!r} is not a repository, repository:tag or repository@digest") from None
    if colon and resource not in _WITH_TAGS:
        raise QuestionInvalid(f"{resource} have no tags; name the repository alone: {repository}")
    return repository, scope_of(repository, reference)
