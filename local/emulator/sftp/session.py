"""One SFTP session: requests of a client, carried out on what its user sees.

Must not know who may log in, nor when.
"""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import IO, Any

import asyncssh

from local.emulator.sftp.folder import Folder
from local.emulator.sftp.view import Parts, View

# A folder that is there only because something below it is mapped.
_ABOVE = asyncssh.SFTPAttrs(
    type=asyncssh.FILEXFER_TYPE_DIRECTORY, permissions=stat.S_IFDIR | 0o755, size=0
)


class SftpSession(asyncssh.SFTPServer):
    """What a user may do. Links and the disk's own figures are not among it, as on S3."""

    def __init__(
        self, channel: Any, folder: Folder, view: View, *, ignores_attributes: bool
    ) -> None:
        super().__init__(channel)
        self._folder = folder
        self._view = view
        self._ignores_attributes = ignores_attributes
        for each in view.folders:
            # Where one cannot be made, whatever the client wants of it will tell so.
            with suppress(OSError):
                folder.make_all(each)

    def map_path(self, path: bytes) -> bytes:
        """Refuse: whatever is inherited and takes a path would go past the view."""
        raise asyncssh.SFTPOpUnsupported("Not supported here")

    def format_user(self, uid: int | None) -> str:
        """Name no user of this machine."""
        return "-"

    def format_group(self, gid: int | None) -> str:
        """Name no group of this machine."""
        return "-"

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> IO[bytes]:
        """Open a file; what permissions it is to have is not kept."""
        where = self._view.target(self._view.shown(path))
        if where is None:
            raise asyncssh.SFTPFailure("Not a file")
        return self._folder.open(where, _flags(pflags))

    def stat(self, path: bytes) -> os.stat_result | asyncssh.SFTPAttrs:
        """Describe a file or a folder."""
        where = self._view.target(self._view.shown(path))
        return _ABOVE if where is None else self._folder.stat(where)

    def lstat(self, path: bytes) -> os.stat_result | asyncssh.SFTPAttrs:
        """Describe a file or a folder: there are no links."""
        return self.stat(path)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Keep no times and permissions, as S3 does; SetStatOption has that overlooked."""
        if not self._ignores_attributes:
            raise asyncssh.SFTPOpUnsupported("SETSTAT is for SetStatOption ENABLE_NO_OP")

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Do as setstat."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        """Do as setstat."""
        self.setstat(b"", attrs)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """List a folder."""
        shown = self._view.shown(path)
        where = self._view.target(shown)
        found = self._mapped(shown) if where is None else self._folder.entries(where)
        for name, described in {".": _ABOVE, "..": _ABOVE, **found}.items():
            yield asyncssh.SFTPName(os.fsencode(name), attrs=await self.convert_attrs(described))

    def remove(self, path: bytes) -> None:
        """Remove a file."""
        self._folder.remove_file(self._movable(path))

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Make a folder."""
        where = self._view.target(self._view.shown(path))
        self._folder.make(where or ())

    def rmdir(self, path: bytes) -> None:
        """Remove an empty folder."""
        self._folder.remove_folder(self._movable(path))

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Move a file or a folder to where nothing is."""
        old, new = self._movable(oldpath), self._movable(newpath)
        self._folder.rename(old, new, replace=False)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Move a file or a folder, over a file that is there."""
        old, new = self._movable(oldpath), self._movable(newpath)
        self._folder.rename(old, new, replace=True)

    def realpath(self, path: bytes) -> bytes:
        """Put a path straight."""
        return os.fsencode("/" + "/".join(self._view.shown(path)))

    def _mapped(self, shown: Parts) -> dict[str, Any]:
        found = {}
        for name in sorted(self._view.names(shown)):
            try:
                found[name] = self.stat(os.fsencode("/" + "/".join((*shown, name))))
            except OSError:
                continue  # it was not put there yet, or cannot be
        return found

    def _movable(self, path: bytes) -> Parts:
        shown = self._view.shown(path)
        where = self._view.target(shown)
        if where is None or self._view.is_fixed(shown):
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        return where


def _flags(pflags: int) -> int:
    flags = os.O_RDONLY
    if pflags & asyncssh.FXF_WRITE:
        flags = os.O_RDWR if pflags & asyncssh.FXF_READ else os.O_WRONLY
    for asked, flag in (
        (asyncssh.FXF_APPEND, os.O_APPEND),
        (asyncssh.FXF_CREAT, os.O_CREAT),
        (asyncssh.FXF_TRUNC, os.O_TRUNC),
        (asyncssh.FXF_EXCL, os.O_EXCL),
    ):
        if pflags & asked:
            flags |= flag
    return flags
