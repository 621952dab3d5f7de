"""Passwords and their bcrypt hashes: made, recognised, and verified in a time that reveals nothing.

If hashes differ in cost, the time of an answer shows which users exist. So a wrong password always costs as much as the
most expensive hash there is: after a hash of cost c come others of cost c, c+1, … k-1, and 2^c + (2^c + … + 2^(k-1)) =
2^k.

bcrypt reads at most 72 bytes of a password. What it would cut is refused here when a hash is made, and never matches
when one is verified. So is what looks like a token: sent in the place of a password, it is taken for a token only.
Hashing and verifying take a quarter of a second at the default cost, on the thread that calls them: callers keep them
off event loops.
"""

import re

import bcrypt

from simple_registry.access.token_secrets import ISSUED_PREFIX

COST = 12
MAX_COST = 14
"""Above this, about a second, a login takes too long; a warning says so."""
MAX_BYTES = 72

# Cost, 128 bits of salt in 22 characters (the last carries two bits, so only four are possible), 184 bits of hash.
_HASH = re.compile(r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)
# How the header of every JWT begins: `{"`, in Base64.
_JWT_PREFIX, _JWT_DOTS = "eyJ", 2
# The hash that a login of an unknown user is verified against, at any cost. No password with this hash is known.
_UNKNOWN_USER = "$2b${cost:02d}$ibNQSO1AOGCdBgD.1Lz6jOEwvPFiM/UttzOVJtManJJZhCeQRZkjS"


class PasswordInvalid(ValueError):
    """The password cannot be hashed; the message says why, without the password."""


def hash_password(password: str, cost: int = COST) -> str:
    """Return the `$2b$` hash of `password`.

    Raises: PasswordInvalid when it is empty, longer than 72 bytes of UTF-8, looks like a token, or holds a NUL byte or
    half a character.
    """
    return bcrypt.hashpw(_usable(password), bcrypt.gensalt(cost)).decode("ascii")


def is_like_token(text: str) -> bool:
    """Return whether `text` begins as an issued token, or begins as a JWT and has as many parts."""
    return text.startswith(ISSUED_PREFIX) or (text.startswith(_JWT_PREFIX) and text.count(".") == _JWT_DOTS)


def is_password_hash(text: str) -> bool:
    """Return whether `text` is wholly a bcrypt hash (`$2a$`, `$2b$` or `$2y$`)."""
    return _HASH.fullmatch(text) is not None


def cost_of(password_hash: str) -> int:
    """Return the cost of a hash: each step doubles the time that it takes."""
    return int(password_hash.split("$")[2])


def verify_password(password: str, password_hash: str | None, *, cost: int = COST) -> bool:
    """Return whether `password` has this hash; a false answer takes as long as one hash of `cost`, for every user.

    `None` stands for a user that does not exist or cannot log in by password. `cost` should be the highest of the users
    that do exist; a more expensive hash takes its own time. A true answer takes as long as the hash does. Never raises.
    """
    well_formed = password_hash is not None and is_password_hash(password_hash)
    known = password_hash if password_hash is not None and well_formed else _UNKNOWN_USER.format(cost=cost)
    try:
        candidate = _usable(password)
    except PasswordInvalid:
        candidate, well_formed = b"unusable", False
    if bcrypt.checkpw(candidate, known.encode("ascii")) and well_formed:
        return True
    for further in range(cost_of(known), cost):
        bcrypt.checkpw(candidate, _UNKNOWN_USER.format(cost=further).encode("ascii"))
    return False


def _usable(password: str) -> bytes:
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        raise PasswordInvalid("the password is not valid Unicode text") from None
    if not encoded:
        raise PasswordInvalid("the password is empty")
    if is_like_token(password):
        raise PasswordInvalid("the password looks like a token, and would be taken for one; choose another")
    if b"\0" in encoded:
        raise PasswordInvalid("the password holds a NUL byte")
    if len(encoded) > MAX_BYTES:
        raise PasswordInvalid(
            f"the password has {len(encoded)} bytes, but bcrypt reads only the first {MAX_BYTES}; choose a shorter one"
        )
    return encoded
