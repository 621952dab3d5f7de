"""The error classes are the table "Error Codes" of the specification: nothing missing, nothing invented."""

import pytest

from simple_registry.oci import errors
from simple_registry.oci.errors import ManifestBlobUnknown, RegistryError, Several

# Copied from the specification's table, with the id of each row.
CODES = {
    "code-1": ("BLOB_UNKNOWN", "blob unknown to registry"),
    "code-2": ("BLOB_UPLOAD_INVALID", "blob upload invalid"),
    "code-3": ("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
    "code-4": ("DIGEST_INVALID", "provided digest did not match uploaded content"),
    "code-5": ("MANIFEST_BLOB_UNKNOWN", "manifest references a manifest or blob unknown to registry"),
    "code-6": ("MANIFEST_INVALID", "manifest invalid"),
    "code-7": ("MANIFEST_UNKNOWN", "manifest unknown to registry"),
    "code-8": ("NAME_INVALID", "invalid repository name"),
    "code-9": ("NAME_UNKNOWN", "repository name not known to registry"),
    "code-10": ("SIZE_INVALID", "provided length did not match content length"),
    "code-11": ("UNAUTHORIZED", "authentication required"),
    "code-12": ("DENIED", "requested access to the resource is denied"),
    "code-13": ("UNSUPPORTED", "the operation is unsupported"),
    "code-14": ("TOOMANYREQUESTS", "too many requests"),
}
BY_CODE = {code: (row, description) for row, (code, description) in CODES.items()}


def _subclasses(kind):
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
        yield from _subclasses(child)


CLASSES = sorted(
    {child for child in _subclasses(RegistryError) if child is not Several}, key=lambda kind: kind.__name__
)
FOR_CLIENTS = [kind for kind in CLASSES if kind.status < 500]


@pytest.mark.parametrize("kind", FOR_CLIENTS, ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_code_of_the_table_and_names_its_row(kind):
    assert kind.code in BY_CODE
    row, _description = BY_CODE[kind.code]
    assert kind.__doc__.startswith(row)
    assert kind.__doc__[len(row)] in ".,:"


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_every_code_of_the_table_has_a_class_of_its_own(code):
    row, description = BY_CODE[code]
    own = [kind for kind in FOR_CLIENTS if kind.code == code and kind.__doc__ == f"{row}."]
    assert len(own) == 1
    assert own[0].message.startswith(description)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_message_and_a_status(kind):
    assert kind.message
    assert 400 <= kind.status < 600


def test_only_failures_of_the_server_use_a_code_outside_the_table():
    assert {kind.code for kind in CLASSES if kind.status >= 500} == {"UNKNOWN"}


def test_facts_are_for_the_client_and_the_note_is_not_among_them():
    error = ManifestBlobUnknown(note="only for the log", digest="sha256:0", count=1)
    assert error.facts == {"digest": "sha256:0", "count": 1}
    assert error.note == "only for the log"


def test_several_errors_are_kept_in_order():
    first, second = ManifestBlobUnknown(digest="a"), ManifestBlobUnknown(digest="b")
    assert Several([first, second]).errors == [first, second]
