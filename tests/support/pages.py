"""A browser without scripts: it keeps the cookie, follows redirects and reads pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from support.front import AUTHORITY, PASSWORD, Front, Reply

VOID = frozenset({"input", "img", "meta", "link", "br", "hr", "wbr", "source", "col"})


@dataclass
class Element:
    """An element of a page, and what is in it."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    content: list[Any] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    @property
    def text(self) -> str:
        """Its text, with single blanks."""
        return " ".join(self._texts().split())

    def _texts(self) -> str:
        return "".join(each if isinstance(each, str) else f" {each._texts()} " for each in self.content)

    def all(self, name: str = "*", /, **attributes: str) -> list["Element"]:
        """Return the elements in it of a name, with these attributes (`class_` holds a word, `_` stands for `-`)."""
        found = []
        for each in self.content:
            if isinstance(each, Element):
                if name in ("*", each.name) and all(each._has(*pair) for pair in attributes.items()):
                    found.append(each)
                found += each.all(name, **attributes)
        return found

    def one(self, name: str = "*", /, **attributes: str) -> "Element":
        found = self.all(name, **attributes)
        assert len(found) == 1, f"{len(found)} elements {name} {attributes}"
        return found[0]

    def _has(self, name: str, value: str) -> bool:
        if name == "class_":
            return value in self.attributes.get("class", "").split()
        return self.attributes.get(name.replace("_", "-")) == value


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("#page")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute came twice: {tag} {attrs}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].content.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, f"</{tag}> ends <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].content.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"never closed: {self._open[-1].name}"


def read(html: bytes) -> Element:
    """Return a page, whose elements must be closed in order."""
    reader = _Reader()
    reader.feed(html.decode())
    reader.close()
    return reader.root


class Browser:
    """A browser at a registry."""

    def __init__(self, front: Front, *, host: str = AUTHORITY) -> None:
        self.front = front
        self.host = host
        self.cookies: dict[str, str] = {}
        self.reply: Reply | None = None

    def ask(self, method: str, path: str, headers: Mapping[str, str] = {}, **how: Any) -> Reply:
        """Send a request as browsers do, and keep the cookies of the answer."""
        lines = {"accept": "text/html,*/*;q=0.8", "sec-fetch-site": "same-origin", "host": self.host, **headers}
        if self.cookies:
            lines["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.reply = self.front.request(method, path, headers=lines, user=None, **how)
        for line in self.reply.all("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, flags = rest.partition(";")
            if "Max-Age=0;" in flags:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return self.reply

    def get(self, path: str, *, status: int = 200, **headers: str) -> Element:
        """Return a page, which must have this status."""
        reply = self.ask("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})
        assert reply.status == status, reply
        return read(reply.body)

    def post(self, path: str, fields: Mapping[str, str] = {}, **headers: str) -> Reply:
        """Send fields to a path as a form would, without anything that a page adds."""
        names = {"content-type": "application/x-www-form-urlencoded", **headers}
        return self.ask("POST", path, names, body=urlencode(fields).encode())

    def submit(self, form: Element, **fields: str) -> Reply:
        """Fill in a form of a page and send it."""
        inputs = [each for each in form.all("input") if "name" in each.attributes]
        given = {
            each["name"]: each.attributes.get("value", "")
            for each in inputs
            if each.attributes.get("type") != "checkbox" or "checked" in each.attributes
        }
        known = {each["name"] for each in [*inputs, *form.all("select"), *form.all("textarea")]}
        assert fields.keys() <= known
        return self.post(form["action"], given | fields)

    def sign_in(self, name: str = "admin", password: str = PASSWORD) -> "Browser":
        """Sign in, which must succeed."""
        form = self.get("/ui/-/sign-in").one("form", class_="stacked")
        assert self.submit(form, name=name, password=password).status == 303, self.reply
        return self
