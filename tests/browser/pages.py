"""Every page, by a name, and the visitor with the fewest permissions that sees all of it."""

from collections.abc import Callable
from dataclasses import dataclass

from browser.site import ADMIN, DEVELOPER, Site


@dataclass(frozen=True, slots=True)
class Address:
    """A page: its path, which may depend on digests, and its visitor; "" is anonymous."""

    name: str
    path: Callable[[Site], str]
    visitor: str = ADMIN
    status: int = 200
    pictured: bool = True
    """Whether there are pictures of it in docs/screenshots."""
    dark: bool = False
    """Whether one of them is in the dark theme."""

    def __str__(self) -> str:
        return self.name


def at(path: str) -> Callable[[Site], str]:
    """Return a path that depends on nothing."""
    return lambda _: path


PAGES = (
    Address("repositories", at("/")),
    Address("repositories-anonymous", at("/"), ""),
    Address("repositories-below", at("/?below=shop/"), DEVELOPER),
    Address("repositories-found", at("/?q=web")),
    Address("repositories-none", at("/?q=Nothing%20like%20it")),
    Address("sign-in", at("/ui/-/sign-in"), ""),
    Address("error-404", at("/ui/-/nothing"), status=404),
)
