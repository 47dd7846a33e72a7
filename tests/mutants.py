"""make mutants: what runs in Lambda broken in every small way, and how much is noticed."""

import re
import subprocess
import sys
from collections import Counter, defaultdict

from rich.console import Console
from rich.table import Table

NOTICED = {"killed": "by a test", "caught by type check": "by types", "timeout": "by a time-out"}
LEAST = 0.95
# Where every mutant has to be noticed.
DECIDING = {"transfer_server_state.machine", "transfer_server_state.progress"}


def main() -> int:
    """Run mutmut on all cores, and print what it found by module; fail below the limits."""
    mutmut("run")
    told = mutmut("results", "--all", "true", stdout=subprocess.PIPE)
    modules: dict[str, Counter[str]] = defaultdict(Counter)
    lives = {}
    for mutant, module, status in re.findall(
        r"(((?:handler|transfer_server_state)(?:\.[a-z]\w*)+)\.x\S+): (.+)", told
    ):
        modules[module][status] += 1
        if status not in NOTICED:
            lives[mutant] = module
    total: Counter[str] = sum(modules.values(), Counter())
    table = Table("module", "mutants", *NOTICED.values(), "not", "noticed")
    for module, found in [*sorted(modules.items()), ("all", total)]:
        noticed = [found[status] for status in NOTICED]
        unnoticed = found.total() - sum(noticed)
        share = f"{sum(noticed) / found.total():.1%}"
        table.add_row(module, *map(str, [found.total(), *noticed, unnoticed]), share)
    console = Console()
    console.print(table)
    if lives:
        console.print("Unnoticed; mutmut show NAME shows one:", *lives, sep="\n", highlight=False)
    enough = len(lives) <= (1 - LEAST) * total.total() and DECIDING.isdisjoint(lives.values())
    return 0 if enough else 1


def mutmut(*arguments: str, stdout: int | None = None) -> str:
    """Run a command of mutmut's, and return its output if it goes to a pipe."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    ended = subprocess.run(command, check=True, stdout=stdout, text=True)
    return ended.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
