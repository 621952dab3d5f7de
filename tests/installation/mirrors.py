"""How a fresh Debian reaches the mirrors of packages: as this machine does."""

import re
import subprocess

_SETTINGS = re.compile(r"Acquire::(Check-\S+|https?::Proxy) ")


def apt_options() -> list[str]:
    """Return options of mmdebstrap."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return [f"--aptopt={line}" for line in dumped.splitlines() if _SETTINGS.match(line)]
