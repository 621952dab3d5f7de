"""Checking the stores under a front, as `fsck` does beside a server."""

import apsw

from simple_registry.operations.fsck.findings import Finding, Mode
from simple_registry.operations.fsck.run import Fsck
from simple_registry.operations.manifests import Required
from support.front import Front

STRICT = Required()


def check(front: Front, *, deep: bool = False, repair: bool = False, required: Required = STRICT) -> list[Finding]:
    """Return what a check finds; the front's clock stands long before or after every file, so that none is young."""
    kept = front.kept

    async def run() -> list[Finding]:
        mode = Mode(deep=deep, repair=repair)
        fsck = Fsck(kept.rows, kept.files, clock=front.clock, required=required, mode=mode)
        return [finding async for finding in fsck.run()]

    return front.run(run())


def told(findings: list[Finding]) -> list[tuple[str, str | None, bool]]:
    """Return the kind of each finding, what it is about, and whether it was repaired."""
    return [(finding.kind.value, finding.digest or finding.place, finding.repaired) for finding in findings]


def execute(front: Front, sql: str, *bindings: object) -> None:
    """Change rows behind everybody's back, against all rules."""
    assert front.kept.layout is not None
    connection = apsw.Connection(front.kept.layout.database)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(sql, bindings)
    connection.close()
