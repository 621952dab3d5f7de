"""Take the pictures of docs/screenshots: each page at three widths, some in the dark theme.

    make screenshots                       all of them
    make screenshots ARGS="manifest tags"  the pages whose names begin like this

The pages are those of `https://registry.example.com`, two hours after the pushes, so that pictures change only with
the pages.
"""

import base64
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from browser.pages import PAGES, Address
from browser.site import Site, open_site
from browser.visits import Browser, Theme, open_browser
from harness import ROOT

FOLDER = ROOT / "docs" / "screenshots"
HOST = "registry.example.com"
WIDTHS = {360: 740, 768: 1024, 1440: 900}
"""Heights of the window by width."""
MAX_HEIGHT = 1200
LATER = 2 * 3600
"""Seconds between the pushes and the pictures."""
QUALITY = 60
"""Of WebP, at which text stays sharp."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page at a width in a theme."""

    address: Address
    width: int
    theme: Theme

    @property
    def name(self) -> str:
        """The name of the file."""
        return "-".join([self.address.name, str(self.width), *(["dark"] if self.theme is Theme.DARK else [])]) + ".webp"


def pictures(names: Sequence[str] = ()) -> Iterator[Picture]:
    """Return the pictures of all pages, or of those whose names begin with one of `names`."""
    for address in PAGES:
        if address.pictured and (not names or address.name.startswith(tuple(names))):
            for width in WIDTHS:
                yield Picture(address, width, Theme.LIGHT)
            if address.dark:
                yield Picture(address, max(WIDTHS), Theme.DARK)


def take(browser: Browser, site: Site, picture: Picture) -> bytes:
    """Return the picture as WebP, which Chromium encodes."""
    size = {"width": picture.width, "height": WIDTHS[picture.width]}
    with browser.visit(site.registry, picture.address.visitor, theme=picture.theme, **size) as visit:
        visit.page.clock.set_fixed_time(time.time() + LATER)
        page = visit.go(picture.address.path(site), status=picture.address.status)
        height = min(page.evaluate("document.documentElement.scrollHeight"), MAX_HEIGHT)
        clip = {"x": 0, "y": 0, "width": picture.width, "height": height, "scale": 1}
        options = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
        answer = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
        return base64.b64decode(answer["data"])


def main(names: Sequence[str]) -> int:
    """Take the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_site(Path(folder), tls=True) as site:
        named = replace(site, registry=replace(site.registry, host=HOST))
        with open_browser(f"MAP {HOST} {site.registry.endpoint}") as browser:
            for picture in pictures(names):
                (FOLDER / picture.name).write_bytes(take(browser, named, picture))
                print(picture.name, flush=True)
    print(f"{sum(path.stat().st_size for path in FOLDER.glob('*.webp')) / 1024:.0f} KiB in all")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
