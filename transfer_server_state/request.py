"""A request as it is carried out: what is asked, by whom, and until when.

It reads CloudFormation's event, which only entry points see besides; it knows no client and no
clock.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from transfer_server_state import declaration
from transfer_server_state.declaration import Home
from transfer_server_state.identity import NOT_CREATED, Identity
from transfer_server_state.machine import State

# Kept back of the ServiceTimeout, to answer.
_RESERVE_S = 60
_CLOCKS_DIFFER_S = 60


# Where a stack's resource has the stack's id, Terraform's has this and an instance; so it is known
# for what it is, and called terraform/NAME.
_TERRAFORM = "/terraform/"


@dataclass(frozen=True)
class Owner:
    """Who declares a server: a resource of a stack, or of Terraform's under a name given there."""

    stack_id: str = ""
    logical_id: str = ""

    @classmethod
    def in_terraform(cls, name: str, instance: str = "") -> "Owner":
        """Return Terraform's owner of that name; what is planned anew has a later instance."""
        return cls(f"{_TERRAFORM}{instance}", name)

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """Read it back from its text."""
        return cls(*text.rpartition("/")[::2])

    def __str__(self) -> str:
        return f"{self.stack_id}/{self.logical_id}"

    @property
    def name(self) -> str:
        """Return how people call it: the stack's name and the logical id."""
        stack = self.stack_id.split("/")[1] if "/" in self.stack_id else self.stack_id
        return f"{stack}/{self.logical_id}"

    @property
    def is_terraform(self) -> bool:
        """Tell whether it is Terraform's, of which CloudFormation knows nothing."""
        return self.stack_id.startswith(_TERRAFORM)

    def continues(self, other: "Owner") -> bool:
        """Tell whether it is the other one, or another instance of it in Terraform."""
        both = self.is_terraform and other.is_terraform
        return self == other or (both and self.logical_id == other.logical_id)

    @property
    def instance(self) -> str:
        """Return which one of Terraform's it is."""
        return self.stack_id.removeprefix(_TERRAFORM)


@dataclass(frozen=True)
class Request:
    """One request for one server; `desired` is None where the server is released.

    `identity` is the PhysicalResourceId, if it is one of ours; `abandoned` a server that an earlier
    request was bringing in; `doubted` says that AWS or another command may just have moved it.
    """

    kind: str
    owner: Owner
    digest: str
    sent_s: float
    timeout_s: int
    server_id: str
    desired: State | None
    restores: bool
    reasserts: bool
    physical_id: str = NOT_CREATED
    identity: Identity | None = None
    abandoned: str = ""
    doubted: bool = False

    @classmethod
    def parse(cls, event: Mapping[str, Any], home: Home, now_s: float) -> "Request":
        """Read an event that was checked to be a request. Raises InvalidDeclarationError."""
        given, old = event.get("PhysicalResourceId"), event.get("OldResourceProperties")
        identity = Identity.parse(given)
        if event["RequestType"] == "Delete":
            asked = declaration.parse_released(event.get("ResourceProperties"))
            server_id = identity.server_id if identity else asked.server_id
        else:
            asked = declaration.parse(event.get("ResourceProperties"), home)
            server_id = asked.server_id
        before = declaration.parse_released(old).server_id
        knows = identity is not None and identity.server_id == server_id
        return cls(
            kind=event["RequestType"],
            owner=Owner(event["StackId"], event["LogicalResourceId"]),
            digest=request_digest(event["ResponseURL"], event["RequestId"]),
            sent_s=_sent_s(event["ResponseURL"], now_s),
            timeout_s=asked.timeout_s,
            server_id=server_id,
            desired=asked.desired,
            restores=asked.restores,
            reasserts=asked.reasserts,
            physical_id=given if given and isinstance(given, str) else NOT_CREATED,
            identity=identity,
            abandoned=before if old and knows and before != server_id else "",
            # AWS's own update of the server, of which this one is not told, starts it.
            doubted=knows
            and (
                asked.desired is State.OFFLINE
                or declaration.moves(old, event.get("ResourceProperties"))
            ),
        )

    @property
    def releases(self) -> bool:
        """Tell whether the server is released, and not declared."""
        return self.desired is None

    @property
    def knows(self) -> bool:
        """Tell whether the PhysicalResourceId is of this very server."""
        return self.identity is not None and self.identity.server_id == self.server_id

    @property
    def is_of_holder(self) -> bool:
        """Tell whether it comes from who had the server once, as far as the request tells.

        An id of ours says so. Terraform has none, and keeps nothing whose creation failed.
        """
        return self.identity is not None or self.owner.is_terraform

    @property
    def deadline_s(self) -> float:
        """Return when it has to be answered, with some time to do so."""
        return self.sent_s + self.timeout_s - min(_RESERVE_S, self.timeout_s / 4)

    def is_expired(self, now_s: float) -> bool:
        """Tell whether nobody waits for it any more."""
        # X-Amz-Date leaves out the part of a second.
        return now_s >= self.sent_s + self.timeout_s + 1

    def release_abandoned(self) -> "Request":
        """Return the release of the server that an earlier request was bringing in."""
        return replace(
            self, server_id=self.abandoned, desired=None, identity=None, abandoned="", doubted=False
        )


def request_digest(response_url: str, request_id: str) -> str:
    """Return what a request is known by, however often it is delivered; neither alone is enough."""
    return hashlib.sha256(f"{response_url} {request_id}".encode()).hexdigest()[:32]


def _sent_s(response_url: str, now_s: float) -> float:
    """Return when the URL was signed, which is when it was sent; it has no other time stamp."""
    try:
        signed = parse_qs(urlsplit(response_url).query)["X-Amz-Date"][0]
        sent_s = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (KeyError, ValueError):
        return now_s
    # The clocks may differ a little, and a request has one time however often it is delivered.
    return sent_s if sent_s < now_s + _CLOCKS_DIFFER_S else now_s
