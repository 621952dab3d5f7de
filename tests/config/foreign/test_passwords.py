"""Password files: bcrypt hashes are kept, all others have a remark."""

import pytest

from simple_registry.config.foreign.passwords import read_passwords
from simple_registry.config.values import ConfigError

BCRYPT = "$2y$05$" + "a" * 21 + "e" + "b" * 31


@pytest.fixture
def read(tmp_path):
    def call(text):
        (tmp_path / "htpasswd").write_text(text)
        return read_passwords(tmp_path / "htpasswd")

    return call


def test_bcrypt_hashes_are_kept(read):
    found = read(f"# people\n\nalice:{BCRYPT}\n  bob:{BCRYPT}  \n")
    assert {name: each.hash for name, each in found.users.items()} == {"alice": BCRYPT, "bob": BCRYPT}
    assert found.remarks == ()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("$apr1$x$y", "MD5 hash (apr1)"),
        ("$1$x$y", "an MD5 hash"),
        ("$5$x$y", "SHA-256"),
        ("$6$x$y", "SHA-512"),
        ("{SHA}x", "SHA-1"),
        ("$2y$05$short", "malformed bcrypt"),
        ("secret", "old crypt, or a password in clear"),
    ],
)
def test_another_hash_leaves_a_user_without_a_password(read, given, kind):
    alice = read(f"alice:{given}\n").users["alice"]
    assert alice.hash is None
    assert kind in alice.remark
    assert "genhash" in alice.remark
    assert given not in alice.remark


def test_the_last_line_of_a_user_counts(read):
    found = read(f"alice:$apr1$x$y\nalice:{BCRYPT}\n")
    assert found.users["alice"].hash == BCRYPT
    assert "htpasswd:2: another line of the user 'alice'" in found.remarks[0]


def test_a_name_that_cannot_be_a_user_is_left_out(read):
    found = read(f"anonymous:{BCRYPT}\n")
    assert not found.users
    assert "htpasswd:1: 'anonymous' is not a user name" in found.remarks[0]


@pytest.mark.parametrize(("content", "reason"), [(b"alice\n", "user:hash"), (b"\xff:x\n", "not UTF-8")])
def test_another_file_is_refused(tmp_path, content, reason):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        read_passwords(tmp_path / "file")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        read_passwords(tmp_path / "absent")
