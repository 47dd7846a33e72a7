"""The PhysicalResourceId, written and read."""

import pytest

from transfer_server_state.identity import NOT_CREATED, Identity
from transfer_server_state.machine import State

SERVER = "s-0123456789abcdef0"


@pytest.mark.parametrize("found", [State.ONLINE, State.OFFLINE])
def test_it_reads_what_it_wrote(found: State) -> None:
    identity = Identity(SERVER, found)
    assert str(identity) == f"{SERVER}:from-{found}"
    assert Identity.parse(str(identity)) == identity


@pytest.mark.parametrize(
    "other",
    [
        NOT_CREATED,
        None,
        7,
        [f"{SERVER}:from-ONLINE"],
        "",
        SERVER,
        f"{SERVER}:from-",
        f"{SERVER}:from-STOPPING",
        f"{SERVER}:from-online",
        f"{SERVER}:FROM-ONLINE",
        f"{SERVER.upper()}:from-ONLINE",
        f"{SERVER}0:from-ONLINE",
        f"{SERVER[:-1]}:from-ONLINE",
        f"{SERVER[:-1]}g:from-ONLINE",
        f" {SERVER}:from-ONLINE",
        f"{SERVER}:from-ONLINE\n",
        f"{SERVER}:from-ONLINE:from-OFFLINE",
        f"arn:aws:transfer:eu-west-1:000000000000:server/{SERVER}:from-ONLINE",
    ],
)
def test_what_it_did_not_write_is_nobody_s(other: object) -> None:
    assert Identity.parse(other) is None


def test_an_id_of_nothing_is_never_one_of_a_server() -> None:
    assert NOT_CREATED == "not-created"
