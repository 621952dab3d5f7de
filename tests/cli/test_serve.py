import logging
from pathlib import Path

import pytest

from simple_registry.access.passwords import hash_password
from simple_registry.cli.first_run import FILE_NAME
from simple_registry.cli.options import CommandLine
from simple_registry.cli.serve import _url, _with_users, read_configuration, warn
from simple_registry.config.configuration import Given
from simple_registry.config.followed import Followed
from simple_registry.config.load import Configured, follow_documents
from simple_registry.config.settings import Settings, Tls
from simple_registry.config.tls import Certificate
from simple_registry.config.values import ConfigError, TcpAddress, UnixAddress
from simple_registry.server.listeners import Listeners

CERTIFICATE = Certificate(b"", b"")


def configured(settings, certificate=None):
    followed = Followed(lambda _: certificate, lambda: None) if certificate else None
    return Configured(settings, follow_documents((), None), followed)


@pytest.mark.parametrize(
    ("addr", "certificate", "warned"),
    [
        (TcpAddress("0.0.0.0", 5000), None, True),
        (TcpAddress("", 5000), None, True),
        (TcpAddress("192.0.2.1", 5000), None, True),
        (TcpAddress("registry.lan", 5000), None, True),
        (TcpAddress("::", 5000), None, True),
        (TcpAddress("0.0.0.0", 5000), CERTIFICATE, False),
        (TcpAddress("127.0.0.1", 5000), None, False),
        (TcpAddress("127.9.9.9", 5000), None, False),
        (TcpAddress("::1", 5000), None, False),
        (TcpAddress("localhost", 5000), None, False),
        (UnixAddress(Path("/run/r.sock")), None, False),
    ],
)
def test_unencrypted_passwords_get_a_warning(caplog, addr, certificate, warned):
    with caplog.at_level(logging.WARNING, "simple_registry"):
        warn(configured(Settings(addr=(UnixAddress(Path("/run/s")), addr)), certificate))
    assert ("travel unencrypted" in caplog.text) is warned


def test_warnings_about_a_certificate_are_logged(caplog):
    with caplog.at_level(logging.WARNING, "simple_registry"):
        warn(configured(Settings(tls=Tls(Path("c"), Path("k"))), Certificate(b"", b"", ("it is odd",))))
    assert caplog.messages == ["it is odd"]


def test_configuration_warnings_are_logged_once(tmp_path, caplog):
    (tmp_path / "a.yaml").write_text(
        "kind: User\nmetadata: {name: bob}\n---\nkind: Token\nmetadata: {name: t}\n"
        f"spec: {{username: bob, valueHash: '{'0' * 64}'}}\n---\n"
        "kind: Configuration\nmetadata: {name: c}\nspec: {web: {tokenTimeout: 5s}}\n"
    )
    read = read_configuration(CommandLine(config_dirs=(tmp_path,)))
    assert caplog.records == []
    with caplog.at_level(logging.WARNING, "simple_registry"):
        warn(read)
    assert caplog.text.count(f"{tmp_path}/a.yaml:4: the Token 't' never expires") == 1
    assert caplog.text.count(f"{tmp_path}/a.yaml:10: spec.web.tokenTimeout is 5s") == 1


ANONYMOUS = "kind: User\nmetadata: {name: anonymous}\n---\n"
SETTINGS = "kind: Configuration\nmetadata: {name: c}\nspec: {web: {%s}}\n"


@pytest.mark.parametrize(
    ("documents", "warned"),
    [
        ("", False),
        (ANONYMOUS, True),
        (SETTINGS % "challenge: bearer", True),
        (ANONYMOUS + SETTINGS % "challenge: basic", False),
        (SETTINGS % "challenge: bearer, trustedProxies: [unix]", False),
        (ANONYMOUS + SETTINGS % "externalURL: 'http://registry:5000'", False),
    ],
)
def test_challenges_without_a_url_of_tokens_get_a_warning(tmp_path, documents, warned):
    (tmp_path / "a.yaml").write_text(documents)
    warnings = read_configuration(CommandLine(config_dirs=(tmp_path,))).settings.warnings
    assert any("are asked for Basic credentials" in warning for warning in warnings) is warned


def test_documents_that_do_not_load_are_not_read(tmp_path):
    (tmp_path / "a.yaml").write_text("kind: User\nmetadata: {name: 'a:b'}\n")
    with pytest.raises(ConfigError, match=r"a.yaml:1: 'a:b' is not a user name"):
        read_configuration(CommandLine(config_dirs=(tmp_path,)))


@pytest.mark.parametrize(
    ("authority", "url"),
    [
        ("0.0.0.0:5000", "http://localhost:5000"),
        ("[::]:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("registry.lan:80", "http://registry.lan:80"),
    ],
)
def test_the_address_that_is_shown_can_be_used(authority, url):
    assert _url(configured(Settings()), Listeners((), (authority,))) == url


def test_without_users_there_is_the_administrator_of_the_first_start(tmp_path, capsys):
    started = _with_users(read_configuration(CommandLine()), tmp_path, "http://localhost:5000")
    assert set(started.documents.value.rules.users) == {"admin"}
    assert "password" in capsys.readouterr().err
    again = _with_users(read_configuration(CommandLine(), started), tmp_path, "http://localhost:5000")
    assert set(again.documents.value.rules.users) == {"admin"}
    assert capsys.readouterr().err == ""


ISSUER = "kind: TokenIssuer\nmetadata: {name: ci}\nspec: {issuer: https://ci, audience: r, keys: {jwksFile: k}}\n"


@pytest.mark.parametrize("document", ["kind: User\nmetadata: {name: bob}\n", ISSUER])
def test_documents_with_users_replace_the_first_administrator(tmp_path, document):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(document)
    read = read_configuration(CommandLine(config_dirs=(tmp_path / "rules",)))
    assert _with_users(read, tmp_path, "http://localhost:5000") is read
    assert not (tmp_path / FILE_NAME).exists()


def test_the_anonymous_user_leaves_the_administrator_of_the_first_start(tmp_path, capsys):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text("kind: User\nmetadata: {name: anonymous}\n")
    read = read_configuration(CommandLine(config_dirs=(tmp_path / "rules",)))
    started = _with_users(read, tmp_path, "http://localhost:5000")
    assert set(started.documents.value.rules.users) == {"admin", "anonymous"}
    assert not started.documents.value.named_users
    assert "password" in capsys.readouterr().err


def test_a_configured_administrator_is_unchanged(tmp_path):
    read = read_configuration(CommandLine(flags={"adminpwd": Given("-adminpwd", (hash_password("x", 4),))}))
    assert _with_users(read, tmp_path, "http://localhost:5000") is read
    assert list(tmp_path.iterdir()) == []
