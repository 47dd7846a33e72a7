"""`make deploy` does what its command line says, tells it before, and asks whoever is there."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy import parameters
from deploy.__main__ import fitting, sam_deploy
from deploy.artefact import ROOT

DECLARED = parameters.declared()
SERVER = "arn:aws:transfer:eu-west-1:111122223333:server/s-0123456789abcdef0"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:on-call"
LOCAL = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4000",
    "AWS_ENDPOINT_URL_TRANSFER": "http://127.0.0.1:4001",
}


def test_make_passes_on_what_it_was_given_and_refuses_what_it_does_not_know() -> None:
    # It is set up where this runs, and must not be set up anew by that.
    command = ["make", "--silent", "--old-file=.venv/.ready-run", "deploy", "AlarmTopicArm=x"]
    ran = subprocess.run(
        [*command, "ServerTagValue=two words | more", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        # Nor may what was given to a make that runs the tests.
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[:3] == [
        "Nothing was deployed.",
        "  AlarmTopicArm: there is no such parameter; did you mean AlarmTopicArn?",
        "  ServerTagValue is 'two words | more'; "
        "expected up to 256 letters, digits, spaces and _.:/=+@-",
    ]


def test_names_come_from_make_and_values_from_what_it_exports() -> None:
    environment = {
        "OVERRIDES": r"ServerTagValue=a\ b=c AlarmTopicArn:=x PYTHON=python3.13 NamePrefix=",
        "ServerTagValue": "a b=c",
        "AlarmTopicArn": TOPIC,
        "NamePrefix": "",
        "ServerTagKey": "of the environment, not of the command line",
    }
    given = {"AlarmTopicArn": TOPIC, "NamePrefix": "", "ServerTagValue": "a b=c"}
    assert parameters.given(environment) == given
    assert parameters.given({}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NamePrefix", "standby-2"),
        ("ExportPrefix", "Standby:State"),
        ("ServerArnPattern", "*"),
        ("ServerArnPattern", SERVER),
        ("ServerArnPattern", f"{SERVER}, arn:aws-cn:transfer:*:*:server/*"),
        ("ServerTagKey", "aws:cloudformation:stack-name"),
        ("AlarmTopicArn", TOPIC),
        ("PermissionsBoundaryArn", "arn:aws:iam::111122223333:policy/path/of-it"),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd"),
        ("ReservedConcurrency", "10"),
        ("LogRetentionInDays", "365"),
    ],
)
def test_what_is_sensible_is_taken(name: str, value: str) -> None:
    assert parameters.problems({name: value}, DECLARED) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NamePrefix", ""),
        ("NamePrefix", "Upper"),
        # Lambda's names end at 64 characters, and the longest suffix takes 10.
        ("NamePrefix", "a" * 41),
        ("ExportPrefix", ""),
        ("ExportPrefix", "with space"),
        ("ServerArnPattern", "s-0123456789abcdef0"),
        # It would read as one more that is allowed, and be all or none.
        ("ServerArnPattern", f"{SERVER},"),
        ("ServerArnPattern", ""),
        ("ServerTagKey", 'quote"'),
        ("ServerTagValue", "${aws:username}"),
        ("AlarmTopicArn", "on-call"),
        ("PermissionsBoundaryArn", 'arn:aws:iam::111122223333:policy/"'),
        ("KmsKeyArn", "alias/mine"),
        # It would leave every request to its ServiceTimeout.
        ("ReservedConcurrency", "0"),
        ("LogRetentionInDays", "8"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_was_expected(name: str, value: str) -> None:
    (problem,) = parameters.problems({name: value}, DECLARED)
    assert problem.startswith(f"{name} is {value!r}; expected ")


def test_a_name_like_no_other_is_refused_with_all_there_are() -> None:
    (problem,) = parameters.problems({"Zzz": "1"}, DECLARED)
    assert problem.startswith("Zzz: there is no such parameter. There are NamePrefix, ")


def test_what_is_not_given_anew_is_shown_as_it_was_deployed() -> None:
    deployed = {"ServerArnPattern": SERVER, "AlarmTopicArn": TOPIC, "Gone": "x"}
    lines = parameters.shown({"AlarmTopicArn": ""}, deployed, DECLARED).splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines}
    assert words["ServerArnPattern"] == [SERVER, "(as", "deployed)"]
    assert words["AlarmTopicArn"] == ["-", "(given)"]
    assert words["NamePrefix"] == ["transfer-server-state", "(default)"]
    assert [*words] == [*DECLARED]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, True),
        ({"ServerArnPattern": f"{SERVER},*"}, True),
        ({"ServerArnPattern": SERVER}, False),
        ({"ServerTagKey": "state", "ServerTagValue": "declared"}, False),
    ],
)
def test_access_that_nothing_limits_is_said(values: dict[str, str], told: bool) -> None:  # noqa: FBT001
    everything = "It may stop and start every server of this account and region."
    assert (everything in parameters.shown(values, {}, DECLARED)) is told


class CloudFormation:
    """Answers for one stack, or refuses with an error's code and message."""

    def __init__(self, *, refusal: str = "", stacks: list[dict[str, Any]] | None = None) -> None:
        self._refusal, self._stacks = refusal, stacks

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self._refusal:
            error = {"Code": "ValidationError", "Message": f"{StackName} {self._refusal}"}
            raise ClientError({"Error": error}, "DescribeStacks")
        return {"Stacks": self._stacks}


def test_a_stack_s_parameters_are_read_and_a_new_one_has_none() -> None:
    stacks = [{"Parameters": [{"ParameterKey": "AlarmTopicArn", "ParameterValue": TOPIC}]}]
    found = parameters.as_deployed(CloudFormation(stacks=stacks), "it")
    assert found == {"AlarmTopicArn": TOPIC}
    assert parameters.as_deployed(CloudFormation(refusal="does not exist"), "it") == {}


def test_a_stack_that_cannot_be_read_is_not_taken_for_a_new_one() -> None:
    with pytest.raises(ClientError):
        parameters.as_deployed(CloudFormation(refusal="is not yours to see"), "it")


def test_each_name_prefix_has_a_stack_of_its_own() -> None:
    assert parameters.stack_name({}, DECLARED) == "transfer-server-state"
    assert parameters.stack_name({"NamePrefix": "standby"}, DECLARED) == "standby"


def test_packages_are_this_machine_s_only_for_the_engine_of_make_up() -> None:
    assert fitting(LOCAL) == {"PACKAGES": f"'{sys.executable}' -m local.copy_packages"}
    for_aws = {"PYTHON": sys.executable}
    assert fitting({}) == for_aws
    assert fitting({"AWS_ENDPOINT_URL": LOCAL["AWS_ENDPOINT_URL"]}) == for_aws
    assert fitting(LOCAL | {"AWS_ENDPOINT_URL": "https://proxy.example"}) == for_aws


def test_what_was_not_given_is_left_to_cloudformation() -> None:
    assert "--parameter-overrides" not in sam_deploy(Path("t"), "it", {}, asks=True)


@pytest.mark.parametrize(
    ("terminal", "flag"), [(True, "--confirm-changeset"), (False, "--no-confirm-changeset")]
)
def test_it_builds_and_asks_only_whom_it_can(tmp_path: Path, terminal: bool, flag: str) -> None:  # noqa: FBT001
    told = tmp_path / "told.json"
    sam = tmp_path / "sam"
    sam.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        f"pathlib.Path({str(told)!r}).write_text(json.dumps(sys.argv[1:]))\n"
    )
    sam.chmod(0o700)
    given = {"OVERRIDES": "ServerTagValue=a\\ b NamePrefix=second", "NamePrefix": "second"}
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "deploy", f"--sam={sam}", f"--folder={tmp_path / 'out'}"],
            cwd=ROOT,
            env={**os.environ, **LOCAL, **given, "ServerTagValue": "a b"},
            stdin=theirs if terminal else subprocess.DEVNULL,
            check=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    template = tmp_path / "out" / "template.yaml"
    assert json.loads(told.read_text()) == [
        "deploy",
        f"--template-file={template}",
        f"--config-file={ROOT / 'samconfig.toml'}",
        "--stack-name=second",
        flag,
        "--parameter-overrides",
        'NamePrefix="second"',
        'ServerTagValue="a b"',
    ]
    assert "    CodeUri: package.zip\n" in template.read_text()
    assert (tmp_path / "out" / "package.zip").is_file()
