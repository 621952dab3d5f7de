"""The words of `web.challenge`, which configuration and HTTP share."""

from enum import StrEnum


class ChallengeMode(StrEnum):
    """Which challenges are sent; both kinds of credentials are accepted in every mode."""

    AUTO = "auto"
    BASIC = "basic"
    BEARER = "bearer"
