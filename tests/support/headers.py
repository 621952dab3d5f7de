"""Invalid `Authorization` headers."""

from base64 import b64encode

GARBAGE = [
    "",
    " ",
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic YWRh",  # no colon
    "Basic OnNlY3JldA==",  # no name
    "Basic YWRhOng",  # no padding
    "Basic YWRh\tOng=",
    "Basic YWRhOng= extra",
    "Basic /////w==",
    "Basic " + b64encode(b"ada:\xff").decode(),
    "Bearer",
    "Digest username=ada",
    "Negotiate",
    "\u00e4",
    "Basic \u0661\u0662",
    "Basic " + "A" * 100_000,
    "Basic YWRhOng=, Basic YWRhOng=",
    "null",
]
