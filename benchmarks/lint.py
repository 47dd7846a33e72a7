"""What the rules for cfn-lint add to its own time: whole processes, with the rules and without."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
EXAMPLE, DECLARATIONS = "examples/server-and-state.yaml", 100
_RULES = ("-a", "transfer_server_state.lint")
_PAIR = """
  Server{0}:
    Type: AWS::Transfer::Server
  State{0}:
    Type: Custom::TransferServerState
    Properties:
      ServiceToken: !ImportValue TransferServerState-ServiceToken
      ServerId: !GetAtt Server{0}.ServerId
      DesiredState: !If [Night, OFFLINE, ONLINE]
      OnDrift: REASSERT"""


@dataclass
class Times:
    """Seconds of processor time of each round."""

    alone: list[float] = field(default_factory=list)
    with_rules: list[float] = field(default_factory=list)


def measure(rounds: int, progress: Callable[[], object] = lambda: None) -> dict[str, Times]:
    """Lint the example and a large template, in turn with the rules and without."""
    found = {EXAMPLE: Times(), f"{DECLARATIONS} servers and declarations": Times()}
    with TemporaryDirectory() as folder:
        example = Path(shutil.copy(ROOT / EXAMPLE, folder))
        large = Path(folder, "large.yaml")
        conditions = 'Conditions:\n  Night: !Equals [!Ref "AWS::Region", eu-west-1]\n'
        pairs = "".join(map(_PAIR.format, range(DECLARATIONS)))
        large.write_text(f"{conditions}Resources:{pairs}\n", encoding="utf-8")
        for _ in range(rounds):
            for times, template in zip(found.values(), (example, large), strict=True):
                times.alone.append(_cpu_s(template))
                times.with_rules.append(_cpu_s(template, *_RULES))
            progress()
    return found


def _cpu_s(template: Path, *options: str) -> float:
    before = getrusage(RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).parent / "cfn-lint"), *options, "-t", str(template)]
    # Not in this checkout, whose .cfnlintrc names the rules.
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=template.parent, env=environment, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
