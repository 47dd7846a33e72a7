"""How far a request has come with a server, and how far a look is believed.

The table (machine.py) decides; all else that affects a step stands here:

1. A read may show what was READ_LAG_S ago. AWS states no figure; this one is a guess.
2. A command is written down before it is given, as uncertain. It leaves within LEAVES_WITHIN_S of
   that or is not given, so QUIET_S later every look shows what came of it. A look that shows
   another state than it was given in shows its effect; one after the quiet time that shows the
   same stable state shows that it had none, and it may be given.
3. While looks show the state in which an earlier request gave its command, and it may still take
   effect, no look is believed.
4. A refused command counts as given, since the server may have moved: the request goes on if a
   look within READ_LAG_S shows the server on its way.
5. A failure in the very state in which the command was given may be a stale read for as long.
6. A look may be older than an earlier request's command, so DONE is not believed before
   READ_LAG_S after that; nor before `doubted_until_s`, where the caller has reason to doubt
   (AWS's own update of the server may be under way).

This module knows no client and no event; the time is passed in.
"""

from dataclasses import dataclass, replace

from transfer_server_state.machine import STABLE, State, Step, next_step

READ_LAG_S = 15
LEAVES_WITHIN_S = 5
# A command that left may take as long to reach AWS (client.py's connect time-out).
QUIET_S = LEAVES_WITHIN_S + 5 + READ_LAG_S

_SHOWS = {Step.START: State.STARTING, Step.STOP: State.STOPPING}


@dataclass(frozen=True)
class Progress:
    """What a request saw and did. Times are seconds since the epoch, 0 for none."""

    first: State | None = None
    last: State | None = None
    command: Step | None = None
    commanded_in: State | None = None
    commanded_at_s: float = 0
    # Whether the command reached AWS is not known.
    uncertain: bool = False
    refusal: str = ""
    looks: int = 0
    # When an earlier request gave a command, and in which state, while nobody saw another.
    earlier_at_s: float = 0
    earlier_in: State | None = None

    def for_the_next_request(self) -> "Progress":
        """Return how far a request is that begins after this one."""
        if not self.command:
            return Progress(earlier_at_s=self.earlier_at_s, earlier_in=self.earlier_in)
        unseen = self.last is self.commanded_in
        return Progress(
            earlier_at_s=self.commanded_at_s, earlier_in=self.commanded_in if unseen else None
        )

    def seen(self, observed: State, now_s: float) -> "Progress":
        """Return it after a look."""
        showed = self.uncertain and observed is not self.commanded_in
        is_quiet = STABLE[observed] is observed and now_s >= self.commanded_at_s + QUIET_S
        had_no_effect = self.uncertain and not showed and is_quiet
        is_on_its_way = self.command and observed is _SHOWS[self.command]
        is_unseen = observed is self.earlier_in and now_s < self.earlier_at_s + QUIET_S
        after = replace(
            self,
            first=self.first or observed,
            last=observed,
            looks=self.looks + 1,
            uncertain=self.uncertain and not (showed or had_no_effect),
            refusal="" if is_on_its_way else self.refusal,
            earlier_in=self.earlier_in if is_unseen else None,
        )
        return replace(after, command=None, commanded_in=None) if had_no_effect else after

    def intended(self, step: Step, now_s: float) -> "Progress":
        """Return it with a command that is about to be given."""
        return replace(
            self, command=step, commanded_in=self.last, commanded_at_s=now_s, uncertain=True
        )

    def step(self, desired: State, now_s: float, doubted_until_s: float) -> Step:
        """Decide what to do after the last look."""
        if self.last is None or self.earlier_in:
            return Step.WAIT
        step = next_step(desired, self.last, self.commanded_in)
        if step is Step.DONE:
            believed_s = max(doubted_until_s, self.earlier_at_s + READ_LAG_S)
            return Step.WAIT if now_s < believed_s else step
        if step is Step.DOUBT or self.refusal:
            believed_s = self.commanded_at_s + (QUIET_S if self.uncertain else READ_LAG_S)
            return Step.WAIT if now_s < believed_s else Step.FAILED
        return step
