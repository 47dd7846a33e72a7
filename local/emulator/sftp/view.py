"""What a user sees as files and folders, and where in the server's folder that is.

Pure. Must not know the disk. What a client sends is put straight before it is looked up, so that no
path leads out of what is mapped.
"""

import errno
import os
from collections.abc import Mapping
from typing import Any

Parts = tuple[str, ...]
# No disk takes a longer one.
_LONGEST_BYTES = 4096


def parts(path: str) -> Parts:
    """Give the names on a path from the root, with . and .. done away with."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(name)
    return tuple(names)


class View:
    """A user's folders: HomeDirectory under its own name, or the LOGICAL mappings.

    The folders above these are there to go through, and hold nothing else.
    """

    def __init__(self, name: str, user: Mapping[str, Any]) -> None:
        self.home = parts(user.get("HomeDirectory", "/"))
        self._targets = {self.home: self.home}
        self._files: set[Parts] = set()
        if user["HomeDirectoryType"] == "LOGICAL":
            self._targets = {}
            for mapping in user["HomeDirectoryMappings"]:
                entry = parts(mapping["Entry"])
                self._targets[entry] = parts(
                    mapping["Target"].replace("${transfer:UserName}", name)
                )
                if mapping.get("Type") == "FILE":
                    self._files.add(entry)
            if not self._is_seen(self.home):
                self.home = ()

    @property
    def folders(self) -> list[Parts]:
        """The folders that have to be there for the mappings to lead somewhere."""
        return [
            target[:-1] if entry in self._files else target
            for entry, target in self._targets.items()
        ]

    def shown(self, path: bytes) -> Parts:
        """Give the names of a path that a client sent; a relative one begins at the home.

        Raises FileNotFoundError for what no path can be.
        """
        text = os.fsdecode(path)
        if not text.startswith("/"):
            text = "/".join((*self.home, text))
        if "\0" in text or len(path) > _LONGEST_BYTES:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return parts(text)

    def target(self, shown: Parts) -> Parts | None:
        """Tell where in the server's folder it is; None for a folder above what is mapped.

        Raises PermissionError for what the user does not see.
        """
        for length in range(len(shown), -1, -1):
            if shown[:length] in self._targets:
                return self._targets[shown[:length]] + shown[length:]
        if not self.names(shown):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return None

    def is_fixed(self, shown: Parts) -> bool:
        """Tell whether it is mapped itself, or above: it cannot be moved or removed."""
        return shown in self._targets or bool(self.names(shown))

    def names(self, shown: Parts) -> set[str]:
        """List what a folder above the mappings holds."""
        depth = len(shown)
        return {
            each[depth] for each in self._targets if len(each) > depth and each[:depth] == shown
        }

    def _is_seen(self, shown: Parts) -> bool:
        return any(shown[:length] in self._targets for length in range(len(shown) + 1))
