"""The template is what SAM and CloudFormation accept, and the package is whole."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from cfnlint.decode import decode_str
from samtranslator.translator.transform import transform

from deploy.__main__ import prepared
from deploy.artefact import packaged
from local import provider_stack
from local.engine import ROOT


class NoManagedPolicies:
    """Stands in for the IAM look-up that the translator makes; the template names none."""

    def load(self) -> dict[str, str]:
        return {}


def test_sam_translates_the_template_to_plain_cloudformation() -> None:
    template, problems = decode_str(packaged("s3://bucket/package.zip"))
    assert not problems
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    types = {name: resource["Type"] for name, resource in translated["Resources"].items()}
    assert types["Provider"] == "AWS::Lambda::Function"
    assert types["ProviderEventInvokeConfig"] == "AWS::Lambda::EventInvokeConfig"
    assert not [kind for kind in types.values() if "Serverless" in kind]


def test_packaging_changes_nothing_but_the_address_of_the_package() -> None:
    before = (ROOT / "template.yaml").read_text().splitlines()
    after = packaged("s3://bucket/package.zip").splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert changed == [("    CodeUri: .", "    CodeUri: s3://bucket/package.zip")]


def test_the_package_is_all_that_the_function_needs(tmp_path: Path) -> None:
    package = provider_stack.build(tmp_path / "package")
    # Without this folder and what is installed here, but for boto3, which the runtime brings.
    code = (
        "import importlib.util as find, sys\n"
        "kept = [p for p in sys.path if 'site-packages' not in p]\n"
        "runtime = ('boto3', 'botocore', 's3transfer', 'jmespath', 'urllib3', 'dateutil', 'six')\n"
        "for name in runtime: __import__(name)\n"
        f"sys.path[:] = [{str(package)!r}, *kept]\n"
        "import handler.cloudformation as entry, crhelper, jsonschema\n"
        f"assert entry.__file__.startswith({str(package)!r})\n"
        f"assert crhelper.__file__.startswith({str(package)!r})\n"
        f"assert jsonschema.__file__.startswith({str(package)!r})\n"
        "entry.handler\n"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert (package / "schemas" / "transfer_server_state.schema.json").is_file()
    # Of what it packs, the function needs no tests.
    assert not [path for name in ("tests", "benchmarks") for path in package.rglob(name)]


def test_no_package_is_copied_to_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "package"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "local.copy_packages", "--target", gone),
            *("--requirement", "handler/requirements.txt"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, f"{gone} is not there to be filled.\n")
    assert list(tmp_path.iterdir()) == []


def test_what_the_sam_cli_uploads_is_beside_the_template(tmp_path: Path) -> None:
    variables = {"PACKAGES": provider_stack.PACKAGES}
    template, _ = decode_str(prepared(tmp_path, variables).read_text())
    application = template["Metadata"]["AWS::ServerlessRepo::Application"]
    functions = template["Globals"]["Function"]
    for name in (application["LicenseUrl"], application["ReadmeUrl"], functions["CodeUri"]):
        assert (tmp_path / str(name)).is_file()


def test_what_is_packed_is_what_the_tests_run_with() -> None:
    pinned = (ROOT / "requirements-dev.txt").read_text().lower().replace("_", "-").splitlines()
    packed = (ROOT / "handler" / "requirements.txt").read_text().lower().splitlines()
    assert [line for line in packed if not line.startswith("#") and line not in pinned] == []


def test_make_run_installs_what_the_tests_run_with() -> None:
    dev = (ROOT / "requirements-dev.txt").read_text().splitlines()
    run = (ROOT / "requirements-run.txt").read_text().splitlines()
    assert len(run) > 1
    assert [line for line in run[1:] if line not in dev] == []
