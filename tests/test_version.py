"""One version and one licence, wherever they are written; the log's lines have the package's."""

import re
import tomllib

import pytest

from deploy.artefact import ROOT
from docs.reference import template
from transfer_server_state import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
APPLICATION = template()["Metadata"]["AWS::ServerlessRepo::Application"]


def test_the_template_has_the_package_s_version() -> None:
    assert APPLICATION["SemanticVersion"] == __version__
    attribute = PROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute == "transfer_server_state.__version__"


def test_the_changelog_s_latest_release_is_this_version_below_what_is_unreleased() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]


def test_package_template_and_file_have_one_licence() -> None:
    assert PROJECT["project"]["license"] == APPLICATION["SpdxLicenseId"] == "Apache-2.0"
    assert PROJECT["project"]["license-files"] == [APPLICATION["LicenseUrl"]]
    text = (ROOT / APPLICATION["LicenseUrl"]).read_text()
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]


@pytest.mark.parametrize("name", ["LicenseUrl", "ReadmeUrl"])
def test_what_the_template_names_is_there(name: str) -> None:
    assert (ROOT / APPLICATION[name]).is_file()


def test_the_application_repository_takes_its_metadata_as_text() -> None:
    assert all(isinstance(each, str) for each in APPLICATION["Labels"])
    others = [value for name, value in APPLICATION.items() if name != "Labels"]
    assert all(isinstance(each, str) for each in others)
