"""The policy: what documents say, a question to it, and users against repositories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.permission import Permission, Resource, scope_of, scopes_of_tags
from simple_registry.access.policy import Allowed, BindingPolicy
from simple_registry.access.questions import RESOURCES, VERBS, Answer, QuestionInvalid, answers, parse_question
from simple_registry.access.rules import AccessRules
from simple_registry.http.call import Call
from simple_registry.http.messages import Query, Response
from simple_registry.http.targets import NoTarget
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.pages import in_turns
from simple_registry.ui.links import page_url
from simple_registry.ui.render import page

REPOSITORIES_SHOWN = 30
USERS_SHOWN = 8
MAX_TEXT = 255

ACTIONS = {"pull": "GET", "push": "PUT", "delete": "DELETE"}
"""What a cell of the matrix can say, and the verb on manifests that stands for it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form asked, and the answers, or why it cannot be asked."""

    fields: Mapping[str, str]
    answers: Sequence[Answer] = ()
    unknown_user: bool = False
    problem: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether all is allowed that the question needs."""
        return bool(self.answers) and all(answer.allowed for answer in self.answers)


async def show_policy(call: Call[NoTarget]) -> Response:
    """page: the bindings in force, and the documents that they come from."""
    rules = call.authorization.rules
    return page(
        call,
        "policy.html",
        bindings=rules.policy.bindings,
        documents=rules.documents,
        places={document.name: document.place for document in rules.documents if document.kind == "RoleBinding"},
        stale=call.registry.condition().stale,
    )


async def show_answer(call: Call[NoTarget]) -> Response:
    """page: whether a user may do something, and which binding decides."""
    asked = _ask(call.request.query(), call.authorization.rules)
    return page(call, "can_i.html", asked=asked, verbs=VERBS, resources=RESOURCES)


async def show_matrix(call: Call[NoTarget]) -> Response:
    """page: what each user may do in each repository, some of both at a time."""
    query, rules = call.request.query(), call.authorization.rules
    text, last, after_user = query.find("q") or "", query.find("after"), query.find("users") or ""
    later = sorted(name for name in rules.users if name > after_user)
    users = [(name, rules.identity(name)) for name in later[:USERS_SHOWN]]
    found = await call.registry.repositories.search(
        text.strip().lower()[:MAX_TEXT], last=last, limit=REPOSITORIES_SHOWN, visible=_everything
    )
    names = [summary.name for summary in found.found]

    def row(repository: RepositoryName) -> Sequence[Sequence[str]]:
        return [_may(rules.policy, identity, repository) for _, identity in users if identity is not None]

    fields = {"q": text, "users": after_user}
    return page(
        call,
        "matrix.html",
        q=text,
        users=[name for name, _ in users],
        after_user=after_user,
        rows=list(zip(names, await in_turns(names, row), strict=True)),
        more_users=page_url("policy/matrix", q=text, users=users[-1][0]) if len(later) > USERS_SHOWN else None,
        first=page_url("policy/matrix", **fields) if last else None,
        following=page_url("policy/matrix", **fields, after=found.last) if found.more else None,
    )


async def _everything(_repository: RepositoryName) -> bool:
    return True


def _ask(query: Query, rules: AccessRules) -> Asked:
    fields = {name: (query.find(name) or "").strip() for name in ("user", "verb", "resource", "where")}
    if not fields["user"]:
        return Asked(fields)
    identity = rules.identity(fields["user"])
    if identity is None:
        return Asked(fields, unknown_user=True)
    words = [word for word in (fields["verb"], fields["resource"], fields["where"]) if word]
    try:
        question = parse_question(words)
    except QuestionInvalid as error:
        return Asked(fields, problem=str(error))
    return Asked(fields, answers(question, Caller(identity, Proof(Source.PASSWORD)), rules.policy))


def _may(policy: BindingPolicy, identity: Identity, repository: RepositoryName) -> Sequence[str]:
    """Return the words of a cell: what the identity may do in a repository, or that it may with some tags."""
    scope = scope_of(repository)
    allowed = [
        word
        for word, verb in ACTIONS.items()
        if isinstance(policy.decide(identity, Permission(verb, Resource.MANIFESTS, scope)), Allowed)
    ]
    if allowed:
        return allowed
    return ["tags"] if policy.reach_below(identity, "GET", Resource.MANIFESTS)(scopes_of_tags(repository)) else []
