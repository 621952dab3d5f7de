"""Settings from flags, variables and `Configuration` documents, and every way to get them wrong."""

import ipaddress
from pathlib import Path

import pytest

from simple_registry.config.configuration import Given, configuration_of, settings_of
from simple_registry.config.load import read_documents
from simple_registry.config.settings import AllowMissing, ChallengeMode, LogLevel, Settings, Tls, Web
from simple_registry.config.values import ConfigError, Secret, TcpAddress, UnixAddress


def flags(**options):
    return {name.replace("_", "-"): Given(f"-{name.replace('_', '-')}", given(text)) for name, text in options.items()}


def variables(**options):
    return {name: Given(f"SIMPLE_REGISTRY_{name.upper()}", given(text)) for name, text in options.items()}


def given(text):
    return (text,) if isinstance(text, str) else text


def settings(flags=None, environment=None, directories=()):
    configuration = configuration_of(read_documents(directories))
    return settings_of(configuration, flags or {}, environment or {}, config_dirs=tuple(directories))


def configuration(directory, spec, name="main", file="main.yaml"):
    path = directory / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"kind: Configuration\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    return path


def from_file(directory):
    return settings({}, {}, [directory])


def test_nothing_given_means_defaults():
    assert settings() == Settings()


def test_flag_beats_environment_beats_file_beats_default(tmp_path):
    configuration(tmp_path, "{web: {addr: 'file:1'}, log: {level: error}, dataDir: /file}")
    environment = variables(addr="env:2", datadir="/env")
    loaded = settings(flags(addr="flag:3"), environment, [tmp_path])
    assert loaded.addr == (TcpAddress("flag", 3),)
    assert loaded.data_dir == Path("/env")
    assert loaded.log_level is LogLevel.ERROR
    assert loaded.limits == Settings().limits
    assert loaded.config_dirs == (tmp_path,)


def test_several_addresses_are_a_list_in_a_file_and_repeated_in_an_option(tmp_path):
    configuration(tmp_path, "{web: {addr: ['a:1', 'unix:r.sock,mode=0600']}}")
    assert from_file(tmp_path).addr == (TcpAddress("a", 1), UnixAddress(tmp_path / "r.sock", 0o600))
    assert settings(flags(addr=("a:1", "b:2"))).addr == (TcpAddress("a", 1), TcpAddress("b", 2))


def test_no_address_at_all_is_refused(tmp_path):
    configuration(tmp_path, "{web: {addr: []}}")
    with pytest.raises(ConfigError, match=r"spec\.web\.addr is empty; name at least one"):
        from_file(tmp_path)


def test_a_wrong_value_is_named_by_where_it_was_given(tmp_path):
    with pytest.raises(ConfigError, match=r"^-addr: 'x' is not an address"):
        settings(flags(addr="x"))
    with pytest.raises(ConfigError, match=r"^SIMPLE_REGISTRY_ADDR: 'x' is not an address"):
        settings({}, variables(addr="x"))
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
        settings(flags(cert="c"))
    with pytest.raises(ConfigError, match="has no certificate; give it with -cert"):
        settings({}, variables(key="k"))
    assert settings(flags(cert="c"), variables(key="k")).tls == Tls(Path("c"), Path("k"))


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
        ("{web: {gui: true}}", "spec.web.gui is not a known field"),
        ("{web: {externalURL: x}}", "spec.web.externalURL is wrong: 'x' is not the URL of a host"),
        ("{web: {trustedProxies: 10.0.0.0/8}}", "spec.web.trustedProxies must be a list, not a value"),
        ("{web: {trustedProxies: ['::1', x]}}", "spec.web.trustedProxies[1] is wrong: 'x' is not a network"),
        ("{web: {tokenTimeout: 25h}}", "spec.web.tokenTimeout is wrong: '25h' is too long"),
        ("{web: {challenge: digest}}", "'digest' is not accepted; known here: auto, basic, bearer"),
        ("{web: []}", "spec.web must be a mapping"),
        ("{web: {addr: null}}", "spec.web.addr must be text, not nothing"),
        ("{web: {addr: {}}}", "spec.web.addr must be text, not a mapping"),
        ("{log: {level: loud}}", "spec.log.level is wrong: 'loud' is not accepted"),
        ("{dataDir: ''}", "is not a path"),
    ],
)
def test_an_invalid_configuration_is_refused(tmp_path, spec, says):
    configuration(tmp_path, spec)
    with pytest.raises(ConfigError, match=r"main.yaml:3: ") as refused:
        from_file(tmp_path)
    assert says in str(refused.value)


def test_a_document_without_spec_sets_nothing(tmp_path):
    (tmp_path / "x.yaml").write_text("kind: Configuration\nmetadata: {name: x}\n")
    assert from_file(tmp_path).limits == Settings().limits
