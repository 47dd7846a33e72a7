"""`make package` makes the same bytes of the same content, and a template without a transform."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from deploy import artefact, package

# What a clone has and the package is made of.
SOURCES = ("Makefile", "template.yaml")
FOLDERS = ("deploy", "handler", "schemas", "transfer_server_state")


def folder_of(place: Path, names: Iterable[str]) -> Path:
    for name in names:
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return place


def test_dates_modes_and_the_order_of_making_do_not_matter(tmp_path: Path) -> None:
    names = ["b/two.py", "a.py", "b/one.py", "b.py"]
    first = folder_of(tmp_path / "first", names)
    second = folder_of(tmp_path / "second", reversed(names))
    os.utime(second / "a.py", (1, 1))
    (second / "b.py").chmod(0o700)
    archives = [artefact.archive(each, tmp_path / f"{each.name}.zip") for each in (first, second)]
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archived:
        assert archived.namelist() == ["a.py", "b/one.py", "b/two.py", "b.py"]
        assert {entry.external_attr >> 16 for entry in archived.infolist()} == {0o100644}
        # Compressed, they would be as that machine's zlib makes them.
        assert {entry.compress_type for entry in archived.infolist()} == {zipfile.ZIP_STORED}


def test_what_pip_notes_of_its_machine_is_left_out(tmp_path: Path) -> None:
    notes = ["bin/tool", "it.dist-info/RECORD", "it.dist-info/INSTALLER", "it.dist-info/REQUESTED"]
    kept = ["it.dist-info/METADATA", "it/bin/kept.py", "it/__init__.py"]
    folder = folder_of(tmp_path / "folder", [*notes, *kept])
    with zipfile.ZipFile(artefact.archive(folder, tmp_path / "it.zip")) as archived:
        assert sorted(archived.namelist()) == sorted(kept)


def test_a_package_that_cannot_be_built_says_why(tmp_path: Path) -> None:
    with pytest.raises(artefact.NotBuiltError, match=r"(?s)could not be built: .*no-such-command"):
        artefact.build(tmp_path / "package", PACKAGES="no-such-command")


def test_a_make_that_runs_it_does_not_change_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Just show what would be done.
    monkeypatch.setenv("MAKEFLAGS", "n")
    built = artefact.build(tmp_path / "package", PACKAGES="true")
    assert (built / "handler" / "cloudformation.py").is_file()


@pytest.fixture
def plain() -> dict[str, Any]:
    template: dict[str, Any] = json.loads(package.translated("acme", "a/key.zip"))
    return template


def test_the_template_runs_no_transform(plain: dict[str, Any]) -> None:
    assert "Transform" not in plain
    assert "Globals" not in plain
    types = {resource["Type"] for resource in plain["Resources"].values()}
    assert {kind.split("::")[0] for kind in types} == {"AWS"}
    assert not [kind for kind in types if "Serverless" in kind]


def test_each_function_is_fetched_from_its_own_region(plain: dict[str, Any]) -> None:
    code = [
        resource["Properties"]["Code"]
        for resource in plain["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    assert code
    for each in code:
        assert each == {"S3Bucket": {"Fn::Sub": "acme-${AWS::Region}"}, "S3Key": "a/key.zip"}


def test_every_parameter_can_still_be_given(plain: dict[str, Any]) -> None:
    text = json.dumps([plain["Resources"], plain["Conditions"], plain["Outputs"]])
    assert plain["Parameters"]
    for name in plain["Parameters"]:
        assert f'{{"Ref": "{name}"}}' in text or f"${{{name}}}" in text, name


class Bucket:
    """The S3 of a region, which keeps what it is given."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.kept[Bucket, Key] = Body


def test_each_region_gets_both_files_where_the_template_looks(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ["name/1/package-a.zip", "name/1/template-b.json"])
    made = package.Release(
        folder, folder / "name/1/package-a.zip", folder / "name/1/template-b.json"
    )
    regions = {"eu-west-1": Bucket(), "us-east-1": Bucket()}
    package.upload(made, "acme", regions, regions.__getitem__)
    for region, s3 in regions.items():
        assert s3.kept == {
            (f"acme-{region}", "name/1/package-a.zip"): b"name/1/package-a.zip",
            (f"acme-{region}", "name/1/template-b.json"): b"name/1/template-b.json",
        }


def clone(place: Path) -> Path:
    for name in SOURCES:
        place.mkdir(exist_ok=True)
        shutil.copyfile(artefact.ROOT / name, place / name)
    for name in FOLDERS:
        shutil.copytree(artefact.ROOT / name, place / name, copy_function=shutil.copyfile)
    return place


def packaged_in(place: Path, **environment: str) -> dict[str, bytes]:
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.package", "--bucket=acme"],
        cwd=place,
        env={**os.environ, **environment},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    if "No matching distribution found" in ran.stderr:
        pytest.skip("the packages for the function's platform cannot be had from here")
    assert ran.returncode == 0, ran.stderr
    return {
        file.relative_to(place).as_posix(): file.read_bytes()
        for file in (place / "dist").rglob("*")
        if file.is_file()
    }


def test_another_folder_user_and_region_make_the_same_bytes(tmp_path: Path) -> None:
    here = packaged_in(clone(tmp_path / "here"), AWS_DEFAULT_REGION="eu-west-1")
    there = packaged_in(clone(tmp_path / "there"), AWS_DEFAULT_REGION="cn-north-1")
    names = [name.rpartition("/")[2].partition("-")[0] for name in sorted(here)]
    assert names == ["package", "template"]
    assert here == there
    (archive,) = (file for file in (tmp_path / "here" / "dist").rglob("*.zip"))
    with zipfile.ZipFile(archive) as archived:
        assert not [name for name in archived.namelist() if name.endswith(".pyc")]
        assert "handler/cloudformation.py" in archived.namelist()
        assert "rpds/rpds.cpython-314-aarch64-linux-gnu.so" in archived.namelist()
