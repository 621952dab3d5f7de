"""Checks of the stores under a front, as `fsck` does while a server runs."""

import apsw

from simple_registry.operations.fsck.findings import Finding, Mode
from simple_registry.operations.fsck.run import Fsck
from simple_registry.operations.manifests import Required
from support.front import Front

STRICT = Required()


async def findings_of(
    front: Front, *, deep: bool = False, repair: bool = False, required: Required = STRICT
) -> list[Finding]:
    """Return what a check finds; the front's clock is far from the times of all files, so that none is young."""
    fsck = fsck_of(front, Mode(deep=deep, repair=repair), required)
    return [finding async for finding in fsck.run()]


def check(front: Front, *, deep: bool = False, repair: bool = False, required: Required = STRICT) -> list[Finding]:
    """Return what a check finds, outside of a loop."""
    return front.run(findings_of(front, deep=deep, repair=repair, required=required))


def fsck_of(front: Front, mode: Mode, required: Required = STRICT) -> Fsck:
    """Return a check of the stores under a front, which are on disk."""
    assert front.kept.inspection is not None
    return Fsck(front.kept.inspection, clock=front.clock, required=required, mode=mode)


def found(findings: list[Finding]) -> list[tuple[str, str | None, bool]]:
    """Return the kind of each finding, what it is about, and whether it was repaired."""
    return [(finding.kind.value, finding.digest or finding.path, finding.repaired) for finding in findings]


def execute(front: Front, sql: str, *bindings: object) -> None:
    """Change rows without anything noticing, against all rules."""
    assert front.kept.layout is not None
    connection = apsw.Connection(front.kept.layout.database)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(sql, bindings)
    connection.close()
