"""`make package`: a template without a transform and a package, as StackSets can deploy them.

Both are named for their content, under the version: what was once deployed is there to go back to.
A function's package must lie in the function's region, so the bucket's name is completed there:
BUCKET-eu-west-1, and so on.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from deploy import artefact
from transfer_server_state import __version__

DIST = artefact.ROOT / "dist"
NAME = "transfer-server-state"


class _NoManagedPolicies:
    """Stands in for the look-up of names that the translator makes; the template names none."""

    def load(self) -> dict[str, str]:
        """Return what AWS manages, by name."""
        return {}


@dataclass(frozen=True)
class Release:
    """What was made, in a folder that is laid out as the bucket is to be."""

    folder: Path
    package: Path
    template: Path

    def keys(self) -> dict[str, Path]:
        """Return both files by their key in the bucket."""
        files = (self.package, self.template)
        return {file.relative_to(self.folder).as_posix(): file for file in files}


def release(folder: Path, bucket: str) -> Release:
    """Build the package and the template that names it, anew. Raises NotBuiltError."""
    place = folder / NAME / __version__
    with TemporaryDirectory() as built:
        # Compiled by nobody: not everyone has the functions' Python.
        made = artefact.build(Path(built, "package"), PYTHON=sys.executable, COMPILE_WITH="")
        archive = artefact.archive(made, Path(built, "package.zip")).read_bytes()
    package = _named(place, "package", "zip", archive)
    text = translated(bucket, package.relative_to(folder).as_posix())
    return Release(folder, package, _named(place, "template", "json", text.encode()))


def translated(bucket: str, key: str) -> str:
    """Return the template as plain CloudFormation, which finds the package in its own region."""
    template = yaml_parse(artefact.TEMPLATE.read_text())
    location = {"Bucket": {"Fn::Sub": f"{bucket}-${{AWS::Region}}"}, "Key": key}
    template["Globals"]["Function"]["CodeUri"] = location
    plain: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    return json.dumps(plain, indent=2) + "\n"


def upload(made: Release, bucket: str, regions: Iterable[str], s3_in: Callable[[str], Any]) -> None:
    """Put both files into the bucket of each region, by the region's client."""
    for region in regions:
        s3 = s3_in(region)
        for key, file in made.keys().items():
            s3.put_object(Bucket=f"{bucket}-{region}", Key=key, Body=file.read_bytes())


def main() -> None:
    """Make both, upload them if regions were given, and tell where they are."""
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument("--bucket", required=True, help="what each region's bucket begins with")
    parser.add_argument("--regions", default="", help="with commas between them; none: no upload")
    options = parser.parse_args()
    if not options.bucket:
        sys.exit("make package BUCKET=name: what the name of each region's bucket begins with.")
    # The translator asks for one; what it makes is the same in all.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    regions = [region.strip() for region in options.regions.split(",") if region.strip()]
    try:
        made = release(DIST, options.bucket)
        upload(made, options.bucket, regions, _s3)
    except (artefact.NotBuiltError, BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    for key, file in made.keys().items():
        sys.stdout.write(f"{file.relative_to(artefact.ROOT)}\n")
        for region in regions:
            sys.stdout.write(f"  s3://{options.bucket}-{region}/{key}\n")
    if not regions:
        sys.stdout.write(
            f"Nothing was uploaded. Put the contents of {DIST.name}/ that are named above into "
            f"{options.bucket}-REGION, under the same names, or give REGIONS=eu-west-1,us-east-1.\n"
        )


def _s3(region: str) -> Any:
    return boto3.client("s3", region_name=region)


def _named(folder: Path, stem: str, suffix: str, content: bytes) -> Path:
    file = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


if __name__ == "__main__":
    main()
