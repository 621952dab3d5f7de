"""Every page, by a name, and the visitor with the fewest permissions that sees all of it."""

from collections.abc import Callable
from dataclasses import dataclass

from browser.site import ADMIN, API, CHART, DEVELOPER, FILES, MANY, NARROW, PUBLIC, WASM, WEB, Site


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


def of(repository: str, page: str) -> Callable[[Site], str]:
    """Return the path of a page of a repository."""
    return at(f"/ui/{repository}/-/{page}")


def hostile(page: Callable[[Site], str]) -> Callable[[Site], str]:
    """Return the path of a page of the repository with attacks."""
    return lambda site: f"/ui/{site.hostile.repository}/-/{page(site)}"


GENERAL = (
    Address("repositories", at("/"), dark=True),
    Address("repositories-anonymous", at("/"), "", pictured=False),
    Address("repositories-below", at("/?below=shop/"), DEVELOPER, pictured=False),
    Address("repositories-found", at("/?q=web"), pictured=False),
    Address("repositories-none", at("/?q=Nothing%20like%20it"), pictured=False),
    Address("sign-in", at("/ui/-/sign-in"), ""),
    Address("not-found", at("/ui/-/nothing"), status=404),
    Address("refused", of(API, "tags"), NARROW, status=403),
)
REPOSITORY = (
    Address("tags", of(WEB, "tags"), DEVELOPER, dark=True),
    Address("tags-read", of(WEB, "tags"), NARROW, pictured=False),
    Address("tags-anonymous", of(PUBLIC, "tags"), "", pictured=False),
    Address("tags-many", of(MANY, "tags?order=name"), pictured=False),
    Address("tags-filtered", of(MANY, "tags?q=99"), pictured=False),
    Address("tags-none", of(MANY, "tags?q=none"), pictured=False),
    Address("manifest-index", of(WEB, "manifests/2.4.0"), DEVELOPER, dark=True),
    Address("manifest-image", of(API, "manifests/v1.2.0"), DEVELOPER, dark=True),
    Address("manifest-digest", lambda site: f"/ui/{API}/-/manifests/{site.image['digest']}", DEVELOPER, pictured=False),
    Address("manifest-read", of(WEB, "manifests/2.4.0"), NARROW, pictured=False),
    Address("manifest-chart", of(CHART, "manifests/1.1.0")),
    Address("manifest-wasm", of(WASM, "manifests/v1"), pictured=False),
    Address("manifest-files", of(FILES, "manifests/2026-11"), pictured=False),
    Address("compare", of(API, "compare?from=v1.1.0&to=v1.2.0"), DEVELOPER),
    Address("compare-indexes", of(WEB, "compare?from=2.3.1&to=2.4.0"), NARROW, pictured=False),
    Address("compare-empty", of(WEB, "compare"), NARROW, pictured=False),
    Address("compare-unknown", of(API, "compare?from=none&to=v1.2.0"), DEVELOPER, status=404, pictured=False),
    Address("history", of(API, "history"), DEVELOPER, dark=True),
    Address("history-tag", of(WEB, "history?tag=stable"), DEVELOPER),
    Address("roll-back", of(WEB, "tags/latest/roll-back"), DEVELOPER),
    Address("protected", of(WEB, "manifests/2.3.1/delete"), DEVELOPER, pictured=False),
    Address("delete-tag", of(API, "manifests/v1.1.0/delete"), DEVELOPER, pictured=False),
    Address("delete-manifest", lambda site: f"/ui/{API}/-/manifests/{site.image['digest']}/delete", DEVELOPER),
    Address("delete-repository", of(API, "delete"), DEVELOPER, pictured=False),
    Address("restore-tag", of(API, "restore?of=v1.0.0"), DEVELOPER, pictured=False),
    Address("add-tag", of(API, "manifests/v1.2.0/tag"), DEVELOPER, pictured=False),
    Address("add-tag-confirm", of(API, "manifests/v1.1.0/tag?tag=main"), DEVELOPER, pictured=False),
)
ADMINISTRATION = (
    Address("tokens", at("/ui/-/tokens"), DEVELOPER),
    Address("revoke-token", lambda site: f"/ui/-/tokens/{site.token}/revoke", DEVELOPER, pictured=False),
    Address("uploads", at("/ui/-/uploads"), pictured=False),
    Address("cancel-upload", lambda site: f"/ui/-/uploads/{site.upload}/cancel", pictured=False),
    Address("storage", at("/ui/-/storage")),
    Address("collection", at("/ui/-/collection")),
    Address("retention", at("/ui/-/retention"), pictured=False),
    Address("apply-retention", at("/ui/-/retention/apply"), pictured=False),
    Address("policy", at("/ui/-/policy")),
    Address("can-i", at("/ui/-/policy/can-i?user=nick&verb=push&resource=image&where=shop/web")),
    Address("can-i-empty", at("/ui/-/policy/can-i"), pictured=False),
    Address("matrix", at("/ui/-/policy/matrix")),
    Address("health", at("/ui/-/health")),
)
HOSTILE = (
    # The tokens of all users and the events are those of every repository, too.
    Address("hostile-tokens", at("/ui/-/tokens?all=yes"), pictured=False),
    Address("hostile-events", at("/ui/-/events"), pictured=False),
    Address("hostile-tags", hostile(lambda _: "tags"), pictured=False),
    Address("hostile-image", hostile(lambda site: f"manifests/{site.hostile.image}"), pictured=False),
    Address("hostile-index", hostile(lambda site: f"manifests/{site.hostile.index}"), pictured=False),
    Address("hostile-broken", hostile(lambda _: "manifests/broken"), pictured=False),
    Address("hostile-odd", hostile(lambda _: "manifests/odd"), pictured=False),
    Address("hostile-history", hostile(lambda _: "history"), pictured=False),
    Address("hostile-compare", hostile(lambda site: f"compare?from=broken&to={site.hostile.image}"), pictured=False),
)
PAGES = (*GENERAL, *REPOSITORY, *ADMINISTRATION, *HOSTILE)
