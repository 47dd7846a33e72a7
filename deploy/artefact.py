"""The package of the provider's functions, and the template that names it.

The same content comes out as the same bytes, whoever builds it and where. It must not know where
the package goes.
"""

import os
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "template.yaml"
_CODE = "    CodeUri: .\n"
# What pip notes of the machine that it ran on: scripts with the path of its Python, and lists of
# the files that it wrote.
_PIPS_OWN = {"INSTALLER", "RECORD", "REQUESTED"}
_SCRIPTS = "bin"
# The first date that a zip file knows.
_DATE = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644
_UNIX = 3


class NotBuiltError(Exception):
    """The package or the template did not come to be; the message says why."""


def build(target: Path, **variables: str) -> Path:
    """Fill a new folder with what the functions consist of, by make and with its variables.

    Raises NotBuiltError.
    """
    target.mkdir(parents=True)
    given = [f"{name}={value}" for name, value in variables.items()]
    # What was given to a make that runs this one is not meant for it.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(  # noqa: S603
        ["make", "--silent", "build-Provider", f"ARTIFACTS_DIR={target}", *given],  # noqa: S607
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NotBuiltError(f"The package could not be built: {made.stderr.strip()}")
    return target


def archive(folder: Path, file: Path) -> Path:
    """Zip a folder: sorted, without dates and owners, and not compressed.

    Compression is not the same bytes everywhere: zlib has successors.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archived:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
            relative = path.relative_to(folder)
            if path.is_dir() or relative.parts[0] == _SCRIPTS or path.name in _PIPS_OWN:
                continue
            entry = zipfile.ZipInfo(relative.as_posix(), _DATE)
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE << 16
            archived.writestr(entry, path.read_bytes())
    return file


def packaged(uri: str) -> str:
    """template.yaml with the package's address in the place of its folder.

    Raises NotBuiltError.
    """
    before, found, after = TEMPLATE.read_text().partition(_CODE)
    if not found or _CODE in after:
        raise NotBuiltError(f"{TEMPLATE.name} has not exactly one line {_CODE.strip()!r}.")
    return f"{before}{_CODE.replace('.', uri)}{after}"
