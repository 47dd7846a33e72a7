"""Files below one folder, which nothing that is done through it can leave.

Each step of a path is taken from the folder before it, and none through a symbolic link: whatever
somebody puts there, and whenever, a path leads nowhere else. Must not know SFTP.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.emulator.sftp.view import Parts

_STEP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe that somebody put there does not hold up whoever opens it.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folder:
    """A folder and all below it: files and folders, and no other kinds."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, where: Parts, flags: int) -> IO[bytes]:
        """Open a file, unbuffered."""
        with self._holder(where) as (holder, name):
            file = os.open(name, flags | _FILE, 0o644, dir_fd=holder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise IsADirectoryError(errno.EISDIR, "Not a file")
        writes = flags & os.O_ACCMODE
        mode = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}[writes]
        return os.fdopen(file, mode, buffering=0)

    def stat(self, where: Parts) -> os.stat_result:
        """Describe a file or a folder."""
        with self._holder(where) as (holder, name):
            return _known(os.stat(name, dir_fd=holder, follow_symlinks=False))

    def entries(self, where: Parts) -> dict[str, os.stat_result]:
        """List a folder."""
        found = {}
        with self._holder((*where, ".")) as (holder, _), os.scandir(holder) as entries:
            for entry in entries:
                try:
                    found[entry.name] = _known(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # gone since, or of a kind that is not shown
        return found

    def make(self, where: Parts) -> None:
        """Make a folder."""
        with self._holder(where) as (holder, name):
            os.mkdir(name, 0o755, dir_fd=holder)

    def make_all(self, where: Parts) -> None:
        """Make a folder with those above it, as far as they are not there."""
        for length in range(1, len(where) + 1):
            try:
                self.make(where[:length])
            except FileExistsError:
                continue

    def remove_file(self, where: Parts) -> None:
        """Remove a file."""
        with self._holder(where) as (holder, name):
            os.unlink(name, dir_fd=holder)

    def remove_folder(self, where: Parts) -> None:
        """Remove an empty folder."""
        with self._holder(where) as (holder, name):
            os.rmdir(name, dir_fd=holder)

    def rename(self, old: Parts, new: Parts, *, replace: bool) -> None:
        """Move a file or a folder, over another one only if that is to be replaced."""
        with self._holder(old) as (holder, name), self._holder(new) as (new_holder, new_name):
            if not replace and _is_there(new_name, new_holder):
                raise FileExistsError(errno.EEXIST, "File exists")
            os.rename(name, new_name, src_dir_fd=holder, dst_dir_fd=new_holder)

    @contextmanager
    def _holder(self, where: Parts) -> Iterator[tuple[int, str]]:
        """Open the folder that holds the last name of a path, and give that name."""
        holder = os.open(self._root, _STEP)
        try:
            for name in where[:-1]:
                inner = os.open(name, _STEP, dir_fd=holder)
                os.close(holder)
                holder = inner
            yield holder, where[-1] if where else "."
        except ValueError:
            # With a NUL in it, it is no name of a file; so Python does not ask the disk.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        finally:
            os.close(holder)


def _is_there(name: str, holder: int) -> bool:
    try:
        os.stat(name, dir_fd=holder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _known(found: os.stat_result) -> os.stat_result:
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise FileNotFoundError(errno.ENOENT, "No such file")
    return found
