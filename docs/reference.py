"""The reference, drawn from what it describes: schema, table, messages, role, rules, example.

`python -m docs.reference` writes it into the README and the other documents between their markers;
a test holds it there.
"""

import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cfnlint.decode import decode_str
from cfnlint.rules import Rules

from tests.simulation.limits import LIMITS
from transfer_server_state.machine import COMMANDS, STABLE, TABLE, State, Step
from transfer_server_state.outcome import ADVICE, STANDS
from transfer_server_state.schema import SCHEMA

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FILES = (README, *sorted((ROOT / "docs").glob("*.md")))
_PART = re.compile(r"(<!-- (\w+): make docs -->\n).*?(<!-- end -->)", re.DOTALL)

ROLES = {
    "Role": "provider",
    "GuardRole": "guard",
    "HookRole": "hook",
    "HookExecutionRole": "CloudFormation",
    "TerraformRole": "terraform",
}

# The state that shows a server on its way, and where that ends if it does not succeed.
_UNDER_WAY = {State.ONLINE: State.STARTING, State.OFFLINE: State.STOPPING}
_FAILURE = {State.ONLINE: State.START_FAILED, State.OFFLINE: State.STOP_FAILED}


def example() -> str:
    """Show what to paste into a stack that has a server."""
    return _cut("examples/server-and-state.yaml", "  State:", "\nOutputs:")


def properties() -> str:
    """List what may be declared."""
    rows = []
    for name, rule in SCHEMA["properties"].items():
        need = "required" if name in SCHEMA["required"] else f"{rule.get('default', '')}"
        about = rule.get("$comment", "CloudFormation's own.")
        rows.append(f"| `{name}` | {rule['description']} | {need} | {about} |")
    return table("| property | value | default | |", rows)


def transitions() -> str:
    """Show the whole decision."""
    rows = [
        f"| `{desired}` | `{observed}` | {_step(before)} | {_step(after)} |"
        for desired, row in TABLE.items()
        for observed, (before, after) in row.items()
    ]
    head = "| desired | observed | before our command | after it |"
    return table(head, rows) + (
        "\nA failure that is seen after our command, in the very state in which the command was "
        "given, may be a\nstale read: it counts as failed only after a grace.\n"
    )


def diagram() -> str:
    """Draw the way of a server to the desired state."""
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR"]
    for desired, row in TABLE.items():
        lines.append(f'    state "DesiredState: {desired}" as to_{desired} {{')
        for observed, (before, after) in row.items():
            here = f"        {_node(desired, observed)}"
            lines.append(f'        state "{observed}" as {_node(desired, observed)}')
            if before in COMMANDS:
                lines.append(f"{here} --> {_node(desired, _UNDER_WAY[desired])}: {before}")
            elif before is Step.WAIT:
                lines.append(f"{here} --> {_node(desired, STABLE[observed])}")
            else:
                lines.append(f"{here} --> [*]: SUCCESS")
            if after is Step.FAILED:
                lines.append(f"{here} --> [*]: FAILED, after our command")
        failed = _node(desired, _FAILURE[desired])
        lines.append(f"        {_node(desired, _UNDER_WAY[desired])} --> {failed}")
        lines.append("    }")
    return "\n".join([*lines, "```", ""])


def failures() -> str:
    """List how a request may end, and the sentence that the Reason ends with."""
    rows = [f"| {outcome} | {_plain(ADVICE[outcome]) or '-'} |" for outcome in STANDS]
    return table("| outcome in the log | what the Reason says to do |", rows)


def template() -> dict[str, Any]:
    """Return the provider's template."""
    decoded: dict[str, Any] = decode_str((ROOT / "template.yaml").read_text())[0]
    return decoded


def parameters() -> str:
    """List what a deployment may be given."""
    rows = [
        f"| `{name}` | {_code(rule['Default'])} | {rule['Description']} |"
        for name, rule in template()["Parameters"].items()
    ]
    return table("| parameter | default | |", rows)


def permissions() -> str:
    """List the statements of the functions' roles."""
    rows = []
    for name, resource in template()["Resources"].items():
        role = ROLES.get(name, "all")
        declared: dict[str, Any] = resource.get("Properties", {})
        for policy in declared.get("Policies") or [declared]:
            for statement in policy.get("PolicyDocument", {}).get("Statement", ()):
                actions = statement["Action"]
                actions = [actions] if isinstance(actions, str) else actions
                named = ", ".join(f"`{action}`" for action in actions)
                rows.append(f"| {role} | {statement['Sid']} | {named} |")
    return table("| function | for | actions |", rows)


def rules() -> str:
    """List what cfn-lint finds."""
    found = sorted(Rules.create_from_module("transfer_server_state.lint").items())
    rows = [f"| {name} | {rule.shortdesc} | {rule.description} |" for name, rule in found]
    return table("| id | finds | why |", rows)


def exempted() -> str:
    """List what the simulation exempts."""
    told = (inspect.getdoc(limit) or "" for limit in LIMITS)
    return "".join(f"- {' '.join(text.split())}\n" for text in told)


def use_cloudformation() -> str:
    """Show the shortest that declares a server which is there."""
    return _cut("examples/existing-server.yaml", "AWSTemplateFormatVersion", "\nOutputs:")


def use_sam() -> str:
    """Show what brings the provider along."""
    return _cut("examples/sam-app/template.yaml", "  TransferServerState:", "\nOutputs:")


def use_cdk() -> str:
    """Show the construct in its stack."""
    return _cut("examples/cdk/app.py", "        server = ", "        CfnOutput", "python")


def use_terraform_invocation() -> str:
    """Show the module that calls the function."""
    return _cut("terraform/invocation/examples/basic/main.tf", "module", "\noutput", "hcl")


def use_terraform_stack() -> str:
    """Show the module that makes a stack."""
    return _cut("terraform/stack/examples/basic/main.tf", "module", "\noutput", "hcl")


def use_aws_cli() -> str:
    """Show the commands."""
    return _cut("examples/aws-cli.sh", "aws ", "", "sh")


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part
    for part in (
        *(example, parameters, properties, transitions, diagram, failures, permissions),
        *(rules, exempted, use_cloudformation, use_sam, use_cdk),
        *(use_terraform_invocation, use_terraform_stack, use_aws_cli),
    )
}


def written(text: str) -> str:
    """Return a file's text with every generated part made anew."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[3]}", text)


def _cut(name: str, first: str, end: str, language: str = "yaml") -> str:
    """Return a part of a file that a test runs, from what its first line begins with."""
    text = (ROOT / name).read_text()
    begin = text.index(f"\n{first}") + 1 if not text.startswith(first) else 0
    part = text[begin : text.index(end, begin) if end else len(text)]
    return f"```{language}\n{textwrap.dedent(part).strip()}\n```\n"


def table(head: str, rows: list[str]) -> str:
    """Return a table in Markdown, under its head."""
    return "\n".join([head, re.sub(r"[^|]+", "---", head), *rows, ""])


def _code(value: object) -> str:
    return "" if value == "" else f"`{value}`"


def _step(step: Step) -> str:
    return f"**{step}**" if step in COMMANDS else str(step)


def _plain(advice: str) -> str:
    """Return advice as it is when a deployment failed early enough to have more time."""
    longer = ", or raise ServiceTimeout"
    return advice.format(again="deploy again", longer=longer)


def _node(desired: State, observed: State) -> str:
    return f"{desired}_{observed}"


if __name__ == "__main__":
    for file in FILES:
        file.write_text(written(file.read_text()))
