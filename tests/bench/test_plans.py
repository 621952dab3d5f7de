import json

from bench.plans import Step, Way, blob_push, digest_of, filled, image_push, write

TEXT, SIZE = "n-1-", 1000


def test_a_line_has_all_fields_of_the_player():
    step = Step("PUT", "/v2/a", 201, ends=True, kind="text/plain", content_range="0-9", size=10, text="abc")

    assert step.line() == "PUT\t/v2/a\t201\t1\ttext/plain\t0-9\t10\tabc\n"


def test_the_text_is_padded_to_the_size():
    assert filled("ab", 4) == b"abxx"


def test_a_push_ends_with_the_digest_of_its_content():
    for way in Way:
        last = list(blob_push("r", TEXT, SIZE, way))[-1]

        assert last.path.endswith(f"digest={digest_of(filled(TEXT, SIZE))}")
        assert (last.status, last.ends) == (201, True)


def test_chunks_cover_the_content_in_order():
    chunks = [step for step in blob_push("r", TEXT, SIZE, Way.CHUNKS) if step.method == "PATCH"]

    assert [step.content_range for step in chunks] == ["0-499", "500-999"]
    assert b"".join(filled(step.text, step.size) for step in chunks) == filled(TEXT, SIZE)


def test_only_the_manifest_ends_an_image_and_it_names_the_pushed_blobs():
    steps = list(image_push("r", "image", (30, 20)))
    pushed = {step.path.partition("digest=")[2] for step in steps if step.method == "PUT"} - {""}
    manifest = json.loads(steps[-1].text)

    assert [step.ends for step in steps] == [False] * (len(steps) - 1) + [True]
    assert {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])} == pushed


def test_every_thread_has_its_own_file(tmp_path):
    write(tmp_path / "plan", 2, lambda thread: iter([Step("GET", f"/{thread}", 200)]))

    assert (tmp_path / "plan.0").read_text().startswith("GET\t/0\t")
    assert (tmp_path / "plan.1").read_text().startswith("GET\t/1\t")
