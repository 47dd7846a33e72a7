"""What the guard does about one declared server: nothing, tell, or bring it back.

It acts on a row that no request is at work on, by the condition of its write, so a deployment
that comes meanwhile wins; it does not wait: the next pass sees what came of a command.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from transfer_server_state.aws import bus
from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.aws.registry import ConflictError, Registry
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.drift import Drift, Finding
from transfer_server_state.machine import COMMANDS, State, Step
from transfer_server_state.progress import LEAVES_WITHIN_S
from transfer_server_state.row import Row
from transfer_server_state.standing import Standing, standing

_DRIFTED = {Standing.DRIFTED, Standing.GONE}


class Keeper:
    """Looks after declared servers in one pass, one by one, and counts what it found."""

    def __init__(
        self,
        aws: Aws,
        registry: Registry,
        clock: Clock,
        this_pass: str,
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        self._aws = aws
        self._registry = registry
        self._stacks = Stacks(aws)
        self._now = clock.now
        self._this_pass = this_pass
        self._log = log
        self.drifted = self.owed = self.reasserted = 0
        self.failures: list[str] = []

    def look_after(self, row: Row, actual: State | None, *, at_once: bool) -> None:
        """See to a server that was found so, None if there is none; what fails is noted."""
        if row.is_free:
            return
        how = standing(row, actual, self._now())
        settled = how not in {Standing.AT_WORK, Standing.FAILED}
        self.owed += settled and row.restoring is not None
        self.drifted += how in _DRIFTED or (how is Standing.MOVING and row.drift is not None)
        try:
            if how is Standing.AS_DECLARED:
                self._settle(row)
            elif how in _DRIFTED:
                self._see_to(row, actual, at_once=at_once)
            elif how is Standing.FAILED and row.found and not row.held:
                self._inherit(row)
        except ConflictError:
            # A request came: it knows better.
            return
        except (UnavailableError, RefusedError) as error:
            self.note(row.server_id, str(error))

    def _settle(self, row: Row) -> None:
        if row.drift or row.restoring:
            self._tell(Finding.AS_DECLARED, row, row.target)
            self._registry.write(row.completed() if row.restoring else replace(row, drift=None))

    def _inherit(self, row: Row) -> None:
        """Owe what a creation found that failed, and that CloudFormation does not know any more."""
        if not (row.owner.is_terraform or self._stacks.knows(row.owner)):
            self._registry.write(replace(row, restoring=row.undone))

    def _see_to(self, row: Row, actual: State | None, *, at_once: bool) -> None:
        acts = row.reasserts or row.restoring is not None
        known = row.drift and row.drift.told and row.drift.request == row.request
        if known and not acts:
            return
        if self._registry.read(row.server_id).version != row.version:
            raise ConflictError
        server = Server(self._aws, row.server_id)
        if actual is None and server.find():
            # It is newer than the list.
            return
        drift = self._drift(row, actual, at_once=at_once)
        finding = drift.finding(has_owner=self._has_owner(row))
        seen = replace(row, drift=drift)
        if finding != drift.told and self._tell(finding, seen, actual):
            drift = replace(drift, told=finding)
            seen = replace(row, drift=drift)
        due = drift.is_due(self._this_pass, at_once=at_once)
        if acts and due and actual and finding is Finding.DRIFTED:
            self._bring_back(seen, drift, server)
        elif seen != row:
            self._registry.write(seen)

    def _has_owner(self, row: Row) -> bool:
        """Tell whether somebody stands behind it; what is owed needs nobody."""
        stands = row.restoring is not None or row.owner.is_terraform
        return stands or self._stacks.lists(row.owner, row.server_id)

    def _drift(self, row: Row, actual: State | None, *, at_once: bool) -> Drift:
        """Return what is known of it after this pass."""
        if row.drift is None:
            return Drift(row.request, self._now(), actual, self._this_pass)
        drift = row.drift.seen(row.request, actual, self._this_pass)
        # AWS's own update is a reason to try again.
        return replace(drift, commands=0) if at_once else drift

    def _bring_back(self, row: Row, drift: Drift, server: Server) -> None:
        """Write the command down, then give it, as a request does: see progress.py."""
        progress = row.progress.for_the_next_request().seen(server.observe(), self._now())
        step = progress.step(row.target, self._now(), doubted_until_s=0)
        if step not in COMMANDS:
            self._registry.write(row)
            return
        intended = progress.intended(step, self._now())
        written = self._registry.write(
            replace(row, progress=intended, drift=drift.commanded(self._this_pass))
        )
        try:
            self._command(server, step, written)
        except (UnavailableError, RefusedError) as error:
            if error.did_nothing:
                # So it does not count.
                self._registry.write(replace(written, progress=row.progress, drift=drift))
            raise
        self.reasserted += 1
        self._log({"server": row.server_id, "actual": progress.last, "command": step})

    def _command(self, server: Server, step: Step, row: Row) -> None:
        if self._now() - row.progress.commanded_at_s > LEAVES_WITHIN_S:
            raise UnavailableError(f"{step}: the registry took too long")
        server.command(step)

    def _tell(self, finding: Finding, row: Row, actual: State | None) -> bool:
        """Tell a finding in the log, and on the bus when a drift begins or ends; tell if it could.

        What there is to do has to be done, even if the bus does not take it.
        """
        since_s = row.drift.since_s if row.drift else self._now()
        told = {
            "finding": finding,
            "server": row.server_id,
            "declared": row.target,
            "actual": actual,
            "since": datetime.fromtimestamp(since_s, UTC).isoformat(timespec="seconds"),
            "stack": row.owner.stack_id,
            "resource": row.owner.logical_id,
            "owed": bool(row.restoring),
            "reasserts": row.reasserts,
        }
        self._log(told)
        ends = finding is Finding.AS_DECLARED
        if ends or not (row.drift and row.drift.told):
            try:
                bus.put(self._aws, "Server As Declared" if ends else "Server Drifted", told)
            except (UnavailableError, RefusedError) as error:
                self.note(row.server_id, str(error))
                return False
        return True

    def note(self, server_id: str, problem: str) -> None:
        """Take note of what could not be done."""
        self.failures.append(f"{server_id}: {problem}")
        self._log({"server": server_id, "problem": problem})
