"""`make deploy`: the package, built anew, and the template, by the SAM CLI.

It asks where there is somebody to ask. deploy.parameters has shown before what it will use.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy import artefact, parameters

DIST = artefact.ROOT / "dist" / "deploy"
# Named by the template's metadata, so the SAM CLI uploads them, too.
_ABOUT = ("LICENSE", "README.md")


def main() -> None:
    """Build, and become the SAM CLI."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument("--sam", required=True, help="the SAM CLI")
    parser.add_argument("--folder", type=Path, default=DIST, help="where both are put")
    options = parser.parse_args()
    values = parameters.given(os.environ)
    stack = parameters.stack_name(values, parameters.declared())
    try:
        template = prepared(options.folder, fitting(os.environ))
    except artefact.NotBuiltError as error:
        sys.exit(str(error))
    arguments = sam_deploy(template, stack, values, asks=sys.stdin.isatty())
    os.execv(options.sam, [options.sam, *arguments])  # noqa: S606 - the SAM CLI that make installed


def fitting(environment: Mapping[str, str]) -> dict[str, str]:
    """Return make's variables for packages that fit where the function will run."""
    if parameters.is_local(environment):
        return {"PACKAGES": f"'{sys.executable}' -m local.copy_packages"}
    return {"PYTHON": sys.executable}


def prepared(folder: Path, variables: Mapping[str, str]) -> Path:
    """Put package and template into a folder; return the template. Raises NotBuiltError."""
    with TemporaryDirectory() as built:
        package = artefact.build(Path(built, "package"), **variables)
        archive = artefact.archive(package, folder / "package.zip")
    template = folder / "template.yaml"
    template.write_text(artefact.packaged(archive.name))
    for name in _ABOUT:
        shutil.copy(artefact.ROOT / name, folder)
    return template


def sam_deploy(template: Path, stack: str, values: Mapping[str, str], *, asks: bool) -> list[str]:
    """Return the arguments of the SAM CLI."""
    # The template's patterns admit no quotes.
    pairs = [f'{name}="{value}"' for name, value in values.items()]
    return [
        "deploy",
        f"--template-file={template}",
        f"--config-file={artefact.ROOT / 'samconfig.toml'}",
        f"--stack-name={stack}",
        "--confirm-changeset" if asks else "--no-confirm-changeset",
        *(["--parameter-overrides", *pairs] if pairs else []),
    ]


if __name__ == "__main__":
    main()
