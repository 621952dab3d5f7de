import ipaddress
import os
from pathlib import Path

import pytest

from simple_registry.access.challenge_mode import ChallengeMode
from simple_registry.config.load import LATER_KINDS, Given, document_files, examine_access, load_settings
from simple_registry.config.settings import AllowMissing, LogLevel, Settings, Tls, Web
from simple_registry.config.values import ConfigError, Secret, TcpAddress, UnixAddress


def flags(**options):
    return {name.replace("_", "-"): Given(text, f"-{name.replace('_', '-')}") for name, text in options.items()}


def variables(**options):
    return {name: Given(text, f"SIMPLE_REGISTRY_{name.upper()}") for name, text in options.items()}


def configuration(directory, spec, name="main", file="main.yaml"):
    path = directory / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"kind: Configuration\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    return path


def from_file(directory):
    return load_settings({}, {}, [directory])


def test_nothing_given_means_defaults():
    assert load_settings({}, {}, []) == Settings()


def test_flag_beats_environment_beats_file_beats_default(tmp_path):
    configuration(tmp_path, "{web: {addr: 'file:1'}, log: {level: error}, dataDir: /file}")
    environment = variables(addr="env:2", datadir="/env")
    loaded = load_settings(flags(addr="flag:3"), environment, [tmp_path])
    assert loaded.addr == (TcpAddress("flag", 3),)
    assert loaded.data_dir == Path("/env")
    assert loaded.log_level is LogLevel.ERROR
    assert loaded.limits == Settings().limits
    assert loaded.config_dirs == (tmp_path,)


def test_several_addresses_are_a_list_in_a_file_and_repeated_in_an_option(tmp_path):
    configuration(tmp_path, "{web: {addr: ['a:1', 'unix:r.sock,mode=0600']}}")
    assert from_file(tmp_path).addr == (TcpAddress("a", 1), UnixAddress(tmp_path / "r.sock", 0o600))
    assert load_settings(flags(addr="a:1\nb:2"), {}, []).addr == (TcpAddress("a", 1), TcpAddress("b", 2))


def test_no_address_at_all_is_refused(tmp_path):
    configuration(tmp_path, "{web: {addr: []}}")
    with pytest.raises(ConfigError, match=r"spec\.web\.addr is empty; name at least one"):
        from_file(tmp_path)


def test_a_wrong_value_is_named_by_where_it_was_given(tmp_path):
    with pytest.raises(ConfigError, match=r"^-addr: 'x' is not an address"):
        load_settings(flags(addr="x"), {}, [])
    with pytest.raises(ConfigError, match=r"^SIMPLE_REGISTRY_ADDR: 'x' is not an address"):
        load_settings({}, variables(addr="x"), [])
    path = configuration(tmp_path, "\n  web:\n    addr: x")
    with pytest.raises(ConfigError, match=rf"^{path}:5: spec.web.addr is wrong: 'x' is not an address"):
        from_file(tmp_path)


def test_relative_paths_of_a_file_are_relative_to_it(tmp_path):
    configuration(
        tmp_path, "{dataDir: d, web: {addr: 'unix:r.sock', certfile: c.pem, keyfile: /k.pem}}", file="sub/a.yml"
    )
    loaded = from_file(tmp_path)
    assert loaded.data_dir == tmp_path / "sub/d"
    assert loaded.addr == (UnixAddress(tmp_path / "sub/r.sock"),)
    assert loaded.tls == Tls(tmp_path / "sub/c.pem", Path("/k.pem"))


def test_web_settings_are_read_and_short_lived_tokens_warned_about(tmp_path):
    path = configuration(
        tmp_path,
        """
  web:
    externalURL: https://registry.example/
    tokenSecret: 0123456789abcdef0123456789abcdef
    tokenTimeout: 20s
    challenge: bearer
    trustedProxies: [10.0.0.0/8, '::1']
""",
    )
    loaded = from_file(tmp_path)
    assert loaded.web == Web(
        external_url="https://registry.example",
        token_secret=Secret("0123456789abcdef0123456789abcdef"),
        token_timeout=60,
        challenge=ChallengeMode.BEARER,
        trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")),
    )
    (warning,) = loaded.warnings
    assert warning.startswith(f"{path}:7: spec.web.tokenTimeout is 20s, but clients take")


def test_a_secret_is_never_shown(tmp_path):
    configuration(tmp_path, "{web: {tokenSecret: short-secret}}")
    with pytest.raises(ConfigError, match="tokenSecret is wrong: a secret has at least 32") as refused:
        from_file(tmp_path)
    assert "short-secret" not in str(refused.value)
    configuration(tmp_path, "{web: {tokenSecret: first-secret-of-ours-0123456789abcdef}}")
    configuration(tmp_path, "{web: {tokenSecret: second-secret-of-ours-0123456789abcdef}}", "other", "other.yaml")
    with pytest.raises(ConfigError, match="tokenSecret is set differently at") as refused:
        from_file(tmp_path)
    assert "secret-of-ours" not in str(refused.value)
    configuration(tmp_path, "{web: {tokenSecret: first-secret-of-ours-0123456789abcdef}}", "other", "other.yaml")
    assert "secret-of-ours" not in repr(from_file(tmp_path))


def test_a_certificate_and_a_key_need_each_other(tmp_path):
    with pytest.raises(ConfigError, match="has no private key; give it with -key"):
        load_settings(flags(cert="c"), {}, [])
    with pytest.raises(ConfigError, match="has no certificate; give it with -cert"):
        load_settings({}, variables(key="k"), [])
    assert load_settings(flags(cert="c"), variables(key="k"), []).tls == Tls(Path("c"), Path("k"))


def test_documents_merge_and_contradictions_name_both_places(tmp_path):
    first = configuration(tmp_path, "{limits: {sessions: 5}, manifests: {allowMissing: all}}", "a", "a.yaml")
    second = configuration(tmp_path, "{limits: {sessions: 5, manifestSize: 1MiB}}", "b", "b.yaml")
    loaded = from_file(tmp_path)
    assert (loaded.limits.sessions, loaded.limits.manifest_size, loaded.allow_missing) == (5, 1 << 20, AllowMissing.ALL)
    configuration(tmp_path, "{limits: {sessions: 6}}", "b", "b.yaml")
    with pytest.raises(ConfigError, match=rf"^{second}:3: limits.sessions is set differently at {first}:3"):
        from_file(tmp_path)


def test_two_documents_of_one_name_are_refused(tmp_path):
    configuration(tmp_path, "{}", "a", "a.yaml")
    configuration(tmp_path, "{}", "a", "b.yaml")
    with pytest.raises(ConfigError, match="is there twice"):
        from_file(tmp_path)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{web: {adr: x}}", "spec.web.adr is not a known field; did you mean 'addr'?"),
        ("{limit: {}}", "spec.limit is not a known field; did you mean 'limits'?"),
        ("{limits: {headertimeout: 3s}}", "did you mean 'headerTimeout'?"),
        ("{web: {ui: true}}", "spec.web.ui is not supported by this version"),
        ("{garbageCollection: {deleteUntagged: 7d}}", "garbageCollection.deleteUntagged is not supported by this"),
        ("{web: {externalURL: x}}", "spec.web.externalURL is wrong: 'x' is not the URL of a host"),
        ("{web: {trustedProxies: 10.0.0.0/8}}", "spec.web.trustedProxies must be a list, not a value"),
        ("{web: {trustedProxies: ['::1', x]}}", "spec.web.trustedProxies[1] is wrong: 'x' is not a network"),
        ("{web: {tokenTimeout: 25h}}", "spec.web.tokenTimeout is wrong: '25h' is too long"),
        ("{web: {challenge: digest}}", "'digest' is not one of auto, basic, bearer"),
        ("{storage: {}}", "spec.storage is not supported by this version"),
        ("{web: []}", "spec.web must be a mapping"),
        ("{web: {addr: null}}", "spec.web.addr must be text, not nothing"),
        ("{web: {addr: {}}}", "spec.web.addr must be text, not a mapping"),
        ("{log: {level: loud}}", "spec.log.level is wrong: 'loud' is not one of"),
        ("{dataDir: ''}", "is not a path"),
    ],
)
def test_what_a_file_may_not_say_is_refused(tmp_path, spec, says):
    configuration(tmp_path, spec)
    with pytest.raises(ConfigError, match=r"main.yaml:3: ") as refused:
        from_file(tmp_path)
    assert says in str(refused.value)


@pytest.mark.parametrize("kind", LATER_KINDS)
def test_kinds_of_later_versions_are_refused_by_name(tmp_path, kind):
    (tmp_path / "x.yaml").write_text(f"kind: {kind}\nmetadata: {{name: x}}\n")
    with pytest.raises(ConfigError, match=f"documents of kind {kind} come with a later version"):
        from_file(tmp_path)


def test_unknown_kinds_are_refused_with_the_nearest(tmp_path):
    (tmp_path / "x.yaml").write_text("kind: Usr\nmetadata: {name: x}\n")
    with pytest.raises(ConfigError, match="'Usr' is not a known kind; did you mean 'User'"):
        from_file(tmp_path)


def test_a_document_without_spec_sets_nothing(tmp_path):
    (tmp_path / "x.yaml").write_text("kind: Configuration\nmetadata: {name: x}\n")
    assert from_file(tmp_path).limits == Settings().limits


def test_directories_are_walked_without_hidden_things_and_loops(tmp_path):
    for name in ("b.yaml", "a.yml", "sub/c.yaml", ".hidden.yaml", "..data/d.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    (tmp_path / "linked.yaml").symlink_to(tmp_path / "..data/d.yaml")
    found = [str(path.relative_to(tmp_path)) for path in document_files([tmp_path, tmp_path / "sub"])]
    assert found == ["a.yml", "b.yaml", "linked.yaml", "sub/c.yaml"]


def test_a_directory_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^-cfgdir .*absent: this directory does not exist$"):
        from_file(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^-cfgdir .*file: this is not a directory$"):
        from_file(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"^-cfgdir .*: Not a directory$"):
        from_file(tmp_path / "file" / "below")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match=r"^-cfgdir .*loop: Too many levels of symbolic links$"):
        from_file(tmp_path / "loop")


def test_a_document_that_is_a_link_to_itself_is_refused_in_one_line(tmp_path):
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    with pytest.raises(ConfigError, match=r"loop\.yaml.*Too many levels of symbolic links"):
        from_file(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_directory_is_named(tmp_path):
    tmp_path.chmod(0)
    with pytest.raises(ConfigError, match="cannot read the directory"):
        from_file(tmp_path)


def test_the_password_of_a_later_layer_is_not_asked_for(tmp_path):
    file = tmp_path / "pw"
    file.write_text("flag\n")
    loaded = load_settings(flags(adminpwd_file=str(file)), variables(adminpwd="env", adminname="root"), [])
    assert loaded.administrator.name == "root"
    assert loaded.administrator.password_hash.reveal().startswith("$2b$")


@pytest.mark.parametrize(("mode", "warnings"), [(0o640, 0), (0o644, 1)])
def test_a_password_file_that_every_user_may_read_is_warned_of(tmp_path, mode, warnings):
    file = tmp_path / "pw"
    file.write_text("flag\n")
    file.chmod(mode)
    for layers in ((flags(adminpwd_file=str(file)), {}), ({}, {"adminpwd-file": Given(str(file), "X")})):
        loaded = load_settings(*layers, []).warnings
        assert [f"the password file {file}; use chmod o-r" in warning for warning in loaded] == [True] * warnings


TOKEN = "kind: Token\nmetadata: {{name: t}}\nspec: {{username: ada, expiresAt: 2999-01-01T00:00:00Z, {}}}\n"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (
            "kind: Configuration\nmetadata: {name: c}\nspec: {web: {tokenSecret: 0123456789abcdef0123456789abcdef}}\n",
            True,
        ),
        ("kind: Configuration\nmetadata: {name: c}\nspec: {web: {challenge: basic}}\n", False),
        (TOKEN.format("value: 0123456789abcdef0123456789abcdef"), True),
        (TOKEN.format(f"valueHash: {'ab' * 32}"), False),
    ],
)
def test_a_document_with_a_secret_that_every_user_may_read_is_warned_of(tmp_path, text, secret):
    file = tmp_path / "a.yaml"
    file.write_text(f"kind: User\nmetadata: {{name: ada}}\n---\n{text}")
    for mode, warned in ((0o640, False), (0o644, secret)):
        file.chmod(mode)
        found = [each for each in examine_access([tmp_path], None, 0.0).warnings if "chmod" in each]
        assert found == [f"every user of this machine may read the secret in {file}; use chmod o-r"] * warned
        assert "0123456789" not in "".join(found)


def test_password_and_password_file_exclude_each_other():
    with pytest.raises(ConfigError, match="-adminpwd and -adminpwd-file exclude each other"):
        load_settings(flags(adminpwd="a", adminpwd_file="b"), {}, [])


def test_a_name_needs_a_password_and_a_right_form():
    with pytest.raises(ConfigError, match=r"^-adminname: the administrator needs a password"):
        load_settings(flags(adminname="bob"), {}, [])
    with pytest.raises(ConfigError, match=r"^-adminname: 'a:b' is not a user name"):
        load_settings(flags(adminname="a:b", adminpwd="x"), {}, [])
