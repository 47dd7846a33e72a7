"""Copies the packages that the function packs, as set-up installed them here.

They fit this machine's Python and platform, and no network is needed. For AWS, pip fetches those
that fit the function; see the Makefile.
"""

import argparse
import os
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
    requirements = options.requirement
    lines = requirements.read_text().splitlines()
    if not options.target.is_dir():
        sys.exit(f"{options.target} is not there to be filled.")
    # From within: a folder that is deleted meanwhile is not made anew.
    os.chdir(options.target)
    for line in lines:
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
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), file)


if __name__ == "__main__":
    main()
