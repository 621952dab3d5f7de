"""All texts of the web pages, in one place, so that they can be translated.

A key is the page and the part of it. Values go into braces, and are escaped. A count has two texts: `….one` and
`….other`.
"""

from collections.abc import Mapping
from functools import cache

from markupsafe import Markup, escape

from simple_registry.ui.administration_texts import ADMINISTRATION_TEXTS
from simple_registry.ui.repository_texts import REPOSITORY_TEXTS

TEXTS: Mapping[str, str] = {
    # every page
    "site.skip": "Skip to the content",
    "site.search": "Search repositories",
    "site.search.submit": "Search",
    "site.footer": "Simple Registry {version}",
    "menu.label": "Pages",
    "menu.repositories": "Repositories",
    "menu.tokens": "Tokens",
    "menu.events": "Events",
    "menu.uploads": "Uploads",
    "menu.storage": "Storage",
    "menu.collection": "Collection",
    "menu.retention": "Retention",
    "menu.policy": "Policy",
    "menu.health": "Health",
    "user.menu": "Signed in as {user}",
    "user.sign_in": "Sign in",
    "user.sign_out": "Sign out",
    "crumbs.label": "You are here",
    "copy.label": "Copy",
    "copy.done": "Copied",
    "pager.first": "First page",
    "pager.next": "Next page",
    "pager.label": "Pages of the list",
    "confirm.cancel": "Cancel",
    "time.never": "never",
    "time.utc": "{day} {minute} UTC",
    # sign_in
    "sign_in.title": "Sign in",
    "sign_in.name": "User name",
    "sign_in.password": "Password or token",
    "sign_in.submit": "Sign in",
    "sign_in.wrong": "The user name or the password is wrong, or a token in its place is not valid.",
    "sign_in.ended": "Your session has ended. Please sign in again.",
    "sign_in.plain": "This connection is not encrypted: others on the network could read your password.",
    "sign_in.public": "Public repositories can be read without signing in.",
    # open a repository by name
    "open.label": "Name of a repository",
    "open.text": "You can open a repository that you know by its name:",
    "open.submit": "Open",
    # repositories
    "repositories.title": "Repositories",
    "repositories.below": "Repositories below {prefix}",
    "repositories.search": "Part of a name",
    "repositories.name": "Name",
    "repositories.tags": "Tags",
    "repositories.size": "Size",
    "repositories.pushed": "Last push",
    "repositories.none": "No repository matches “{q}”.",
    "repositories.none.hint": "Names have lower-case letters, digits and the characters - . _ / only.",
    "repositories.none.visible": "There is no repository here that you may pull from.",
    "repositories.early": "Many repositories were examined, and the search ended early. The next page continues it.",
    # empty registry
    "empty.title": "Push the first image",
    "empty.text": "This registry has no images yet. These commands push one to it:",
    "empty.login": "Log in once",
    "empty.tag": "Name an image after this registry",
    "empty.push": "Push it",
    "empty.plain": (
        "This registry is reached over plain HTTP. Docker needs “insecure-registries”: [“{host}”] in its "
        "daemon.json; podman and skopeo need --tls-verify=false."
    ),
    # errors
    "error.400.title": "This request cannot be read",
    "error.400.text": "A value in the address or in the form is not valid.",
    "error.401.title": "Please sign in",
    "error.401.text": "This page needs you to sign in.",
    "error.403.title": "You may not do this",
    "error.403.text": "Your user lacks a permission that this needs. An administrator can grant it.",
    "error.403.missing": "What is missing: {verb} on {resource} in {scope}.",
    "error.403.registry": "the registry",
    "error.404.title": "Page not found",
    "error.404.text": "The page does not exist, or its content was deleted.",
    "error.405.title": "This page cannot do that",
    "error.405.text": "The page exists, but not for this kind of request.",
    "error.408.title": "The request took too long",
    "error.408.text": "It did not arrive in time. Try it again.",
    "error.409.title": "This conflicts with something else",
    "error.409.text": "It was changed meanwhile, or a rule protects it. Nothing was changed.",
    "error.412.title": "It has changed meanwhile",
    "error.412.text": "The tag was moved after the page was shown. Nothing was changed. Go back and look again.",
    "error.413.title": "This is too large",
    "error.413.text": "The registry does not accept so much at once.",
    "error.429.title": "Too many attempts",
    "error.429.text": "Wait a moment, then try again.",
    "error.500.title": "Something went wrong",
    "error.500.text": "The fault is in the registry. Its log has the cause under the request id.",
    "error.503.title": "Not available right now",
    "error.503.text": "The registry cannot do this at the moment. Try again later.",
    "error.507.title": "The storage is full",
    "error.507.text": "Images can be pulled, but nothing can be pushed until there is room again.",
    "error.retry": "Try again in {seconds} s.",
    "error.id": "Request id",
    "error.message": "Message of the registry",
    "error.home": "To the repositories",
    **ADMINISTRATION_TEXTS,
    **REPOSITORY_TEXTS,
}

COUNTED: Mapping[str, tuple[str, str]] = {
    "count.tags": ("{n} tag", "{n} tags"),
    "count.manifests": ("{n} manifest", "{n} manifests"),
    "count.going": (
        "{n} tag will be removed, because no rule keeps it.",
        "{n} tags will be removed, because no rule keeps them.",
    ),
    "count.omitted": ("{n} more is not shown.", "{n} more are not shown."),
}


def text(key: str, **values: object) -> Markup:
    """Return the text of a key, with these values."""
    template = _template(key)
    return template.format(**values) if values else template


@cache
def _template(key: str) -> Markup:
    return Markup(escape(TEXTS[key]))  # noqa: S704 (escaped, as the values will be)


def amount(key: str, number: int, **values: object) -> Markup:
    """Return the text of a key for a number of things."""
    return Markup(escape(COUNTED[key][number != 1])).format(n=f"{number:,}", **values)  # noqa: S704 (as above)
