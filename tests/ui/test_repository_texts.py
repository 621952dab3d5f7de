"""The words of the pages of repositories cover what they say by name."""

import pytest

from simple_registry.storage.records import JournalAction
from simple_registry.ui.comparison import compare_configs
from simple_registry.ui.image_configs import ImageConfig
from simple_registry.ui.kinds import Kind
from simple_registry.ui.manifest_documents import Platform
from simple_registry.ui.pages.tags import DONE
from simple_registry.ui.pull_commands import Hint
from simple_registry.ui.texts import TEXTS


@pytest.mark.parametrize(
    ("beginning", "names"),
    [
        ("kind.", Kind),
        ("event.", JournalAction),
        ("done.", DONE),
        ("hint.", [each for each in Hint if each]),
    ],
)
def test_each_name_has_words(beginning, names):
    assert {key.removeprefix(beginning) for key in TEXTS if key.startswith(beginning)} == set(map(str, names))


def test_each_setting_of_a_config_has_words():
    full = ImageConfig(
        platform=Platform("linux"),
        **dict.fromkeys(("created", "author", "user", "directory", "stop_signal"), "x"),
        **{name: ["x"] for name in ("entrypoint", "arguments", "ports", "volumes")},
        environment={"A": ""},
        labels={"B": ""},
    )
    fields = {f"config.{change.field}" for change in compare_configs(ImageConfig(), full)}
    assert fields == {key for key in TEXTS if key.startswith("config.")} - {"config.unreadable"}
