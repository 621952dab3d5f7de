import dataclasses

import pytest

from simple_registry.config.settings import ROWS, Administrator, Settings
from simple_registry.config.values import Secret


def test_a_secret_shows_itself_only_when_asked():
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {Administrator('admin', secret)} {Settings()}"


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().workers = 2


def test_every_attribute_is_a_row_but_those_of_several_options():
    attributes = {field.name for field in dataclasses.fields(Settings)}
    assert attributes - {row.attribute.partition(".")[0] for row in ROWS} == {
        "config_dirs",
        "administrator",
        "warnings",
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attribute)
def test_a_row_can_be_set_and_its_documented_default_means_the_default(row):
    assert row.path or row.option
    if row.default_text not in {"none", row.without}:
        parsed = row.text.parse(row.default_text)
        assert ((parsed,) if row.many else parsed) == row.default
