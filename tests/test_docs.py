"""What the documents name is there; of the README, test_readme.py asks more."""

import re
from pathlib import Path

import pytest

from docs.reference import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
IDS = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def headings(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in found}


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        assert not anchor or anchor in headings(target.read_text()), link


def test_whoever_changes_something_finds_it_where_contributing_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:\w+\.py)?)`", text))
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_target_that_is_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        commands = re.findall(r"(?:^ {4}|`)make ((?:[a-z-]+ )*[a-z-]+)", path.read_text(), re.M)
        named = {name for command in commands for name in command.split()}
        assert named <= targets, path
