"""The faults that storage raises. Absence is not a fault: stores return `None`."""


class StorageFault(Exception):
    """A store failed to do what was asked; the caller made no error."""

    def __init__(self, action: str, cause: BaseException | str) -> None:
        """Name the `action` that failed (a verb phrase) and the cause."""
        super().__init__(f"cannot {action}: {cause}")
        self.action = action


class StorageFull(StorageFault):
    """The disk, a quota or a file size limit leaves no room; nothing was acknowledged, nothing is damaged."""


class StorageReadOnly(StorageFault):
    """The disk is read-only, on purpose or after a failure; content is still served."""


BY_SETTING = "storage.readOnly is set"
"""The reason of a read-only mode that no command ends."""


class InReadOnlyMode(StorageReadOnly):
    """An operator wants no changes for now; `reason` says why."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(action, f"read-only mode: {reason}")
        self.reason = reason


class ContentGone(StorageFault):
    """Content went after it was opened, or turned out to be unreadable; a push of it heals that."""


class SessionBytesMissing(StorageFault):
    """An upload session has fewer bytes than its row says, so it cannot be resumed."""


class SessionBusy(Exception):
    """Another request is writing to this upload session."""


class DataDirectoryRefused(StorageFault):
    """The data directory, or its database, cannot be used as it is; the text says what to do."""

    def __init__(self, path: str, reason: str) -> None:
        """Name the directory or file, the reason, and what to do about it."""
        super().__init__(f"use {path}", reason)


ADVICE = "run 'simple-registry recover', or restore it from a backup"
"""What to do about a database that is lost."""


class DatabaseLost(DataDirectoryRefused):
    """The database is missing or unreadable, and only a backup helps; `reason` says what is wrong."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, f"{reason}; {ADVICE}")
        self.reason = reason
