"""Visits to the pages in a real browser, each with a profile of its own, and everything that goes wrong in them.

    with open_browser() as browser, browser.visit(registry) as visit:
        visit.go("/ui/shop/web/-/")           the page, or an error with what the browser complained about
        visit.page.get_by_role("link", …)     Playwright's page

Whatever a page must never do fails the test at the end of the visit: an error on the console (a breach of our own
Content-Security-Policy is one), an exception in a script, a dialog, a request to another host.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from playwright.sync_api import (
    Browser as Program,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    StorageState,
    sync_playwright,
)

from e2e.server import Registry

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",  # Chromium refuses its sandbox to root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--font-render-hinting=none",
)
TIMEOUT_MS = 60_000


class Theme(StrEnum):
    """The preferred colours (`prefers-color-scheme`)."""

    LIGHT = "light"
    DARK = "dark"


class BrowserMissing(Exception):
    """There is no Chromium on this machine."""


@dataclass  # without slots: Playwright keeps its wrappers of the methods here
class Visit:
    """One profile with one page. `faults` are what the browser complained about."""

    registry: Registry
    page: Page
    faults: list[str] = field(default_factory=list)

    def go(self, path: str, *, status: int = 200) -> Page:
        """Load the page at a path. A page that is itself an error is no fault if its status is the expected one."""
        response = self.page.goto(self.origin + path)
        assert response is not None
        if response.status != status:
            raise AssertionError(
                f"{path}: status {response.status}, not {status}:\n{self.page.inner_text('body')[:2000]}"
            )
        return self.page

    def sign_in(self, name: str, password: str) -> None:
        """Fill in the form."""
        self.go("/ui/-/sign-in")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("main").get_by_role("button", name="Sign in").click()

    def press(self, button: str, *, status: int = 200) -> Page:
        """Press a button of the page, which leads to another one."""
        return self._lead(self.page.get_by_role("main").get_by_role("button", name=button, exact=True), status)

    def follow(self, link: str, number: int = 0) -> Page:
        """Follow a link of the page, one of several with the same words."""
        return self._lead(self.page.get_by_role("main").get_by_role("link", name=link, exact=True).nth(number), 200)

    def _lead(self, target: Locator, status: int) -> Page:
        with self.page.expect_navigation() as navigation:
            target.click()
        response = navigation.value
        assert response is not None
        assert response.status == status, self.page.inner_text("main")
        return self.page

    @property
    def origin(self) -> str:
        """The address before a path."""
        return f"{self.registry.scheme}://{self.registry.host}"

    @property
    def path(self) -> str:
        """The path, with the query, of the page that is shown."""
        return self.page.url.removeprefix(self.origin)

    def watch(self) -> None:
        """Collect faults from now on."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        self.page.on("dialog", self._on_dialog)
        self.page.on("request", self._on_request)
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        # Chromium writes a line for each answer above 399, which `go` has judged.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self.faults.append(f"request to another host: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.faults.append(f"{response.status}: {response.url}")


@dataclass(frozen=True, slots=True)
class Browser:
    """A running Chromium, and the cookies of those that have signed in, by address and name."""

    program: Program
    cookies: dict[tuple[str, str], StorageState] = field(default_factory=dict)

    @contextmanager
    def visit(
        self,
        registry: Registry,
        visitor: str = "",
        *,
        width: int = 1280,
        height: int = 900,
        theme: Theme = Theme.LIGHT,
        script: bool = True,
    ) -> Iterator[Visit]:
        """Open a page in a new profile for the length of the block, and complain about what went wrong in it.

        A named `visitor` is signed in already, with the password of the registry.
        """
        context = self.program.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme.value,
            java_script_enabled=script,
            ignore_https_errors=registry.tls,
            locale="en-GB",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
            storage_state=self._signed_in(registry, visitor) if visitor else None,
        )
        context.set_default_timeout(TIMEOUT_MS)
        try:
            visit = Visit(registry, context.new_page())
            visit.watch()
            yield visit
        finally:
            context.close()
        if visit.faults:
            raise AssertionError("\n".join(visit.faults))

    def _signed_in(self, registry: Registry, visitor: str) -> StorageState:
        key = (registry.host, visitor)
        if key not in self.cookies:
            with self.visit(registry) as visit:
                visit.sign_in(visitor, registry.password)
                visit.page.wait_for_url(f"{visit.origin}/")
                self.cookies[key] = visit.page.context.storage_state()
        return self.cookies[key]


@contextmanager
def open_browser(names: str = "") -> Iterator[Browser]:
    """Start the machine's Chromium for the length of the block; `names` are its own rules to find hosts.

    Raises:
        BrowserMissing
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise BrowserMissing(f"none of {', '.join(NAMES)} is installed")
    # Nothing leaves this machine.
    resolver = f"--host-resolver-rules={', '.join([*filter(None, [names]), 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'])}"
    environment = {**os.environ, "GOOGLE_API_KEY": "no"}  # without one, Chromium complains about it
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=path, args=[*OPTIONS, resolver], env=environment)
        try:
            yield Browser(program)
        finally:
            program.close()
