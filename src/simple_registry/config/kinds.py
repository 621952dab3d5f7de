"""Every kind of document and every field, as one table: `config.schema` makes of it what editors and people read.

The readers of documents are the judges of what loads; tests hold this table to them, in both directions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.access.challenge_mode import ChallengeMode
from simple_registry.access.issuers import ALGORITHMS
from simple_registry.access.roles import METHODS, RESOURCE_WORDS
from simple_registry.config.settings import AllowMissing, LogFormat, LogLevel


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar: how it is called in the reference, and what narrows it."""

    what: str = "text"
    words: tuple[str, ...] = ()
    pattern: str | None = None
    number: bool = False
    """Whether people also write it as a number."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; `or_one` may be written without brackets when it holds one text."""

    inner: "Text | Fields"
    or_one: bool = False
    empty: bool = False
    """Whether it may be empty."""


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose keys are the writer's own."""

    inner: Text
    key: str


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with known fields; of `one_of`, exactly one is there."""

    fields: tuple["Field", ...]
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its shape, what it means, whether it must be there, and what holds when it is not."""

    name: str
    shape: Text | ListOf | MapOf | Fields
    meaning: str
    required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document."""

    name: str
    meaning: str
    spec: Fields


NAME = Text("name")
PATTERN = Text("RE2 pattern")
PATH = Text("path")
DURATION = Text("duration", number=True)
SIZE = Text("size", number=True)
COUNT = Text("number", number=True)
_HASH = Text("bcrypt hash", pattern=r"^\$2[aby]\$[0-3][0-9]\$[./A-Za-z0-9]{53}$")
_VERBS = ("pull", "push", "delete", "*", *METHODS, *(method.lower() for method in METHODS if method != "DELETE"))
_IGNORED = "accepted as Kubernetes writes it; means nothing here"

_ROLE_REF = Fields(
    (
        Field("name", NAME, "the `Role`", required=True),
        Field("kind", Text(), _IGNORED),
        Field("apiGroup", Text(), _IGNORED),
    )
)

USER = Kind(
    "User",
    "somebody who may log in; the one called `anonymous` stands for everybody who sends no credentials",
    Fields(
        (
            Field("passwordHash", _HASH, "made by `simple-registry genhash`", default="no login by password"),
            Field("groups", ListOf(NAME, empty=True), "what `RoleBinding`s may name", default="none"),
        )
    ),
)
ROLE = Kind(
    "Role",
    "what may be done with what; it gives nothing until a binding names it",
    Fields(
        (
            Field(
                "resources",
                ListOf(Text("word", tuple(RESOURCE_WORDS))),
                "`manifests` includes reading tags and referrers",
                required=True,
            ),
            Field(
                "verbs",
                ListOf(Text("word", _VERBS)),
                "`pull` is GET and HEAD, `push` is POST, PUT and PATCH; GET includes HEAD",
                required=True,
            ),
        )
    ),
)
_SUBJECT = Fields(
    (
        Field("kind", Text("word", ("User", "Group")), "what `name` names", required=True),
        Field(
            "name",
            NAME,
            "a `User` document, a user whom a `TokenIssuer`'s prefix announces, or any group",
            required=True,
        ),
        Field("apiGroup", Text(), _IGNORED),
    )
)
ROLE_BINDING = Kind(
    "RoleBinding",
    "gives a role to users and groups, within scopes",
    Fields(
        (
            Field("subjects", ListOf(_SUBJECT), "who gets the role", required=True),
            Field("roleRef", _ROLE_REF, "the role", required=True),
            Field(
                "scopes",
                ListOf(PATTERN),
                "searched in `repository`, `repository:tag`, or the empty text for catalog and metrics; one is enough",
                required=True,
            ),
        )
    ),
)
TOKEN = Kind(
    "Token",
    "a token of a user, for `Authorization: Bearer` or in the place of the user's password",
    Fields(
        (
            Field("username", NAME, "whose token; there is a `User` of that name", required=True),
            Field(
                "expiresAt", Text("RFC 3339 time"), "such as `2027-01-31T12:00:00Z`", default="never, with a warning"
            ),
            Field("valueHash", Text("SHA-256", pattern="^(sha256:)?[0-9a-fA-F]{64}$"), "of the token, in hexadecimal"),
            Field("value", Text(), "the token itself, at least 32 characters; better is `valueHash`"),
            Field(
                "scopes",
                ListOf(Text("scope", pattern=r"^(repository|registry)(\([a-z]+\))?:.+:[a-z*,]*$")),
                "`repository:<RE2 pattern>:pull,push,delete`, `registry:catalog:*`, `registry:metrics:*`: its limits",
                default="all that its user may",
            ),
        ),
        one_of=("value", "valueHash"),
    ),
)
_TEMPLATE_BINDING = Fields(
    (
        Field("roleRef", _ROLE_REF, "the role", required=True),
        Field(
            "scopes",
            ListOf(Text("RE2 pattern with `{claim}`s")),
            "each `{claim}` is replaced by the claim's value, escaped",
            required=True,
        ),
    )
)
_KEYS = Fields(
    (
        Field("jwksURL", Text("URL"), "where the issuer publishes them; `https`, or `http` on this machine"),
        Field("jwksFile", PATH, "a JWKS file, relative to the file that names it"),
        Field("pem", ListOf(Text("PEM")), "public keys"),
    ),
    one_of=("jwksURL", "jwksFile", "pem"),
)
TOKEN_ISSUER = Kind(
    "TokenIssuer",
    "somebody else whose signed tokens (JWT) are believed, such as a CI system",
    Fields(
        (
            Field("issuer", Text(), "the `iss` of its tokens", required=True),
            Field("audience", ListOf(Text(), or_one=True), "one of these is an `aud` of its tokens", required=True),
            Field("keys", _KEYS, "what its signatures are verified with", required=True),
            Field("algorithms", ListOf(Text("word", ALGORITHMS)), "of signatures", default="RS256, ES256, EdDSA"),
            Field("userClaim", Text("claim"), "names the user", default="`sub`"),
            Field(
                "userPrefix",
                Text(),
                "stands before that name and ends with one of `: / . - _ @ +`; "
                "the empty text maps onto `User` documents",
                default="`<metadata.name>:`",
            ),
            Field(
                "groupsClaim",
                Text("claim"),
                "text or list of texts: groups of the user, any that bindings name",
                default="no groups",
            ),
            Field(
                "conditions",
                MapOf(PATTERN, "claim"),
                "each claim must be there and match its pattern wholly",
                default="none: every token of this issuer is believed",
            ),
            Field("bindings", ListOf(_TEMPLATE_BINDING, empty=True), "roles that its tokens bring", default="none"),
        )
    ),
)


def _words(words: type[StrEnum]) -> tuple[str, ...]:
    return tuple(word.value for word in words)


_CONFIGURATION: Mapping[str, tuple[Text | ListOf, str]] = {
    "dataDir": (PATH, "where everything is kept"),
    "web.addr": (ListOf(Text("address"), or_one=True), "where to listen"),
    "web.certfile": (PATH, "TLS certificate chain, PEM"),
    "web.keyfile": (PATH, "its private key, PEM"),
    "web.externalURL": (Text("URL"), "how clients reach the registry"),
    "web.tokenSecret": (Text("secret"), "signs short-lived tokens"),
    "web.tokenTimeout": (DURATION, "how long such a token lives"),
    "web.challenge": (Text("word", _words(ChallengeMode)), "what a 401 asks for"),
    "web.trustedProxies": (
        ListOf(Text("network, or `unix`"), empty=True),
        "whose `X-Forwarded-*` headers are believed",
    ),
    "metrics.addr": (Text("address"), "where metrics are told, without a login"),
    "manifests.allowMissing": (Text("word", _words(AllowMissing)), "which parts of a pushed manifest may be absent"),
    "limits.headerTimeout": (DURATION, "for the head of a request"),
    "limits.idleTimeout": (DURATION, "between two requests of a connection"),
    "limits.handshakeTimeout": (DURATION, "for a TLS handshake"),
    "limits.bodyTimeout": (DURATION, "over which the rate of a body or an answer is averaged"),
    "limits.minRate": (SIZE, "a second, the least rate of a body or an answer"),
    "limits.manifestSize": (SIZE, "of the largest manifest"),
    "limits.sessionLife": (DURATION, "of an upload that nobody continues"),
    "limits.sessions": (COUNT, "uploads open at once"),
    "limits.sessionsPerIdentity": (COUNT, "of these, of one user, or of one address without credentials"),
    "limits.tagsPerPush": (COUNT, "tags set by one push, at most 64"),
    "limits.drainSize": (SIZE, "read of a refused request's body"),
    "limits.drainTimeout": (DURATION, "for that"),
    "garbageCollection.interval": (DURATION, "between two collections"),
    "garbageCollection.grace": (DURATION, "for which unheld content is kept"),
    "log.level": (Text("word", _words(LogLevel)), "the least severe lines that are written"),
    "log.format": (Text("word", _words(LogFormat)), "how lines look"),
    "log.audit": (PATH, "where the audit stream goes; `-` is standard output"),
}
"""What a `Configuration` sets, by path; `config.fields` reads them."""


def _sections(paths: Mapping[str, tuple[Text | ListOf, str]]) -> Fields:
    sections: dict[str, list[Field]] = {}
    whole: list[Field] = []
    for path, (shape, meaning) in paths.items():
        section, dot, name = path.partition(".")
        field = Field(name or section, shape, meaning)
        (sections.setdefault(section, []) if dot else whole).append(field)
    return Fields((*whole, *(Field(name, Fields(tuple(fields)), "") for name, fields in sections.items())))


CONFIGURATION = Kind("Configuration", "settings of the server", _sections(_CONFIGURATION))

KINDS = (USER, ROLE, ROLE_BINDING, TOKEN, TOKEN_ISSUER, CONFIGURATION)


def paths_of(fields: Fields, prefix: str = "") -> Mapping[str, Field]:
    """Return every field below a mapping by its path, `subjects[].kind`, without the sections themselves."""
    found: dict[str, Field] = {}
    for field in fields.fields:
        path = prefix + field.name
        if field.meaning:
            found[path] = field
        for inside, inner in _inner(field, path):
            found.update(paths_of(inner, inside))
    return found


def mappings_of(fields: Fields, prefix: str = "") -> list[tuple[str, Fields]]:
    """Return a mapping and those inside it, with the prefixes of their fields' paths."""
    found = [(prefix, fields)]
    for field in fields.fields:
        for inside, inner in _inner(field, prefix + field.name):
            found += mappings_of(inner, inside)
    return found


def _inner(field: Field, path: str) -> list[tuple[str, Fields]]:
    """Return the mapping that a field is, or is a list of, with the prefix of what is in it."""
    match field.shape:
        case Fields() as inner:
            return [(f"{path}.", inner)]
        case ListOf(inner=Fields() as inner):
            return [(f"{path}[].", inner)]
        case _:
            return []
