"""Copies the packages that the function packs, as set-up installed them here.

They fit this machine's Python and platform, and no network is needed. For AWS, pip fetches those
that fit the function; see the Makefile.
"""

import argparse
import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path


def main() -> None:
    """Copy what each line of a requirements file names into a folder; pip's options for both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirement", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    options = parser.parse_args()
    requirements, target = options.requirement, options.target
    for line in requirements.read_text().splitlines():
        name, pinned, version = line.partition("==")
        if not pinned:
            continue
        installed = distribution(name)
        if installed.version != version:
            sys.exit(
                f"{requirements} asks for {line}, and {installed.version} is installed: make setup"
            )
        for file in installed.files or []:
            # Its scripts lie outside the packages' folder, and a function has no use for them.
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target / file)


if __name__ == "__main__":
    main()
