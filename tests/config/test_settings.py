import dataclasses

import pytest

from simple_registry.config.settings import Administrator, Settings
from simple_registry.config.values import Secret


def test_a_secret_shows_itself_only_when_asked():
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {Administrator('admin', secret)} {Settings()}"


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().workers = 2
