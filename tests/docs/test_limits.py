"""The guide to limits has every setting, and every bound of the program that a client can meet."""

import ast
import re
from dataclasses import fields, replace

import pytest

from simple_registry.config.settings import ROWS as SETTINGS, Limits
from simple_registry.server.worker import wire_limits
from simple_registry.wire.limits import WireLimits
from support.sources import ROOT, modules

SECTION = (ROOT / "docs/operations/limits.md").read_text("utf-8").partition("\n## Guessing\n")[0]
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in SECTION.splitlines()
    if line.startswith("| ") and not line.startswith("| limit ")
]
BY_NAME = {row[0]: row for row in ROWS}
BY_SETTING = {name: row for row in ROWS for name in re.findall(r"`(limits\.\w+)`", row[2])}
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KiB/s": 2**10, "h": 3600}

BOUNDS = {
    "access.limits.MAX_CLIENT_LIMIT": "instructions of RE2 in the pattern of such a scope",
    "access.scopes.MAX_CLIENT_PATTERN": "instructions of RE2 in the pattern of such a scope",
    "access.external_tokens.MAX_TOKEN": "size of a token of a trusted issuer",
    "access.passwords.MAX_BYTES": "length of a password",
    "authentication.authenticator.MAX_NAME": "length of a user's name at login",
    "authentication.credentials.MAX_HEADER": "length of an `Authorization` header",
    "authentication.login_memory.PLACES_OF_NETWORK": "passwords verified at once, or wrong and not answered yet",
    "authentication.login_memory.PLACES_OF_PAIR": "passwords verified at once, or wrong and not answered yet",
    "authentication.login_queue.MAX_WAITING": "passwords that wait to be verified, of a worker",
    "authentication.login_queue.MAX_WAIT": "passwords that wait to be verified, of a worker",
    "authentication.login_throttle.FREE_FAILURES": "wrong passwords of one user from one network",
    "authentication.login_throttle.FREE_FAILURES_OF_NETWORK": "wrong passwords of one network",
    "authentication.login_throttle.MAX_DELAY": "wait of a wrong password",
    "http.handlers.token_exchange.MAX_FORM": "form of a request for a token",
    "authentication.token_service.MAX_SCOPES": "scopes of a request for a token",
    "http.bodies.MAX_DOCUMENT": "form of a request for a token",
    "http.handlers.history.MAX_PAGE": "events on a page",
    "http.messages.MAX_QUERY_FIELDS": "fields of a query or form",
    "http.pagination.MAX_PAGE": "entries on a page of tags or the catalog",
    "http.ranges.MAX_RANGES": "ranges of a request",
    "oci.manifests.MAX_ENTRIES": "lists, objects and commas of a manifest",
    "oci.names.MAX_NAME_LENGTH": "length of a repository's name",
    "oci.media_types.MAX_LENGTH": "length of a media type",
    "operations.manifests.MAX_ANNOTATIONS": "annotations of a manifest in a listing of referrers",
    "operations.manifests.MAX_LARGE_PUSHES": "manifests of over 64 KiB that a worker parses at once",
    "operations.repositories.MAX_EXAMINED": "repositories that a search on the web pages examines",
    "ui.forms.MAX_FORM": "form of a web page",
    "operations.pages.MAX_LARGE_PAGES": "pages of over 250 tags, or repositories, that a worker fills at once",
    "operations.referrers.MAX_LARGE_PAGES": "pages of referrers of over 16 KiB that a worker builds at once",
    "operations.issued_tokens.MAX_PAGE": "issued tokens on a page",
    "operations.issued_tokens.MAX_DESCRIPTION": "length of its description",
    "operations.issued_tokens.MAX_SCOPE": "length of such a scope",
    "operations.issued_tokens.MAX_SCOPES": "scopes of an issued token",
    "operations.issued_tokens.MAX_PER_OWNER": "issued tokens",
    "operations.verification.MAX_AT_ONCE": "files that are verified at once",
    "operations.verification.MAX_PENDING": "files that wait for that",
    "operations.verification.MAX_WAIT": "time for which a request waits for the verification of a changed file",
    "server.worker.MAX_CONNECTIONS": "connections of a worker",
    "wire.connection.MAX_PIPELINED": "requests that wait behind one on its connection",
    "wire.framing.MAX_CHUNK_LINE": "line before a chunk of a body",
    "wire.framing.MAX_TRAILERS": "trailers after the last chunk",
    "wire.heads.MAX_HEAD": "size of a head",
    "wire.heads.MAX_LINES": "header lines",
    "wire.heads.MAX_TARGET": "size of a target",
    "wire.proxy_header.MAX_HEADER": "size of a PROXY header",
}
"""The row of each bound, which has its number."""

INSIDE = {
    "access.external_tokens._LATEST": "the latest date",
    "access.public_keys.MIN_RSA_BITS": "what an issuer publishes",
    "oci.layouts.MAX_INDEX_BYTES": "a file that the operator names",
    "operations.issued_tokens._LATEST": "the latest date",
    "wire.proxy_header.PREFIX": "a part of the header, whose size has a row",
    "access.external_tokens.MAX_KEYS_TRIED": "keys of an issuer's set; a token names the one that it was signed with",
    "access.external_tokens._MAX_KID": "part of a token, whose size has a row",
    "access.jwks.MAX_KEYS": "what an issuer publishes",
    "access.passwords.MAX_COST": "a warning about documents",
    "access.public_keys.MAX_RSA_BITS": "what an issuer publishes",
    "access.samples.MAX_SAMPLES": "example names of `policy diff`",
    "access.scopes.MAX_BEGINNING": "how patterns are looked at before they are searched",
    "access.scopes.MAX_SET": "how patterns of documents are compiled",
    "http.access_log.MAX_VALUE": "the length of a value in the log",
    "authentication.issuer_keys.MAX_FILE": "what an issuer publishes",
    "authentication.login_throttle.MAX_CHECK": "when the place of a worker that died is free again",
    "authentication.recent_logins.MAX_HEADERS": "what is cached",
    "http.routes.MAX_CACHED": "what is cached",
    "http.routes.MAX_CACHED_LENGTH": "what is cached",
    "operations.fsck.contents.MAX_ATTEMPTS": "how often changing content is compared",
    "operations.fsck.contents.MAX_LISTED": "names in a finding of `fsck`",
    "operations.fsck.rows.MAX_LISTED": "names in a finding of `fsck`",
    "operations.fsck.rows.MAX_MANIFEST_SIZE": "which manifests a check reads",
    "operations.blobs.MAX_HOLDERS": "repositories that a mount checks; the client uploads then",
    "operations.contents.MAX_ATTEMPTS": "how often a push is repeated",
    "operations.cutoffs.MAX_SKEW": "when a clock is wrong",
    "operations.cutoffs.MIN_JUMP": "when a clock is wrong",
    "operations.explanations.MAX_HOLDINGS": "repositories that one explanation names",
    "operations.explanations.MAX_VISITED": "manifests that are looked at for a tag",
    "operations.history.MAX_EXAMINED": "how far one request searches; the answer says where to continue",
    "operations.history.MAX_PRUNED": "what one round of maintenance removes",
    "operations.undo.MAX_ATTEMPTS": "how often a change is repeated",
    "operations.manifests.MAX_CACHED": "what is cached",
    "operations.manifests.MAX_DELETE_ATTEMPTS": "how often a deletion is repeated",
    "operations.manifests.MAX_ERRORS": "parts that one refusal names",
    "operations.manifests.MAX_INLINE": "what is done in a thread",
    "operations.pulls.MAX_NOTED": "writes that no answer depends on",
    "operations.session_turns.MAX_ATTEMPTS": "how long a request waits for an older one",
    "operations.side_writes.MAX_WAIT": "writes that no answer depends on",
    "operations.side_writes.MAX_WRITES": "writes that no answer depends on",
    "operations.verification.MAX_REMEMBERED": "what is cached",
    "operations.tags.MAX_TAGS_CHECKED": "tags that are checked for a catalog",
    "operations.uploads.MAX_ROOM_ATTEMPTS": "how often an older session is ended",
    "operations.manifests.PARTS_PER_TURN": "how turns are shared",
    "operations.manifests.MAX_LARGE_READS": "how reads of large manifests wait for each other",
    "access.versions.MAX_CACHED": "what is cached",
    "ui.pages.policy.MAX_TEXT": "how much of a search is looked at",
    "ui.pages.repositories.MAX_TEXT": "how much of a search is looked at",
    "ui.pages.tags.MAX_TEXT": "how much of a search is looked at",
    "ui.pages.actions.MAX_NAMED": "what a page shows",
    "ui.pages.manifests.MAX_TAGS": "what a page shows",
    "ui.pages.manifests.MAX_CHILDREN": "what a page shows",
    "ui.pages.manifests.MAX_REFERRERS": "what a page shows",
    "ui.pages.manifests.MAX_CONTENTS": "what a page shows",
    "operations.tag_lists.LARGE_BATCH": "rows read at a time",
    "ui.reading.MAX_PARTS": "what a page shows",
    "ui.reading.MAX_PLATFORMS": "what a page shows",
    "ui.reading.MAX_PLATFORM": "what is cached",
    "ui.pages.manifests.MAX_CHILD_SIZE": "what a page shows",
    "ui.manifest_documents.MAX_SHOWN": "what a page shows",
    "ui.manifest_documents.MAX_ANNOTATIONS": "what a page shows",
    "ui.reading.MAX_TEXTS": "what a page shows",
    "ui.json_text.MAX_INDENTED": "what a page shows",
    "ui.image_configs.MAX_SIZE": "what a page shows",
    "ui.image_configs.MAX_ITEMS": "what a page shows",
    "ui.image_configs.MAX_HISTORY": "what a page shows",
    "ui.json_text.MAX_SHOWN": "what a page shows",
    "ui.json_text._MAX_DEPTH": "what a page shows",
    "ui.plain_text.MAX_LENGTH": "what a page shows",
    "wire.body.MAX_PIECES": "how bytes are gathered",
    "wire.heads.MAX_CACHED": "what is cached",
    "wire.server.ACCEPTED_PER_TURN": "how turns are shared",
    "wire.server.HANDSHAKES_PER_TURN": "how turns are shared",
    "wire.connection.REQUESTS_PER_TURN": "how turns are shared",
}
"""Constants that are named as bounds and refuse no client."""

OF_THE_WIRE = {
    "connections": "connections of a worker",
    "connections_by_address": "connections of a worker",
    "descriptors": "connections of a worker",
    "held": "unread answers and bodies that wait for the disk, of a worker",
    "held_by_address": "unread answers and bodies that wait for the disk, of a worker",
}
"""The rows of bounds of the wire that no setting changes."""

_NAME = re.compile(
    r"_?(?:.*_)?(?:MAX|MIN|MOST|LARGE|ANNOTATIONS|LARGEST|MAX_WAIT|PLACES|LONGEST|LIMIT|PER|FREE|SHARE)(?:_.*)?"
)
_PACKAGES = ("access.", "authentication.", "http.", "oci.", "operations.", "server.worker", "ui.", "wire.")
NAMED = "limit", "default", "setting", "protects", "share", "a refused client sees"


def numbers(cell):
    """Return the numbers of a cell, in bytes and seconds."""
    found = re.findall(r"(\d[\d,]*)(?: (KiB/s|KiB|MiB|GiB|h)\b)?", cell)
    return [int(number.replace(",", "")) * UNITS.get(unit, 1) for number, unit in found]


def product(node, values):
    """Return the value of a number, a name, or a product of such; `None` for anything else."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return values.get(name)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            factors = product(left, values), product(right, values)
            return None if None in factors else factors[0] * factors[1]
    return None


def numbers_of(tree):
    """Return the constants of a module that are numbers, by name."""
    values = {"KIB": 1024, "MIB": 1024**2}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            values[node.targets[0].id] = product(node.value, values)
    return {name: value for name, value in values.items() if value is not None}


def compared_before_a_refusal(tree):
    """Return the names in comparisons of size that guard an error."""
    ordered = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)
    guards = [
        node.test
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and any(isinstance(each, ast.Raise) for part in node.body for each in ast.walk(part))
    ]
    compared = [
        node
        for guard in guards
        for node in ast.walk(guard)
        if isinstance(node, ast.Compare) and any(isinstance(each, ordered) for each in node.ops)
    ]
    return {name.id for node in compared for name in ast.walk(node) if isinstance(name, ast.Name)}


def bounds():
    """Return the value of every constant that is named as a bound or used as one, by module and name."""
    found = {}
    for module, path in modules().items():
        if module.startswith(_PACKAGES):
            tree = ast.parse(path.read_text("utf-8"))
            used = compared_before_a_refusal(tree)
            named = {name: value for name, value in numbers_of(tree).items() if name in used or _NAME.fullmatch(name)}
            found |= {f"{module}.{name}": value for name, value in named.items()}
    return found


FOUND = bounds()


def test_every_row_has_purpose_share_and_answer():
    assert len(BY_NAME) == len(ROWS) > 30
    for row in ROWS:
        assert len(row) == len(NAMED), row
        assert all(row), row


def test_every_setting_of_limits_has_a_row_with_its_default():
    settings = {row.path: row.default for row in SETTINGS if "limits." in (row.path or "")}
    assert set(settings) == set(BY_SETTING)
    assert {path for path, value in settings.items() if value not in numbers(BY_SETTING[path][1])} == set()


def test_every_bound_of_the_program_is_known():
    known = BOUNDS.keys() | INSIDE.keys()
    assert (FOUND.keys() - known, known - FOUND.keys()) == (set(), set())
    assert BOUNDS.keys() & INSIDE.keys() == set()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_has_a_row_with_its_number(name):
    _, default, _, _, share, _ = BY_NAME[BOUNDS[name]]
    assert FOUND[name] in [*numbers(default), *numbers(share)]


def test_every_bound_of_connections_is_a_setting_or_has_a_row():
    plain = wire_limits(Limits(), 65_536)
    changed = {name: getattr(Limits(), name) * 2 for name in (field.name for field in fields(Limits))}
    doubled = wire_limits(replace(Limits(), **changed), 65_536)
    fixed = {field.name for field in fields(WireLimits) if getattr(plain, field.name) == getattr(doubled, field.name)}
    assert fixed == OF_THE_WIRE.keys()
    for name in ("held", "held_by_address"):
        assert getattr(plain, name) in [
            *numbers(BY_NAME[OF_THE_WIRE[name]][1]),
            *numbers(BY_NAME[OF_THE_WIRE[name]][4]),
        ]
