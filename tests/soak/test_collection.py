"""A collection every second, with a grace of seconds, beside clients that push, mount, delete, sign and pull.

Nothing that was acknowledged is lost, no image that is pulled lacks a part, and no manifest is refused whose blobs were
acknowledged within the grace. `SOAK_SECONDS` is the duration (default 600); `GRACE` is the shortest that this load
can be asked to keep.
"""

import json
import os
import threading
import time
from random import Random

import pytest

from faults.crashes.connection import Connection, Unanswered
from faults.crashes.contents import IMAGE, INDEX, digest_of, parts_of
from faults.crashes.ledger import PRESENT, Key, Kind
from faults.crashes.sharing_client import REPOSITORY
from faults.crashes.trial import Trial, eager, summary
from faults.wire import Answer

pytestmark = pytest.mark.soak

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
GRACE = 10.0
PUSHERS, PULLERS = 16, 8
ACCEPT = {"Accept": f"{IMAGE}, {INDEX}"}
TICK = 0.25
STOPPED = GRACE / 4
"""Seconds without a tick after which the machine counts as stopped: graces passed and nobody could use them."""


class Puller(threading.Thread):
    """A client that pulls images whole, with their signatures."""

    def __init__(self, trial: Trial, number: int) -> None:
        super().__init__(daemon=True)
        self.pulled = 0
        self.faults: list[str] = []
        self.over = threading.Event()
        self._ledger = trial.ledger
        self._connection = Connection(lambda: trial.registry.address)
        self._random = Random(f"puller {number}")
        self._repositories = [REPOSITORY, *(f"team{client}" for client in range(PUSHERS))]

    def run(self) -> None:
        while not self.over.is_set():
            repository = self._random.choice(self._repositories)
            keys = self._ledger.keys_of(self._random.choice([Kind.TAG, Kind.MANIFEST]), repository)
            if keys:
                try:
                    self.faults += self._pull(self._random.choice(keys))
                except Unanswered as error:
                    self.faults.append(f"not answered: {error}")
        self._connection.close()

    def _pull(self, key: Key) -> list[str]:
        """Pull an image by tag or digest. Return what is wrong: parts stay for a grace after their manifest."""
        begun = time.monotonic()
        manifest = self._get(key.repository, "manifests", key.name)
        if manifest.status != 200:
            return [f"{key}: {manifest.status}"] if self._must_be_there(key) else []
        blobs, children = parts_of(manifest.body)
        faults = [
            f"{key}: its part {digest}: {answer.status}"
            for kind, digests in (("blobs", blobs), ("manifests", children))
            for digest in digests
            if digest_of((answer := self._get(key.repository, kind, digest)).body) != digest
        ]
        listed = self._get(key.repository, "referrers", digest_of(manifest.body))
        for each in json.loads(listed.body)["manifests"]:
            referrer = Key(Kind.MANIFEST, key.repository, each["digest"])
            if self._get(key.repository, "manifests", each["digest"]).status != 200 and self._must_be_there(referrer):
                faults.append(f"{referrer}, of {key}: not there")
        self.pulled += 1
        return faults if time.monotonic() - begun < GRACE / 2 else []

    def _must_be_there(self, key: Key) -> bool:
        """Return whether a manifest that was not found is there by all that was acknowledged, and still not found."""
        allowed = self._ledger.allowed(key)
        answer = self._get(key.repository, "manifests", key.name)
        return key.kind is Kind.MANIFEST and allowed == self._ledger.allowed(key) == {PRESENT} and answer.status == 404

    def _get(self, repository: str, kind: str, name: str) -> Answer:
        return self._connection.ask("GET", f"/v2/{repository}/{kind}/{name}", headers=ACCEPT)


def soak(trial: Trial, pullers: list[Puller]) -> float:
    """Let clients work for `SECONDS` while the machine runs. Return the seconds for which it was stopped.

    What clients see right after such a stop is not counted: graces ended that no client could renew.
    """
    worked = stopped = 0.0
    last, counts_from = time.monotonic(), 0.0
    while worked < SECONDS:
        time.sleep(TICK)
        now = time.monotonic()
        if now - last > STOPPED:
            stopped, counts_from = stopped + now - last, now + GRACE
        else:
            worked += now - last
        last = now
        for faults in (trial.workload.faults, *(puller.faults for puller in pullers)):
            seen = faults.copy()
            del faults[: len(seen)]
            trial.faults += seen if now > counts_from else []
    return stopped


def test_a_collection_every_second_loses_nothing_that_was_acknowledged(tmp_path):
    with Trial(eager(GRACE), tmp_path, seed=1, clients=PUSHERS, grace=GRACE) as trial:
        pullers = [Puller(trial, number) for number in range(PULLERS)]
        for puller in pullers:
            puller.start()
        stopped = soak(trial, pullers)
        for puller in pullers:
            puller.over.set()
            puller.join()
        acknowledged = trial.ledger.acknowledged
        trial.finish()
        lines = trial.registry.log.read_text().splitlines()
    log = [json.loads(line) for line in lines if line.startswith("{")]
    rounds = [line for line in log if line["message"] == "garbage collected"]
    removed, ended = (sum(line[what] for line in rounds) for what in ("contents", "blobs"))
    pulled, checked = sum(puller.pulled for puller in pullers), trial.verifier.checked
    print(
        f"\n{SECONDS:.0f} s of work ({stopped:.0f} s stopped): {acknowledged:,} changes acknowledged, {pulled:,} pulled"
    )
    print(f"{len(rounds)} collections: {ended:,} blobs ended, {removed:,} contents removed")
    print(f"{checked:,} states looked at in the end: {summary(trial.faults)}")
    assert trial.faults == []
    assert [line for line in log if line["level"] == "error"] == []
    assert removed > 0
