"""What storage raises when it cannot do its work; absence is never one of these (stores return `None`)."""


class StorageFault(Exception):
    """A store could not do what was asked, through no fault of the caller."""

    def __init__(self, action: str, cause: BaseException | str) -> None:
        """Name the `action` that failed (a verb phrase) and what stopped it."""
        super().__init__(f"cannot {action}: {cause}")
        self.action = action


class StorageFull(StorageFault):
    """The disk, a quota or a file size limit leaves no room; nothing was acknowledged and nothing is damaged."""


class StorageReadOnly(StorageFault):
    """The disk can be read but not written to, as it is meant to be or since it failed; what it holds is served."""


class SessionBytesMissing(StorageFault):
    """An upload session has fewer bytes than its row says: its upload cannot go on, a new one can."""


class SessionBusy(Exception):
    """Another request is writing to this upload session right now."""


class DataDirectoryRefused(StorageFault):
    """The data directory, or the database in it, cannot be used as it is; the text tells the operator what to do."""

    def __init__(self, path: str, reason: str) -> None:
        """Name the directory or file and why it is refused, with what to do about it."""
        super().__init__(f"use {path}", reason)


class DatabaseLost(DataDirectoryRefused):
    """There is no database any more, or none that can be read: only a backup helps; `reason` says what is wrong."""

    def __init__(self, path: str, reason: str) -> None:
        """Name the database and what is wrong with it."""
        super().__init__(path, f"{reason}; restore it from a backup")
        self.reason = reason
