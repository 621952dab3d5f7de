import sys
import tomllib

import pytest

from bench.subjects import HERE, ZOT, basic, described, entrants

PEERS = f"""
[[peer]]
name = "one"
command = "{sys.executable} -c pass {{address}} {{folder}}/config {{data}}"
user = "me:secret:word"
[peer.files]
"config" = "port = {{port}}, data = {{data}}, {{{{}}}}"

[[peer]]
name = "not installed"
command = "no-such-program-anywhere"
"""


def test_a_peer_starts_with_the_command_and_files_of_its_description(tmp_path):
    (peer,) = described(PEERS)
    command = peer.subject.command(tmp_path, tmp_path / "data", "127.0.0.1:1234")

    assert list(command.arguments)[3:] == ["127.0.0.1:1234", f"{tmp_path}/config", f"{tmp_path}/data"]
    assert (tmp_path / "config").read_text() == f"port = 1234, data = {tmp_path}/data, {{}}"


def test_a_peer_can_have_credentials():
    assert described(PEERS)[0].authorization == basic("me", "secret:word")


def test_a_missing_peer_is_left_out():
    assert [peer.name for peer in described(PEERS)] == ["one"]


def test_the_described_peers_are_valid_and_this_registry_is_first(monkeypatch):
    monkeypatch.setattr("harness.subjects.peers", list)

    assert entrants()[0].name == "simple-registry"


def test_zot_has_the_name_of_its_goals():
    assert ZOT in {peer["name"] for peer in tomllib.loads((HERE / "peers.toml").read_text())["peer"]}


def test_a_checkout_starts_with_its_own_interpreter_and_our_options(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.subjects.peers", list)
    program = tmp_path / "checkout/.venv/bin/python"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)

    ours, before = entrants(tmp_path / "checkout")[:2]
    theirs, own = (
        list(entrant.subject.command(tmp_path, tmp_path / "data", "127.0.0.1:1234").arguments)
        for entrant in (before, ours)
    )

    assert before.name == "before"
    assert theirs == [str(program), *own[1:]]
    assert before.authorization == ours.authorization


def test_the_error_for_a_checkout_without_an_environment_has_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"make -C .* \.venv/\.runtime"):
        entrants(tmp_path)
