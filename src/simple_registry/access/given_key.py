"""A signing key that the operator gives, for registries that share one or keep no secrets in the data directory."""

import hashlib
import hmac

from simple_registry.access.signed import SigningKey


class GivenKey:
    """The one key that a secret text stands for; it never changes. See `SigningKeys`."""

    def __init__(self, secret: bytes) -> None:
        """Derive key and id, so that neither the length nor the text of the secret shows in anything."""
        key = hmac.digest(secret, b"simple-registry signing key", hashlib.sha256)
        self._key = SigningKey("given-" + hmac.digest(key, b"kid", hashlib.sha256).hex()[:16], key)

    def current(self) -> SigningKey:
        """Return the key."""
        return self._key

    def find(self, kid: str) -> SigningKey | None:
        """Return the key if it has this id."""
        return self._key if kid == self._key.kid else None
