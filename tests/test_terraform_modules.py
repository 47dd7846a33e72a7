"""The Terraform modules say what the schema and their READMEs say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.modules import MODULES, Block, blocks, written
from docs.reference import ROOT, template
from transfer_server_state.schema import SCHEMA

# What only CloudFormation wants.
PROPERTIES = {name: rule for name, rule in SCHEMA["properties"].items() if name != "ServiceToken"}
IDS = {module: module.name for module in MODULES}


def snake(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.fixture(params=MODULES, ids=IDS.get)
def module(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def variables(module: Path) -> dict[str, Block]:
    return {each.name: each for each in blocks(module, "variable")}


def test_there_is_a_variable_for_each_property_and_only_those_are_required(
    variables: dict[str, Block],
) -> None:
    assert {snake(name) for name in PROPERTIES} <= variables.keys()
    required = {name for name, each in variables.items() if "default" not in each.arguments}
    assert required == {snake(name) for name in SCHEMA["required"] if name in PROPERTIES}


@pytest.mark.parametrize("name", [name for name, rule in PROPERTIES.items() if "enum" in rule])
def test_a_choice_is_the_schema_s(variables: dict[str, Block], name: str) -> None:
    variable, rule = variables[snake(name)], PROPERTIES[name]
    offered = re.search(r"contains\(\[(.*)\], var\.", variable.text)
    assert offered
    assert offered[1] == ", ".join(f'"{value}"' for value in rule["enum"])
    if "default" in rule:
        assert variable.arguments["default"] == f'"{rule["default"]}"'


def test_a_server_is_named_as_in_the_schema(variables: dict[str, Block]) -> None:
    patterns = re.findall(r'regex\("(.+)", var', variables["server_id"].text)
    # Terraform's $ is the end of the text, and no line's.
    known = [rule["pattern"].removesuffix(r"(?!\n)") for rule in PROPERTIES["ServerId"]["anyOf"]]
    assert patterns == known


def test_a_timeout_has_the_schema_s_limits_or_the_function_s(
    module: Path, variables: dict[str, Block]
) -> None:
    number = PROPERTIES["ServiceTimeout"]["anyOf"][0]
    function = template()["Resources"]["TerraformFunction"]["Properties"]
    longest = function["Timeout"] if module.name == "invocation" else number["maximum"]
    text = variables["service_timeout"].text
    assert re.findall(r"[<>]= (\d+)", text) == [str(number["minimum"]), str(longest)]
    assert variables["service_timeout"].arguments["default"] == str(longest)


def test_the_readme_s_tables_are_as_the_module_has_them(module: Path) -> None:
    text = (module / "README.md").read_text()
    assert "## Usage" in text
    assert written(module) == text, "run make docs"


def test_terraform_formats_it_so() -> None:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not on the PATH")
    done = subprocess.run(
        [program, "fmt", "-check", "-diff", "-recursive", str(ROOT / "terraform")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
