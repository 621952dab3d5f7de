"""The tables of docs/results/clients.md: what each client achieved, written by a run and compared by every later one.

A cell says the same for all challenges, or names them:

    login, public, private, push
    auto, bearer: public<br>basic: refused
"""

import json
import os
import re
from collections.abc import Mapping

from e2e.scenarios import CLIENTS, Challenge, Credential, Policy
from harness.gotools import CACHE
from harness.result_pages import FOLDER, publish

PAGE = FOLDER / "clients.md"
RECORDS = CACHE / "handshakes"
REFUSED = "refused"
BREAK = "<br>"
TITLES = {
    Policy.NONE: "No anonymous user",
    Policy.PUBLIC: "`public/*` for everybody, `private/*` for nobody but the administrator",
    Policy.MIXED: "`public/*` for everybody, `private/*` for users",
}

Cell = tuple[str, Policy, Credential, Challenge]


def writing() -> bool:
    """Return whether this run writes the document, instead of comparing with it."""
    return os.environ.get("E2E_WRITE_TABLE") == "1"


def record(cell: Cell, outcome: str) -> None:
    """Keep an outcome until the end of the run; the processes of a run share the folder."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / re.sub(r"\W+", "-", "-".join(cell))).write_text(json.dumps([*cell, outcome]))


def forget() -> None:
    """Forget what earlier runs have recorded."""
    for file in RECORDS.glob("*"):
        file.unlink()


def write_document() -> None:
    """Put what was recorded into the document; what was not measured keeps its words."""
    outcomes = documented()
    for file in RECORDS.glob("*"):
        client, policy, credential, challenge, outcome = json.loads(file.read_text())
        outcomes[client, Policy(policy), Credential(credential), Challenge(challenge)] = outcome
    publish("clients", "make clients-table", render(outcomes))


def documented() -> dict[Cell, str]:
    """Return the cells of the document."""
    return parse(PAGE.read_text())


def render(outcomes: Mapping[Cell, str]) -> str:
    """Return one table for each policy."""
    lines = []
    for policy, title in TITLES.items():
        lines += ["", f"## {title}", "", _row("client", *Credential), _row(*["---"] * (1 + len(Credential)))]
        for client in CLIENTS:
            cells = [
                _cell({mode: outcomes.get((client, policy, credential, mode), "?") for mode in Challenge})
                for credential in Credential
            ]
            lines.append(_row(client, *cells))
    return "\n".join(lines)


def parse(text: str) -> dict[Cell, str]:
    """Return the cells of the tables."""
    outcomes: dict[Cell, str] = {}
    policy = Policy.NONE
    for line in text.splitlines():
        for candidate, title in TITLES.items():
            policy = candidate if line == f"## {title}" else policy
        client, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if client not in CLIENTS:
            continue
        for credential, cell in zip(Credential, cells, strict=True):
            for mode, outcome in _by_mode(cell).items():
                outcomes[client, policy, credential, mode] = outcome
    return outcomes


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(by_mode: Mapping[Challenge, str]) -> str:
    outcomes = list(dict.fromkeys(by_mode.values()))
    if len(outcomes) == 1:
        return outcomes[0]
    modes = {outcome: [mode for mode, found in by_mode.items() if found == outcome] for outcome in outcomes}
    return BREAK.join(f"{', '.join(found)}: {outcome}" for outcome, found in modes.items())


def _by_mode(cell: str) -> Mapping[Challenge, str]:
    if ": " not in cell:
        return dict.fromkeys(Challenge, cell)
    parts = [part.partition(": ") for part in cell.split(BREAK)]
    return {Challenge(mode): outcome for modes, _, outcome in parts for mode in modes.split(", ")}
