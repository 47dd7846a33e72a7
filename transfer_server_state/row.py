"""A row of the registry: what is remembered of one declared server, and how a request claims it.

Each method returns the row as it is to be written; none calls anybody. Why each rule stands is
told in docs/registry.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from transfer_server_state.declaration import LONGEST_TIMEOUT_S
from transfer_server_state.drift import Drift
from transfer_server_state.machine import STABLE, State
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner, Request

# Requests that never claim again, in case one is delivered once more.
_PAST = 8
_TOMBSTONE_S = 30 * 24 * 3600


@dataclass(frozen=True)
class Row:
    """One declared server; times are seconds since the epoch, and without a version it is new.

    `found`: the stable state before its owner first declared it. `held`: whether the owner was
    ever answered SUCCESS. `restoring`: the state that a deletion owes. `released`: a tombstone.
    `reasserts`: whether the guard keeps it so. `drift`: what the guard knows, if it is not so.
    `given_up`: who released it without having it, and when, lest what they sent before claims it.
    `before`: the row of the resource that it was taken from, which has it again if that is undone.
    """

    server_id: str = ""
    owner: Owner = field(default_factory=Owner)
    desired: State | None = None
    found: State | None = None
    request: str = ""
    sent_at: float = 0.0
    declared_at: float = 0.0
    past: tuple[str, ...] = ()
    given_up: Mapping[str, float] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    answer: Mapping[str, Any] | None = None
    held: bool = False
    restoring: State | None = None
    released: bool = False
    reasserts: bool = False
    drift: Drift | None = None
    before: "Row | None" = None
    expires_at: int = 0
    version: int = 0

    @property
    def is_free(self) -> bool:
        """Tell whether nobody declares the server."""
        return self.released or not self.version

    @property
    def target(self) -> State:
        """Return the state that is owed or declared; a row that a request has claimed has one."""
        return cast("State", self.restoring or self.desired)

    @property
    def undone(self) -> State | None:
        """Return the state that it goes back to if what is declared is undone."""
        return self.before.desired if self.before else self.found

    def is_at_work(self, now_s: float) -> bool:
        """Tell whether its request has still to answer, and time to do so."""
        return self.answer is None and now_s <= self.sent_at + LONGEST_TIMEOUT_S

    def is_settled(self, now_s: float) -> bool:
        """Tell whether no request is at work on it, and what it declares or owes stands.

        What an Update declared in vain does not: its rollback or a person decides.
        """
        if self.is_free or self.is_at_work(now_s):
            return False
        return self.restoring is not None or (self.answer or {}).get("status") == "SUCCESS"

    def supersedes(self, request: Request) -> bool:
        """Tell whether a request that is not the row's comes too late for it.

        Of what one owner sends in the same second, a release comes last.
        """
        tie = self.owner == request.owner and request.sent_s == self.sent_at
        releasing = self.released or self.restoring is not None
        return (
            request.digest in self.past
            or request.sent_s < self.sent_at
            or request.sent_s <= self.given_up.get(str(request.owner), 0)
            or (tie and releasing and not request.releases)
        )

    def given_up_by(self, request: Request) -> Self:
        """Return it as one leaves it who does not have it, or not yet: a claim under way fails."""
        latest = [*self.given_up.items(), (str(request.owner), request.sent_s)][-_PAST:]
        before = self.before._without(request.owner) if self.before else None
        return replace(self, given_up=dict(latest), before=before)

    def _without(self, owner: Owner) -> "Row | None":
        if self.owner == owner:
            return self.before
        return replace(self, before=self.before._without(owner)) if self.before else self

    def claimed(self, request: Request, **changes: Any) -> Self:
        """Return it with the request at work; what an earlier one set in motion is kept."""
        past = (*self.past, self.request) if self.request else self.past
        return replace(
            self,
            request=request.digest,
            sent_at=request.sent_s,
            past=past[-_PAST:],
            progress=self.progress.for_the_next_request(),
            answer=None,
            released=False,
            expires_at=0,
            **changes,
        )

    def taken(
        self, request: Request, found: State | None, *, held: bool = False, stands: bool = False
    ) -> Self:
        """Return it claimed by a request whose resource did not have it until now.

        `stands`: whether who has it still declares it, should the request be undone.
        """
        before = replace(self, past=(), given_up={}, progress=Progress(), answer=None)
        return self.claimed(
            request,
            owner=request.owner,
            declared_at=request.sent_s,
            desired=request.desired,
            reasserts=request.reasserts,
            drift=None,
            found=found,
            held=held,
            restoring=None,
            before=before._without(request.owner) if stands else None,
        )

    def with_progress(self, progress: Progress) -> Self:
        """Return it with what the request saw and did; the first look is what was found."""
        found = self.found or (STABLE[progress.first] if progress.first else None)
        return replace(self, progress=progress, found=found)

    def answered(self, request: Request, answer: Mapping[str, Any]) -> Self:
        """Return it with the answer to its request; to another's it keeps its own."""
        return replace(self, answer=answer) if self.request == request.digest else self

    def buried(self) -> Self:
        """Return it as a tombstone, so that a late request of its owner is known for that.

        What it was taken from has it again.
        """
        if self.before:
            return self._given_back(self.before)
        return replace(
            self,
            desired=None,
            reasserts=False,
            found=None,
            held=False,
            restoring=None,
            drift=None,
            released=True,
            expires_at=int(self.sent_at) + _TOMBSTONE_S,
        )

    def _given_back(self, before: "Row") -> Self:
        return replace(
            self,
            owner=before.owner,
            desired=before.desired,
            reasserts=before.reasserts,
            found=before.found,
            held=before.held,
            declared_at=before.declared_at,
            restoring=None,
            drift=None,
            before=before.before,
        )

    def completed(self) -> Self:
        """Return it as a tombstone; a request that never answered never claims it again."""
        gone = self.buried()
        if gone.answer:
            return gone
        return replace(gone, request="", past=(*gone.past, gone.request)[-_PAST:])
