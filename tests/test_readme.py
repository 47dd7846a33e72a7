"""The README, and what else has generated parts, says what the code does."""

import re

from docs.reference import FILES, PARTS, README, ROOT, written


def test_generated_parts_are_as_the_code_has_them() -> None:
    texts = [file.read_text() for file in FILES]
    assert set(re.findall(r"<!-- (\w+): make docs -->", "".join(texts))) == set(PARTS)
    assert [written(text) for text in texts] == texts, "run make docs"


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https:)([^)#]+)", README.read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_that_is_named_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"\bmake ([a-z-]+)\b", README.read_text()))
    assert named
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert named - targets == set()
