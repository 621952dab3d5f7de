"""The seam between `dispatch` and the web pages; `tests/ui/test_site.py` asks the pages themselves."""

from simple_registry.http.pages import Pages
from simple_registry.ui.site import Site


def test_the_site_is_what_dispatch_needs(memory_front):
    services = memory_front.services
    site: Pages = Site(services.registry, services.authentication.authenticator)
    promised = {name for name in vars(Pages) if not name.startswith("_")}
    assert {name for name in promised if callable(getattr(site, name))} == promised
