import pytest

from simple_registry.access.passwords import hash_password, verify_password
from simple_registry.config.administrator import administrator, given_administrator, parse_user_name, read_password_file
from simple_registry.config.configuration import Given
from simple_registry.config.values import ConfigError


def flags(**options):
    return {name.replace("_", "-"): Given(f"-{name.replace('_', '-')}", given(text)) for name, text in options.items()}


def variables(**options):
    return {name: Given(f"SIMPLE_REGISTRY_{name.upper()}", given(text)) for name, text in options.items()}


def given(text):
    return (text,) if isinstance(text, str) else text


@pytest.mark.parametrize("name", ["admin", "José", "a b", "x", "user@example.org"])
def test_user_names(name):
    assert parse_user_name(name) == name


@pytest.mark.parametrize("name", ["", "a:b", "anonymous", "a\n", " a", "a\x1bb", "x" * 200])
def test_names_that_cannot_log_in_are_refused(name):
    with pytest.raises(ConfigError, match="is not a user name"):
        parse_user_name(name)


@pytest.mark.parametrize("content", ["secret", "secret\n", "secret\r\n"])
def test_a_trailing_newline_is_not_part_of_the_password(tmp_path, content):
    (tmp_path / "pw").write_bytes(content.encode())
    assert read_password_file(tmp_path / "pw") == "secret"


def test_spaces_are_part_of_the_password(tmp_path):
    (tmp_path / "pw").write_text(" a b \n")
    assert read_password_file(tmp_path / "pw") == " a b "


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"a\nb\n", "more than one line"), (b"\xff", "is not UTF-8"),
     (b"x" * 5000, "more than one line")],
)  # fmt: skip
def test_other_files_are_refused_as_password_files(tmp_path, content, says):
    (tmp_path / "pw").write_bytes(content)
    with pytest.raises(ConfigError, match=says) as refused:
        read_password_file(tmp_path / "pw")
    assert str(tmp_path / "pw") in str(refused.value)


def test_an_absent_password_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the password file .*: No such file"):
        read_password_file(tmp_path / "absent")


def test_a_password_is_hashed_and_a_hash_is_kept():
    assert verify_password("secret", administrator("admin", "secret").password_hash.reveal())
    known = hash_password("secret", 4)
    assert administrator("admin", known).password_hash.reveal() == known


def test_secrets_are_never_shown():
    made = administrator("admin", hash_password("secret", 4))
    assert "$2b$" not in repr(made)


@pytest.mark.parametrize("password", ["$2b$12$short", "x" * 73])
def test_passwords_that_cannot_be_used_are_refused_without_showing_them(password):
    with pytest.raises(ConfigError) as refused:
        administrator("admin", password)
    assert password not in str(refused.value)


def test_the_password_of_the_flags_wins(tmp_path):
    file = tmp_path / "pw"
    file.write_text("flag\n")
    loaded = given_administrator(flags(adminpwd_file=str(file)), variables(adminpwd="env", adminname="root"))
    assert loaded.name == "root"
    assert loaded.password_hash.reveal().startswith("$2b$")


@pytest.mark.parametrize(("mode", "warnings"), [(0o640, 0), (0o644, 1)])
def test_a_password_file_that_every_user_may_read_is_gets_a_warning(tmp_path, mode, warnings):
    file = tmp_path / "pw"
    file.write_text("flag\n")
    file.chmod(mode)
    for layers in ((flags(adminpwd_file=str(file)), {}), ({}, {"adminpwd-file": Given("X", (str(file),))})):
        loaded = given_administrator(*layers).warnings
        assert [f"the password file {file}; use chmod o-r" in warning for warning in loaded] == [True] * warnings


def test_password_and_password_file_exclude_each_other():
    with pytest.raises(ConfigError, match="-adminpwd and -adminpwd-file exclude each other"):
        given_administrator(flags(adminpwd="a", adminpwd_file="b"), {})


def test_a_name_needs_a_password_and_a_right_form():
    with pytest.raises(ConfigError, match=r"^-adminname: the administrator needs a password"):
        given_administrator(flags(adminname="bob"), {})
    with pytest.raises(ConfigError, match=r"^-adminname: 'a:b' is not a user name"):
        given_administrator(flags(adminname="a:b", adminpwd="x"), {})
