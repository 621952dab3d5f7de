"""What axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OPTIONS = {"resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """Return a line for each element that breaks a rule, with all that can be opened open."""
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach(each => { each.open = true })")
    found = Axe().run(page, options=OPTIONS).response["violations"]
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = false })")
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}: {_reasons(node)}"
        for rule in found
        for node in rule["nodes"]
    ]


def _reasons(node: dict) -> str:
    return "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
