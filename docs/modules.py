"""The tables of the Terraform modules' READMEs, drawn from the modules' files.

`python -m docs.modules` writes them between their markers; a test holds them there.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from docs.reference import ROOT, table

MODULES = sorted((ROOT / "terraform").iterdir())
_TABLES = re.compile(r"(<!-- tables: make docs -->\n).*?(<!-- end -->)", re.DOTALL)
_BLOCK = re.compile(r'^(\w+) "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
_ARGUMENT = re.compile(r"^  (\w+) *= *(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A variable or an output: its name, its arguments as they are written, and all of its text."""

    name: str
    arguments: dict[str, str]
    text: str

    @property
    def description(self) -> str:
        """Return it without its quotation marks."""
        return self.arguments["description"].strip('"')


def blocks(module: Path, kind: str) -> list[Block]:
    """Return a module's blocks of a kind, in their order."""
    text = (module / f"{kind}s.tf").read_text()
    return [
        Block(name, dict(_ARGUMENT.findall(body)), body)
        for found, name, body in _BLOCK.findall(text)
        if found == kind
    ]


def tables(module: Path) -> str:
    """Return the tables as the registry has them."""
    needed = (module / "versions.tf").read_text()
    versions = re.findall(r'(?:required_)?version += "(.+)"', needed)
    requirements = [
        f"| {name} | {v} |" for name, v in zip(("terraform", "aws"), versions, strict=True)
    ]
    inputs = [
        f"| {each.name} | {each.description} | `{each.arguments['type']}` | {_default(each)} |"
        for each in blocks(module, "variable")
    ]
    outputs = [f"| {each.name} | {each.description} |" for each in blocks(module, "output")]
    parts = {
        "Requirements": ("| Name | Version |", requirements),
        "Providers": ("| Name | Version |", requirements[1:]),
        "Inputs": ("| Name | Description | Type | Default |", inputs),
        "Outputs": ("| Name | Description |", outputs),
    }
    return "\n".join(f"## {title}\n\n{table(*part)}" for title, part in parts.items())


def written(module: Path) -> str:
    """Return the README's text with its tables made anew."""
    text = (module / "README.md").read_text()
    return _TABLES.sub(lambda part: f"{part[1]}{tables(module)}{part[2]}", text)


def _default(variable: Block) -> str:
    default = variable.arguments.get("default")
    return "required" if default is None else f"`{default}`"


if __name__ == "__main__":
    for each in MODULES:
        (each / "README.md").write_text(written(each))
