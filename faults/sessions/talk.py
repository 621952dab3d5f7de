"""What is known of an upload session, and what every answer about it must be.

    acknowledged ≤ what a `Range` claims ≤ sent

Acknowledged bytes survive kills and restarts, and bytes that never arrived are never claimed.
"""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from faults.wire import Answer, Wire

BUSY = 409
MAX_WAIT = 30.0
"""Seconds after which a session that is still busy with a request long gone counts as stuck."""
SMALL, LARGE = 20_000, 600_000
"""Most bytes of nine uploads of ten, and of the others."""
_NONE: Mapping[str, str] = {}


class Lost(Exception):
    """The session cannot be gone on with; what is wrong has been noted."""


@dataclass(slots=True)
class Tally:
    """What all sessions of a campaign came to."""

    requests: int = 0
    moved: int = 0
    """Requests that another process answered than the one before of the same session."""
    finished: int = 0
    cancelled: int = 0
    begun_anew: int = 0
    """Uploads whose session was gone after a closing request broke off."""
    acts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Upload:
    """A blob on its way, and what is known of its session."""

    seed: str
    repository: str
    content: bytes
    acts: int
    """How many things are done to the session before it is closed."""
    random: Random
    location: str = ""
    acknowledged: int = 0
    sent: int = 0
    """How many bytes the registry may have."""
    uncertain: bool = False
    """Whether a request broke off, so that it may have done what it was to do."""
    ending: bool = False
    """Whether that request would have ended the session."""
    over: bool = False
    last: Wire | None = None

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def blob(self) -> str:
        return f"/v2/{self.repository}/blobs/{self.digest}"

    @property
    def left(self) -> int:
        return len(self.content) - self.acknowledged

    def some(self) -> int:
        """Return how many of the bytes that are left to send."""
        return self.random.randint(1, self.left)

    def cut(self, size: int) -> int:
        """Return where to stop in a chunk: before its end, which is never sent by chance."""
        return self.random.randrange(size) if size else 0

    def next(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        return self.content[self.acknowledged : self.acknowledged + size]

    def forget_session(self) -> None:
        """Start over with the next request."""
        self.location, self.acknowledged, self.sent = "", 0, 0
        self.uncertain = self.ending = False


def new_upload(seed: str) -> Upload:
    """Return an upload that depends on nothing but its seed."""
    random = Random(seed)
    size = random.randint(2, LARGE if random.random() < 0.1 else SMALL)
    return Upload(seed, f"r{random.randint(0, 9)}", random.randbytes(size), random.randint(1, 6), random)


@dataclass(frozen=True, slots=True)
class Part:
    """A request about a session that carries its next `size` bytes."""

    method: str
    size: int
    query: str = ""
    named: bool = True
    """Whether it says where its bytes begin."""


class Talk:
    """Speaks about sessions over wires to every worker, in one thread, and notes what should not be."""

    def __init__(self, wires: Sequence[Wire], tally: Tally) -> None:
        """Use these wires; where there are several, they lead to different workers."""
        self._alone = len(wires) == 1
        self._wires = [wires[0], wires[0].another()] if self._alone else wires
        self.tally = tally
        self.broke = False
        """Whether a connection broke."""

    # ------------------------------------------------------------ what is said

    def wires(self, upload: Upload, count: int) -> Sequence[Wire]:
        """Return one or two wires, to different workers where there are several."""
        return upload.random.sample(self._wires, count)

    def ask(
        self, upload: Upload, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NONE
    ) -> Answer:
        """Ask any worker.

        Raises: OSError.
        """
        (wire,) = self.wires(upload, 1)
        self._count(upload, wire)
        return wire.ask(method, path, body, headers)

    def ask_part(self, upload: Upload, part: Part) -> Answer:
        """Send a part whole to any worker; a connection that breaks leaves the session uncertain.

        Raises: OSError.
        """
        (wire,) = self.wires(upload, 1)
        self.send_part(upload, wire, part)
        answer = wire.receive(part.method)
        upload.uncertain = upload.ending = False
        return answer

    def send_part(
        self, upload: Upload, wire: Wire, part: Part, *, cut: int | None = None, expect: bool = False
    ) -> None:
        """Send a part, or its first `cut` bytes, and note that the registry may have them.

        Raises: OSError.
        """
        self._count(upload, wire)
        upload.uncertain = True
        upload.ending = upload.ending or part.method != "PATCH"
        upload.sent = max(upload.sent, upload.acknowledged + (part.size if cut is None else cut))
        path = upload.location
        if part.query:
            path += f"{'&' if '?' in path else '?'}{part.query}"
        headers = {"Content-Type": "application/octet-stream"}
        if part.named and part.size:
            headers["Content-Range"] = f"{upload.acknowledged}-{upload.acknowledged + part.size - 1}"
        if expect:
            headers["Expect"] = "100-continue"
        wire.send(part.method, path, upload.next(part.size), headers, cut=cut)

    def at_once(self, upload: Upload, first: Part, second: Part) -> tuple[Answer, Answer]:
        """Send two parts so that both are under way, and return their answers.

        Raises: OSError, once neither is under way any more.
        """
        parts, wires = (first, second), self.wires(upload, 2)
        cuts = [upload.cut(part.size) for part in parts]
        for wire, part, cut in zip(wires, parts, cuts, strict=True):
            self.send_part(upload, wire, part, cut=cut)
        upload.sent = upload.acknowledged + max(first.size, second.size)
        answers: dict[int, Answer] = {}
        failure: OSError | None = None
        for number in upload.random.sample([0, 1], 2):
            try:
                wires[number].send_more(upload.next(parts[number].size)[cuts[number] :])
            except OSError as error:
                failure = error
        for number in (0, 1):
            try:
                answers[number] = wires[number].receive(parts[number].method)
            except OSError as error:
                failure = error
        if failure is not None:
            raise failure
        upload.uncertain = upload.ending = False
        return answers[0], answers[1]

    def hang_up(self) -> None:
        """Close all connections, so that no late answer is taken for that of another request."""
        for wire in self._wires:
            wire.close()

    def _count(self, upload: Upload, wire: Wire) -> None:
        self.tally.requests += 1
        self.tally.moved += not self._alone and upload.last is not None and upload.last is not wire
        upload.last = wire

    # ------------------------------------------------------------ what must be true

    def fault(self, upload: Upload, what: str) -> None:
        """Note a broken promise."""
        self.tally.faults.append(f"session {upload.seed}: {what}")

    def require(self, upload: Upload, answer: Answer, status: int, what: str) -> None:
        """Insist on a status.

        Raises: Lost.
        """
        if answer.status != status:
            self.fault(upload, f"{what} was answered {answer.status}, not {status}: {answer.body[:120]!r}")
            raise Lost

    def claimed(self, upload: Upload, answer: Answer, least: int, most: int, what: str) -> int:
        """Return how many bytes the registry says that it has, which must be within these bounds.

        Raises: Lost.
        """
        match = re.fullmatch(r"(?:bytes=)?0-([0-9]+)", answer.headers.get("range", ""))
        if match is None:
            self.fault(upload, f"{what} was answered without a Range, {answer.headers.get('range')!r}")
            raise Lost
        claimed = int(match[1]) + 1
        if claimed == 1 and least == 0:
            claimed = 0  # nothing and a single byte look the same on the wire
        if not least <= claimed <= most:
            self.fault(upload, f"{what} claims {claimed} bytes, not {least} to {most}")
            raise Lost
        return claimed

    def follow(self, upload: Upload, answer: Answer) -> None:
        """Go on where the registry says, leaving out the host that some of them name."""
        location = answer.headers.get("location", "")
        if "/v2/" in location:
            upload.location = location[location.index("/v2/") :]

    def received(self, upload: Upload, answer: Answer, size: int, what: str) -> None:
        """Take up that a chunk was acknowledged.

        Raises: Lost.
        """
        self.require(upload, answer, 202, what)
        upload.acknowledged += size
        upload.sent = upload.acknowledged
        self.claimed(upload, answer, upload.acknowledged, upload.acknowledged, what)
        self.follow(upload, answer)

    def look(self, upload: Upload, what: str = "a look") -> None:
        """See that it is exactly as far as it said.

        Raises: OSError, Lost.
        """
        answer = self.ask(upload, "GET", upload.location)
        self.require(upload, answer, 204, what)
        self.claimed(upload, answer, upload.acknowledged, upload.acknowledged, what)

    def refused(self, upload: Upload, answer: Answer, what: str) -> None:
        """See that a refusal says why, in the specification's form."""
        try:
            reason = json.loads(answer.body)["errors"][0]["code"]
        except (ValueError, LookupError, TypeError):
            reason = ""
        if not 400 <= answer.status < 500 or not reason:
            self.fault(upload, f"{what} was answered {answer.status} {answer.body[:80]!r}")

    def over(self, upload: Upload) -> None:
        """See that the blob has the bytes that were sent.

        Raises: OSError.
        """
        upload.uncertain = upload.ending = True  # should the next answer be lost, it is asked again
        answer = self.ask(upload, "GET", upload.blob)
        if answer.status != 200:
            self.fault(upload, f"a finished blob was answered {answer.status}")
        elif answer.body != upload.content:
            self.fault(upload, "a finished blob has other bytes than were sent")
        upload.over = True
        self.tally.finished += 1

    def gone(self, upload: Upload, what: str) -> None:
        """See that neither session nor blob is there.

        Raises: OSError.
        """
        upload.uncertain = upload.ending = True  # as above
        if self.ask(upload, "GET", upload.location).status != 404:
            self.fault(upload, f"{what} left its session")
        if self.ask(upload, "HEAD", upload.blob).status != 404:
            self.fault(upload, f"{what} left a blob")

    def settle(self, upload: Upload) -> None:
        """Read the state of a session whose last request broke off; afterwards, nothing of that request is under way.

        Raises: OSError, Lost.
        """
        if not upload.location:
            upload.forget_session()
            return
        answer = self.ask(upload, "GET", upload.location)
        if answer.status == 404 and upload.ending:
            if self.ask(upload, "HEAD", upload.blob).status == 200:
                self.over(upload)
            else:
                self.tally.begun_anew += 1
                upload.forget_session()
            return
        self.require(upload, answer, 204, "a look after a break")
        least = self.claimed(upload, answer, upload.acknowledged, upload.sent, "a look after a break")
        answer = self._once_free(upload)
        self.require(upload, answer, 202, "going on after a break")
        upload.acknowledged = self.claimed(upload, answer, least, upload.sent, "going on after a break")
        upload.sent = upload.acknowledged
        upload.uncertain = upload.ending = False
        self.follow(upload, answer)

    def _once_free(self, upload: Upload) -> Answer:
        """Send an empty chunk, again while what broke off still holds the session."""
        deadline = time.monotonic() + MAX_WAIT
        while True:
            answer = self.ask(upload, "PATCH", upload.location, headers={"Content-Type": "application/octet-stream"})
            if answer.status != BUSY or time.monotonic() > deadline:
                return answer
            time.sleep(0.01)
