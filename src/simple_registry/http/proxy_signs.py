"""Warnings about a proxy that is not trusted, or does not name its clients: they all count as one address.

The signs are looked for in 401s, in which a client learns where to log in.
"""

import logging

from simple_registry.authentication.login_memory import LoginMemory
from simple_registry.authentication.login_throttle import LoginThrottle
from simple_registry.http.messages import Request
from simple_registry.http.origins import UNIX, Origins, name_of
from simple_registry.networks import is_local

FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})
"""Headers in which proxies name their clients."""

logger = logging.getLogger("simple_registry")


class ProxySigns:
    """Looks for signs of a proxy, and warns once for all workers."""

    def __init__(self, origins: Origins, memory: LoginMemory, throttle: LoginThrottle) -> None:
        self._origins = origins
        self._memory = memory
        self._throttle = throttle

    def observe(self, request: Request) -> None:
        """Observe a request that gets a 401."""
        trusted = self._origins.trusts(request.peer)
        forwarded = not trusted and self._looks_forwarded(request)
        silent = trusted and request.client == request.peer
        fields: dict[str, object] = {"peer": request.peer, "host": request.host[:255]}
        if forwarded and not self._origins.is_configured and self._memory.first("unnamed"):
            logger.warning(
                "a proxy seems to be in front of the registry, and nothing says so; "
                "set web.trustedProxies, or web.externalURL if there is none",
                extra={"fields": fields},
            )
        if (forwarded or silent) and self._throttle.is_throttled(request.client) and self._memory.first("throttled"):
            logger.warning(
                "login attempts of all clients of a proxy are throttled together; "
                "have it set X-Forwarded-For, and name it in web.trustedProxies",
                extra={"fields": fields},
            )

    def _looks_forwarded(self, request: Request) -> bool:
        """Return whether a request came from this machine for another name, or has headers of a proxy."""
        local = request.peer == UNIX or is_local(request.peer)
        return (local and not is_local(name_of(request.host))) or not FORWARDED.isdisjoint(request.headers)
