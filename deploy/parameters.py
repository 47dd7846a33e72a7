"""What `make deploy` was given: checked against the template's parameters, and shown.

`python -m deploy.parameters` does both, and changes nothing. It must not know how the template is
deployed.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

from deploy.artefact import TEMPLATE

# What the Makefile itself may be given besides.
OF_MAKE = {"PYTHON", "SAM_CLI", "SAM_CLI_TELEMETRY", "VENV"}
# `make up` exports both; its engine runs functions with the packages of this machine.
_ENDPOINT, _TRANSFER_ENDPOINT = "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_TRANSFER"


def declared() -> dict[str, dict[str, Any]]:
    """Return the template's parameters by name."""
    parameters: dict[str, dict[str, Any]] = yaml_parse(TEMPLATE.read_text())["Parameters"]
    return parameters


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what make was given on its command line, by name.

    Make has their names in OVERRIDES, and exports each.
    """
    words = re.split(r"(?<!\\)\s+", environment.get("OVERRIDES", "").strip())
    names = (re.split(r"[:+?!]*=", word, maxsplit=1)[0] for word in words if word)
    return {name: environment.get(name, "") for name in sorted(names) if name not in OF_MAKE}


def problems(values: Mapping[str, str], parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say what is wrong with each value that is, and what was expected."""
    found = []
    for name, value in values.items():
        if name not in parameters:
            found.append(f"{name}: there is no such parameter{_meant(name, [*parameters])}")
        elif not _allowed(value, parameters[name]):
            found.append(f"{name} is {value!r}; expected {_expected(parameters[name])}")
    return found


def _allowed(value: str, rule: Mapping[str, Any]) -> bool:
    if "AllowedValues" in rule:
        return value in map(str, rule["AllowedValues"])
    each = value.split(",") if rule["Type"] == "CommaDelimitedList" else [value]
    return all(re.fullmatch(rule["AllowedPattern"], item.strip(" ")) for item in each)


def _expected(rule: Mapping[str, Any]) -> str:
    allowed = ", ".join(map(str, rule.get("AllowedValues", ())))
    return str(rule.get("ConstraintDescription") or f"one of {allowed}")


def _meant(name: str, known: Sequence[str]) -> str:
    folded = {each.casefold(): each for each in known}
    matches = difflib.get_close_matches(name.casefold(), folded)
    if matches:
        return f"; did you mean {folded[matches[0]]}?"
    return f". There are {', '.join(known)}."


def shown(
    values: Mapping[str, str],
    deployed: Mapping[str, str],
    parameters: Mapping[str, Mapping[str, Any]],
) -> str:
    """Tell what each parameter will be, and why: CloudFormation keeps what is not given anew."""
    lines, effective = [], {}
    for name, rule in parameters.items():
        value, why = str(rule["Default"]), "default"
        if name in values:
            value, why = values[name], "given"
        elif name in deployed:
            value, why = deployed[name], "as deployed"
        effective[name] = value
        lines.append(f"  {name:<24}{value or '-'}  ({why})")
    if "*" in effective["ServerArnPattern"].split(",") and not effective["ServerTagKey"]:
        lines.append("It may stop and start every server of this account and region.")
    return "\n".join(lines)


def stack_name(values: Mapping[str, str], parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the name of the provider's stack: that with which its functions' names begin."""
    return values.get("NamePrefix", str(parameters["NamePrefix"]["Default"]))


def is_local(environment: Mapping[str, str]) -> bool:
    """Tell whether it goes to the engine of `make up`, whose exports are set."""
    hosts = {
        urlsplit(environment.get(name, "")).hostname for name in (_ENDPOINT, _TRANSFER_ENDPOINT)
    }
    return hosts <= {"127.0.0.1", "localhost"}


def as_deployed(cloudformation: Any, stack: str) -> dict[str, str]:
    """Return the parameters of a stack, none if there is no such stack."""
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise
    return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())}


def main() -> None:
    """Show what a deployment would use, or say what is wrong and exit with 1."""
    values, parameters = given(os.environ), declared()
    if wrong := problems(values, parameters):
        sys.exit("Nothing was deployed.\n" + "\n".join(f"  {each}" for each in wrong))
    stack = stack_name(values, parameters)
    try:
        cloudformation = boto3.client("cloudformation")
        deployed = as_deployed(cloudformation, stack)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"Nothing was deployed: AWS cannot be asked for the stack {stack}. {error}")
    region = cloudformation.meta.region_name
    place = "on this machine" if is_local(os.environ) else f"in {region}"
    doing = "Updates" if deployed else "Creates"
    sys.stdout.write(f"{doing} the stack {stack} {place}, with\n")
    sys.stdout.write(f"{shown(values, deployed, parameters)}\n")


if __name__ == "__main__":
    main()
