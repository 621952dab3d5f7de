"""Numbers of bytes, and of things, as text for people."""

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def readable(size: int) -> str:
    """Return a number of bytes in the unit that suits it: `1.2 GiB`, below 1024 `999 B`."""
    if abs(size) < 1024:  # noqa: PLR2004 (what the units are made of)
        return f"{size} B"
    value = float(size)
    for unit in _UNITS:
        value /= 1024
        if abs(value) < 1023.95 or unit == _UNITS[-1]:  # noqa: PLR2004 (which would show as 1024.0)
            break
    return f"{value:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which is given in the singular: `1 repository`, `2 repositories`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
