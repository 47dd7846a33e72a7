"""What the stacks' templates declare, and how people change them.

A template names each resource by its stack (of those that are deployed as one) and its logical id.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.simulation.transfer import ACCOUNT, REGION, Server
from transfer_server_state.machine import State

if TYPE_CHECKING:
    from tests.simulation.world import World

FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"


@dataclass(frozen=True)
class Spec:
    """A resource as its template declares it; `flaw` is a mistake in it."""

    server: Server
    desired: State
    on_delete: str = ""
    reasserts: bool = False
    trigger: int = 0
    timeout_s: int = 3600
    by_arn: bool = False
    flaw: str = ""

    def properties(self) -> dict[str, Any]:
        """Return the properties, as CloudFormation sends them."""
        properties: dict[str, Any] = {
            "ServiceToken": FUNCTION_ARN,
            "ServerId": self.server.arn if self.by_arn else self.server.server_id,
            "DesiredState": self.flaw or str(self.desired),
        }
        if self.on_delete:
            properties["OnDelete"] = self.on_delete
        if self.reasserts:
            properties["OnDrift"] = "REASSERT"
        if self.trigger:
            properties["Triggers"] = [str(self.trigger)]
        if self.timeout_s != 3600:
            properties["ServiceTimeout"] = str(self.timeout_s)
        return properties


Key = tuple[int, str]
Template = dict[Key, Spec]


class Author:
    """Writes templates for a number of stacks, and changes them."""

    def __init__(self, world: "World", stacks: int) -> None:
        self._world = world
        self._rng = world.rng
        self._stacks = stacks
        self._names = 0

    def template(self) -> Template:
        """Write one."""
        template: Template = {}
        for _ in range(1 if self._rng.random() < 0.6 else 2):
            template[self._name()] = self._spec(template)
        return template

    def changed(self, template: Template) -> Template:
        """Change each resource, or one; add one, or remove one."""
        rng = self._rng
        template = dict(template)
        changing = [*template]
        if template and rng.random() < 0.5:
            changing = [rng.choice(changing)]
        for name in changing:
            change = rng.choice(_CHANGES)
            spec = self._change(change, template.pop(name), template)
            template[self._name() if change == "rename" else name] = spec
        chance = rng.random()
        if chance < 0.15:
            template[self._name()] = self._spec(template)
        elif template and chance < 0.3:
            del template[rng.choice([*template])]
        return template

    def _change(self, change: str, spec: Spec, others: Template) -> Spec:
        if change == "flip":
            other = State.OFFLINE if spec.desired is State.ONLINE else State.ONLINE
            return replace(spec, desired=other, flaw="")
        if change == "server":
            return replace(self._spec(others), desired=spec.desired)
        if change == "trigger":
            return replace(spec, trigger=spec.trigger + 1, flaw="")
        if change == "on delete":
            return replace(spec, on_delete=self._rng.choice(("", "RESTORE")))
        if change == "on drift":
            return replace(spec, reasserts=not spec.reasserts)
        return spec

    def _name(self) -> Key:
        self._names += 1
        return self._rng.randrange(self._stacks), f"R{self._names}"

    def _spec(self, others: Template) -> Spec:
        rng = self._rng
        servers = [*self._world.transfer.servers.values()]
        free = [s for s in servers if s not in {spec.server for spec in others.values()}]
        return Spec(
            server=rng.choice(free if free and rng.random() < 0.9 else servers),
            desired=rng.choice((State.ONLINE, State.OFFLINE, State.OFFLINE)),
            on_delete=rng.choice(("", "", "RETAIN", "RESTORE", "RESTORE")),
            reasserts=rng.random() < 0.7,
            timeout_s=self._world.timeout_s(),
            by_arn=rng.random() < 0.5,
            flaw="OFLINE" if rng.random() < 0.03 else "",
        )


_CHANGES = (
    *("flip",) * 4,
    *("server", "trigger", "rename") * 2,
    *("on delete", "on drift"),
)
