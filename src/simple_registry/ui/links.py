"""The addresses of pages: `/ui/-/…` for those of no repository, `/ui/<repository>/-/…` for those of one.

No component of a repository's name is `-`, so no repository can hide a page.
"""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote, urlencode

from simple_registry.http.messages import Query
from simple_registry.oci.names import RepositoryName

HOME = "/"
SIGN_IN = "/ui/-/sign-in"
SIGN_OUT = "/ui/-/sign-out"


def with_query(path: str, fields: Mapping[str, object]) -> str:
    """Return a path with the fields that have a value."""
    given = {name: str(value) for name, value in fields.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def page_url(page: str, **fields: object) -> str:
    """Return the path of a page of no repository."""
    return with_query(f"/ui/-/{quote(page, safe='/')}", fields)


def repository_url(repository: RepositoryName, page: str = "tags", **fields: object) -> str:
    """Return the path of a page of a repository."""
    return with_query(f"/ui/{quote(repository)}/-/{quote(page, safe='/:')}", fields)


def below_url(prefix: str) -> str:
    """Return the path of the list of repositories whose names begin with a prefix."""
    return with_query(HOME, {"below": prefix})


def crumbs_of(name: str) -> Sequence[tuple[str, str]]:
    """Return the components of a repository's name, each with the names that begin like it: `team/`."""
    parts = name.strip("/").split("/")
    return [(part, "/".join(parts[: number + 1]) + "/") for number, part in enumerate(parts) if part]


def change_of(query: Query, known: Collection[str]) -> str | None:
    """Return the change after which a browser comes to a page (`done`), if it is one of these."""
    done = query.find("done")
    return done if done in known else None
