"""Names of assets; `tests/ui/pages/test_assets.py` asks for them."""

import hashlib

from simple_registry.ui.assets import find_asset, load_assets


def test_a_name_has_the_digest_of_the_content():
    for file, asset in load_assets().items():
        stem, _, suffix = file.rpartition(".")
        assert asset.name == f"{stem}-{hashlib.sha256(asset.content).hexdigest()[:16]}.{suffix}"
        assert find_asset(asset.name) is asset
        assert find_asset(file) is None
