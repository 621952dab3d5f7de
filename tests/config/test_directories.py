import os

import pytest

from simple_registry.config.directories import document_files, signature
from simple_registry.config.values import ConfigError


def test_the_same_files_have_the_same_signature_and_are_not_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / "a.yaml").chmod(0)
    assert signature([tmp_path]) == signature([tmp_path])


def changes(directory, act):
    before = signature([directory])
    act()
    return signature([directory]) != before


def test_writing_adding_removing_and_renaming_are_seen(tmp_path):
    file = tmp_path / "sub/a.yaml"
    file.parent.mkdir()
    assert changes(tmp_path, lambda: file.write_text("one"))
    assert changes(tmp_path, lambda: file.write_text("four"))
    assert changes(tmp_path, lambda: file.rename(tmp_path / "b.yaml"))
    assert changes(tmp_path, (tmp_path / "b.yaml").unlink)
    assert changes(tmp_path, file.parent.rmdir)


def test_a_renamed_file_is_detected_even_with_the_old_size_and_time(tmp_path):
    file, other = tmp_path / "a.yaml", tmp_path / "a.yaml~"
    file.write_text("one")
    status = file.stat()

    def save():
        other.write_text("two")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.rename(file)

    assert changes(tmp_path, save)


def test_a_swapped_symbolic_link_to_a_folder_is_seen(tmp_path):
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text("same")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")

    def swap():
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")

    assert changes(tmp_path, swap)


def test_other_files_may_change_all_the_time(tmp_path):
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / "audit.jsonl").touch()
    before = signature([tmp_path])
    (tmp_path / "audit.jsonl").write_text("more")
    (tmp_path / ".a.yaml.swp").write_text("b")
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/b.yaml").write_text("c")
    assert signature([tmp_path]) == before


def test_a_removed_directory_and_links_that_lead_up_end_the_walk(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    assert signature([tmp_path])
    assert signature([tmp_path / "absent"]) == ()
    (tmp_path / "dangling").symlink_to("nowhere")
    assert signature([tmp_path])


def test_several_directories_count_together(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both = signature([tmp_path / "a", tmp_path / "b"])
    assert both == signature([tmp_path / "b", tmp_path / "a", tmp_path / "a"])
    (tmp_path / "b/x.yaml").touch()
    assert signature([tmp_path / "a", tmp_path / "b"]) != both


def test_directories_are_walked_without_hidden_things_and_loops(tmp_path):
    for name in ("b.yaml", "a.yml", "sub/c.yaml", ".hidden.yaml", "..data/d.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    (tmp_path / "linked.yaml").symlink_to(tmp_path / "..data/d.yaml")
    found = [str(path.relative_to(tmp_path)) for path in document_files([tmp_path, tmp_path / "sub"])]
    assert found == ["a.yml", "b.yaml", "linked.yaml", "sub/c.yaml"]


def test_a_path_that_is_not_a_directory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^-cfgdir .*absent: this directory does not exist$"):
        document_files([tmp_path / "absent"])
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^-cfgdir .*file: this is not a directory$"):
        document_files([tmp_path / "file"])
    with pytest.raises(ConfigError, match=r"^-cfgdir .*: Not a directory$"):
        document_files([tmp_path / "file" / "below"])
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match=r"^-cfgdir .*loop: Too many levels of symbolic links$"):
        document_files([tmp_path / "loop"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_directory_is_named(tmp_path):
    tmp_path.chmod(0)
    with pytest.raises(ConfigError, match="cannot read the directory"):
        document_files([tmp_path])
