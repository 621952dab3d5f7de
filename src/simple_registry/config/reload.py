"""Loading again while a registry runs: rules take effect, changed settings are told, since they wait for SIGHUP."""

import logging
from collections.abc import Callable, Mapping

from simple_registry.access.rules import AccessRules
from simple_registry.config.load import Loaded

logger = logging.getLogger("simple_registry")


class Reloading:
    """What `LiveAccess` loads with. One worker of all tells about settings."""

    def __init__(self, load: Callable[[], Loaded], *, tell: bool) -> None:
        """Load with `load`; the settings of its first result are those that this process runs with."""
        self._load = load
        self._tell = tell
        self._in_force: Mapping[str, object] | None = None
        self._told: Mapping[str, object] = {}

    def __call__(self) -> AccessRules:
        """Return the rules of now.

        Raises: ConfigError.
        """
        loaded = self._load()
        if self._in_force is None:
            self._in_force = self._told = loaded.settings
        elif self._tell and loaded.settings != self._told:
            self._told = loaded.settings
            self._tell_about(loaded.settings, self._in_force)
        return loaded.rules

    def _tell_about(self, settings: Mapping[str, object], in_force: Mapping[str, object]) -> None:
        missing = object()
        paths = {*settings, *in_force}
        changed = sorted(path for path in paths if settings.get(path, missing) != in_force.get(path, missing))
        if changed:
            logger.warning("settings changed in documents and wait for SIGHUP: %s", ", ".join(changed))
