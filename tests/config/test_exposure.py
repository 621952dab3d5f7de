"""Files with secrets that every user may read."""

import pytest

from simple_registry.config.exposure import exposure


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_file_that_every_user_may_read_is_warned_of(tmp_path, mode, warned):
    file = tmp_path / "secret"
    file.write_text("x")
    file.chmod(mode)
    expected = (f"every user of this machine may read the password file {file}; use chmod o-r",)
    assert exposure(file, "the password file") == (expected if warned else ())


def test_a_file_that_is_not_there_is_for_others_to_complain_of(tmp_path):
    assert exposure(tmp_path / "absent", "the password file") == ()
