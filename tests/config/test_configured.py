from simple_registry.config.configured import follow_documents
from simple_registry.config.followed import Look

USER = "kind: User\nmetadata: {name: bob}\n"


def test_documents_come_after_those_that_were_in_force_before(tmp_path):
    (tmp_path / "a.yaml").write_text(USER)
    before = follow_documents((tmp_path,), None)
    (tmp_path / "a.yaml").write_text("kind: Role\nmetadata: {name: r}\nspec: {resources: ['*'], verbs: [pull]}\n")
    after = follow_documents((tmp_path,), None, before)
    assert after.value.named_anybody
    assert not follow_documents((tmp_path,), None).value.named_anybody
    (tmp_path / "a.yaml").write_text(USER)
    assert [after.look(), after.look()] == [Look.NOTHING, Look.TAKEN]


def test_the_digest_is_that_of_all_files_one_after_the_other(tmp_path):
    (tmp_path / "a.yaml").write_text(USER)
    (tmp_path / "b.yml").write_text("")
    documents = follow_documents((tmp_path,), None).value
    assert documents.digest == "sha256:2889cafac4618c417d424f3677d7d72883dcfd8d9277d3a0a5fd2b96391fb3d1"
