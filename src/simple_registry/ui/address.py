"""The address under which a browser reached this registry, and the names that follow from it."""

from dataclasses import dataclass

from simple_registry.http.messages import Request
from simple_registry.http.origins import Origins, name_of
from simple_registry.networks import is_local

_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Address:
    """Scheme and host, with a port where the URL has one."""

    scheme: str
    host: str

    @property
    def secure(self) -> bool:
        """Whether browsers reach it over TLS."""
        return self.scheme == "https"

    @property
    def trusted(self) -> bool:
        """Whether container clients accept it as it is: over TLS, or on their own machine."""
        return self.secure or is_local(name_of(self.host))

    @property
    def port(self) -> str:
        """The port, written or not."""
        return self.host[len(name_of(self.host)) + 1 :] or _PORTS[self.scheme]


def address_of(request: Request, origins: Origins) -> Address:
    """Return the address of a request; plain HTTP where nothing says how its client reached us."""
    origin = origins.origin(request)
    if origin is None:
        return Address("http", request.host)
    scheme, _, rest = origin.partition("://")
    return Address(scheme, rest.partition("/")[0])
