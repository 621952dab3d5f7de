"""Everything that a bad network, an impatient client and a second writer can do to an upload session."""

from collections.abc import Callable, Mapping

from faults.sessions.talk import Lost, Part, Talk, Upload
from faults.wire import Answer


def drive(talk: Talk, upload: Upload) -> None:
    """Bring an upload to its end, whatever happened to it before.

    Raises: OSError when the registry is gone; the upload can be driven on once it is back.
    """
    try:
        if upload.uncertain:
            talk.settle(upload)
        while not upload.over:
            if not upload.location:
                start(talk, upload)
            elif upload.acts > 0:
                upload.acts -= 1
                act = upload.random.choice([act for act, least in ACTS.items() if upload.left >= least])
                talk.tally.acts[act.__name__] += 1
                act(talk, upload)
            else:
                finish(talk, upload)
    except Lost:
        talk.hang_up()
        upload.over = True
    except OSError:
        talk.broke = True
        talk.hang_up()
        raise


def start(talk: Talk, upload: Upload) -> None:
    """Open a session."""
    answer = talk.ask(upload, "POST", f"/v2/{upload.repository}/blobs/uploads/")
    talk.require(upload, answer, 202, "a start")
    talk.follow(upload, answer)


def append(talk: Talk, upload: Upload) -> None:
    """Send the next chunk."""
    part = Part("PATCH", upload.some(), named=upload.random.random() < 0.7)
    talk.received(upload, talk.ask_part(upload, part), part.size, "the next chunk")


def look(talk: Talk, upload: Upload) -> None:
    """Ask how far it is."""
    talk.look(upload)


def skip(talk: Talk, upload: Upload) -> None:
    """Send a chunk that begins further on."""
    start = upload.acknowledged + upload.random.randint(1, 1000)
    _misplaced(talk, upload, start, "a chunk too far on")


def repeat(talk: Talk, upload: Upload) -> None:
    """Send a chunk that begins in what was acknowledged."""
    if upload.acknowledged:
        _misplaced(talk, upload, upload.random.randrange(upload.acknowledged), "a repeated chunk")


def close_misplaced(talk: Talk, upload: Upload) -> None:
    """Close it with a last chunk that begins further on: a refusal, and the session is as it was."""
    start = upload.acknowledged + upload.random.randint(1, 1000)
    _misplaced(talk, upload, start, "a last chunk too far on", method="PUT", query=f"digest={upload.digest}")


def two_patches(talk: Talk, upload: Upload) -> None:
    """Send two next chunks at once: one of them wins."""
    what = "two chunks at once"
    parts = [Part("PATCH", upload.some()), Part("PATCH", upload.some())]
    answers = talk.at_once(upload, *parts)
    winner = _winner(talk, upload, answers, (202, 202), what)
    talk.received(upload, answers[winner], parts[winner].size, what)
    talk.look(upload, what)


def patch_against_put(talk: Talk, upload: Upload) -> None:
    """Send a chunk, and close it with all that is left, at once: one of them wins."""
    what = "a chunk and the closing PUT at once"
    parts = Part("PATCH", upload.some()), Part("PUT", upload.left, f"digest={upload.digest}")
    answers = talk.at_once(upload, *parts)
    if _winner(talk, upload, answers, (202, 201), what) == 1:
        talk.over(upload)
        return
    talk.received(upload, answers[0], parts[0].size, what)
    talk.look(upload, what)


def put_against_delete(talk: Talk, upload: Upload) -> None:
    """Close and cancel it at once: one of them wins."""
    what = "the closing PUT and a DELETE at once"
    answers = talk.at_once(upload, Part("PUT", upload.left, f"digest={upload.digest}"), Part("DELETE", 0))
    if _winner(talk, upload, answers, (201, 204), what) == 0:
        talk.over(upload)
        return
    talk.gone(upload, what)
    upload.over = True
    talk.tally.cancelled += 1


def look_while_writing(talk: Talk, upload: Upload) -> None:
    """Ask how far it is while a chunk is on its way."""
    part = Part("PATCH", upload.some())
    cut = upload.cut(part.size)
    writer, reader = talk.wires(upload, 2)
    talk.send_part(upload, writer, part, cut=cut)
    looked: Answer | OSError
    try:
        looked = reader.ask("GET", upload.location)
    except OSError as error:
        looked = error
    upload.sent = upload.acknowledged + part.size
    writer.send_more(upload.next(part.size)[cut:])
    answer = writer.receive("PATCH")
    if isinstance(looked, OSError):
        raise looked  # only now: the chunk had to be sent first
    talk.require(upload, looked, 204, "a look while a chunk was on its way")
    talk.claimed(upload, looked, upload.acknowledged, upload.acknowledged + cut, "a look while a chunk was on its way")
    upload.uncertain = False
    talk.received(upload, answer, part.size, "a chunk whose session was read meanwhile")


def break_off(talk: Talk, upload: Upload) -> None:
    """Leave in the middle of a chunk that the registry has begun to read, and go on from where it says."""
    part = Part("PATCH", upload.some(), named=upload.random.random() < 0.7)
    cut = upload.cut(part.size)
    (wire,) = talk.wires(upload, 1)
    talk.send_part(upload, wire, part, cut=0, expect=True)
    if wire.begun():
        upload.sent = upload.acknowledged + cut
        wire.send_more(upload.next(part.size)[:cut])
        wire.close()
    else:
        talk.fault(upload, "a chunk was refused before it was read")
    talk.settle(upload)


def wrong_digest(talk: Talk, upload: Upload) -> None:
    """Close it with the digest of something else: it ends without a blob."""
    wrong = f"digest={'sha256:' + '0' * 64}"
    answer = talk.ask_part(upload, Part("PUT", upload.left, wrong))
    talk.require(upload, answer, 400, "a wrong digest")
    talk.refused(upload, answer, "a wrong digest")
    talk.gone(upload, "a wrong digest")
    upload.forget_session()


def finish(talk: Talk, upload: Upload) -> None:
    """Close it with what is left, perhaps after a last chunk."""
    if upload.left and upload.random.random() < 0.5:
        part = Part("PATCH", upload.left)
        talk.received(upload, talk.ask_part(upload, part), part.size, "the last chunk")
    answer = talk.ask_part(upload, Part("PUT", upload.left, f"digest={upload.digest}"))
    talk.require(upload, answer, 201, "the closing PUT")
    talk.over(upload)


def _misplaced(talk: Talk, upload: Upload, start: int, what: str, *, method: str = "PATCH", query: str = "") -> None:
    """Send a chunk that begins where it should not, and see that it is refused with the truth and changes nothing."""
    size = upload.random.randint(1, 1000)
    path = upload.location
    if query:
        path += f"{'&' if '?' in path else '?'}{query}"
    headers = {"Content-Range": f"{start}-{start + size - 1}", "Content-Type": "application/octet-stream"}
    answer = talk.ask(upload, method, path, bytes(size), headers)
    talk.require(upload, answer, 416, what)
    talk.claimed(upload, answer, upload.acknowledged, upload.acknowledged, what)
    talk.look(upload, what)


def _winner(talk: Talk, upload: Upload, answers: tuple[Answer, Answer], due: tuple[int, int], what: str) -> int:
    """Return which of two requests won; the other must have been refused.

    Raises: Lost.
    """
    won = [answer.status == status for answer, status in zip(answers, due, strict=True)]
    if won[0] == won[1]:
        talk.fault(upload, f"{what} were answered {answers[0].status} and {answers[1].status}")
        raise Lost
    winner = won.index(True)
    talk.refused(upload, answers[1 - winner], f"the loser of {what}")
    return winner


ACTS: Mapping[Callable[[Talk, Upload], None], int] = {
    append: 1,
    look: 0,
    skip: 0,
    repeat: 0,
    close_misplaced: 0,
    two_patches: 1,
    patch_against_put: 1,
    put_against_delete: 0,
    look_while_writing: 1,
    break_off: 1,
    wrong_digest: 0,
}
"""What may be done, and how many bytes must be left for it."""
