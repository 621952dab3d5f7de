"""The configurations of proxies in the guide are those that the end-to-end tests run."""

import pytest

from e2e.proxies import CONFIGURATIONS
from support.sources import ROOT

GUIDE = (ROOT / "docs/operations/reverse-proxies.md").read_text("utf-8")


@pytest.mark.parametrize("proxy", CONFIGURATIONS)
def test_the_guide_has_the_configuration_that_is_tested(proxy):
    assert f"\n{CONFIGURATIONS[proxy]}```\n" in GUIDE


@pytest.mark.parametrize("peer", ["127.0.0.1", "unix"])
def test_the_guide_names_the_peers_to_trust(peer):
    (line,) = [line for line in GUIDE.splitlines() if "trustedProxies:" in line]
    assert peer in line
