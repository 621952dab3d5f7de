"""The parent's view of followed files: the newest valid state for new workers, with its audit and log lines."""

import logging
from collections.abc import Mapping
from pathlib import Path

from simple_registry.cli.first_run import end_first_administrator
from simple_registry.config.followed import Poll
from simple_registry.config.load import Configured, Loaded
from simple_registry.config.settings import Settings
from simple_registry.http.audit import rules_line
from simple_registry.server.audit_file import AuditFile

_log = logging.getLogger(__name__)


class Following:
    """Follows the files of a server. Workers follow the same files, and log whether they load."""

    def __init__(self, data_dir: Path) -> None:
        """Record in `data_dir` whether documents have named users."""
        self._data_dir = data_dir
        self._in_force: Mapping[str, object] = {}
        self._logged: Mapping[str, object] = {}
        self._audited = ""

    def begin(self, configured: Configured) -> None:
        """Follow what was read at a start or SIGHUP, when settings of documents come into force too."""
        self._in_force = self._logged = configured.documents.value.configuration.values
        self._take(configured)

    def poll(self, configured: Configured) -> None:
        """Check all files once."""
        if configured.certificate is not None:
            configured.certificate.poll()
        if configured.documents.poll() is Poll.LOADED:
            self._take(configured)

    def _take(self, configured: Configured) -> None:
        documents = configured.documents.value
        if documents.digest != self._audited:
            _audit_rules(configured.settings, documents)
            self._audited = documents.digest
        if documents.named_users:
            end_first_administrator(self._data_dir)
        if documents.configuration.values != self._logged:
            self._logged = documents.configuration.values
            self._log_settings()

    def _log_settings(self) -> None:
        missing = object()
        logged, in_force = self._logged, self._in_force
        changed = sorted(
            path for path in {*logged, *in_force} if logged.get(path, missing) != in_force.get(path, missing)
        )
        if changed:
            _log.warning("settings changed in documents and wait for SIGHUP: %s", ", ".join(changed))


def _audit_rules(settings: Settings, documents: Loaded) -> None:
    """Record in the audit log which rules are in force from now on. Never raises."""
    if settings.audit is not None:
        file = AuditFile(settings.audit)
        file.write(rules_line(documents.digest, documents.rules))
        file.close()
