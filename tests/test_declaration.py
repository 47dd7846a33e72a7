"""What may be declared, and how a mistake is told."""

from typing import Any

import pytest

from transfer_server_state.declaration import (
    Declaration,
    Home,
    InvalidDeclarationError,
    moves,
    parse,
    parse_released,
)
from transfer_server_state.machine import State

HOME = Home("aws", "eu-west-1", "111122223333")
SERVER = "s-0123456789abcdef0"
ARN = f"arn:aws:transfer:eu-west-1:111122223333:server/{SERVER}"
VALID: dict[str, Any] = {"ServiceToken": "arn:…", "ServerId": SERVER, "DesiredState": "OFFLINE"}


def test_what_is_not_declared_has_its_default() -> None:
    assert parse(VALID, HOME) == Declaration(
        server_id=SERVER, timeout_s=3600, restores=False, desired=State.OFFLINE
    )


@pytest.mark.parametrize("server", [SERVER, ARN])
def test_a_server_is_named_by_its_id_or_its_arn(server: str) -> None:
    assert parse(VALID | {"ServerId": server}, HOME).server_id == SERVER


@pytest.mark.parametrize(
    ("timeout", "timeout_s"), [(30, 30), (3600, 3600), ("30", 30), ("600", 600), ("3600", 3600)]
)
def test_a_timeout_is_a_number_or_a_string(timeout: object, timeout_s: int) -> None:
    assert parse(VALID | {"ServiceTimeout": timeout}, HOME).timeout_s == timeout_s


@pytest.mark.parametrize(("on_delete", "restores"), [("RETAIN", False), ("RESTORE", True)])
def test_on_delete_retains_or_restores(on_delete: str, *, restores: bool) -> None:
    assert parse(VALID | {"OnDelete": on_delete}, HOME).restores is restores


@pytest.mark.parametrize("triggers", [[], ["a", {"b": "c"}], {}, {"Version": "2"}])
def test_triggers_are_any_list_or_map(triggers: object) -> None:
    assert parse(VALID | {"Triggers": triggers}, HOME).desired is State.OFFLINE


STATES = "expected ONLINE or OFFLINE"
SERVERS = "expected a server id (s- and 17 hex digits) or the server's ARN"
SECONDS = "expected a whole number of seconds from 30 to 3600"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DesiredState", "OFLINE", f"{STATES}; did you mean OFFLINE?"),
        ("DesiredState", "online", f"{STATES}; did you mean ONLINE?"),
        ("DesiredState", "STOPPED", STATES),
        ("DesiredState", True, STATES),
        ("OnDelete", "RESTOR", "expected RETAIN or RESTORE; did you mean RESTORE?"),
        ("ServerId", "", SERVERS),
        ("ServerId", SERVER.upper(), SERVERS),
        ("ServerId", f"{SERVER}0", SERVERS),
        ("ServerId", [SERVER], SERVERS),
        ("ServiceTimeout", "0", SECONDS),
        ("ServiceTimeout", "29", SECONDS),
        ("ServiceTimeout", 29, SECONDS),
        ("ServiceTimeout", "3601", SECONDS),
        ("ServiceTimeout", 0, SECONDS),
        ("ServiceTimeout", 3601, SECONDS),
        ("ServiceTimeout", 1.5, SECONDS),
        ("ServiceTimeout", True, SECONDS),
    ],
)
def test_a_violation_names_the_property_the_value_and_what_was_expected(
    name: str, value: object, told: str
) -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {name: value}, HOME)
    shown = repr(value) if len(repr(value)) <= 50 else f"{repr(value)[:23]}...{repr(value)[-24:]}"
    assert str(caught.value) == f"{name}: {shown}, {told}"


@pytest.mark.parametrize("missing", ["ServiceToken", "ServerId", "DesiredState"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(InvalidDeclarationError, match=f"^{missing}: missing, expected "):
        parse({name: value for name, value in VALID.items() if name != missing}, HOME)


def test_all_violations_are_told_at_once() -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse({"DesiredState": "OFLINE", "Serverid": SERVER, "OnDelete": 3}, HOME)
    told = str(caught.value)
    assert [part.split(":")[0] for part in told.split("; ") if ": " in part] == [
        "ServiceToken",
        "ServerId",
        "DesiredState",
        "OnDelete",
        "Serverid",
    ]


@pytest.mark.parametrize(
    ("arn", "told"),
    [
        (ARN.replace("eu-west-1", "eu-west-2"), "aws:eu-west-2:111122223333"),
        (ARN.replace("111122223333", "999999999999"), "aws:eu-west-1:999999999999"),
        (ARN.replace("arn:aws:", "arn:aws-cn:"), "aws-cn:eu-west-1:111122223333"),
    ],
)
def test_a_server_elsewhere_is_refused_with_the_reason(arn: str, told: str) -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {"ServerId": arn}, HOME)
    assert str(caught.value) == (
        f"ServerId: {SERVER} is in {told}, this stack and its provider are in "
        "aws:eu-west-1:111122223333 (partition:region:account): declare it in a stack there"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Triggers", "Triggers: not valid, expected a list or a map"),
        ("ServiceToken", "ServiceToken: not valid, expected the ARN of the provider's function"),
        ("Serverid", "Serverid: there is no such property; did you mean ServerId?"),
        ("Colour", "Colour: there is no such property"),
    ],
)
def test_a_value_that_may_be_secret_is_not_quoted(name: str, told: str) -> None:
    secret = "" if name == "ServiceToken" else "s3cr3t"
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {name: secret}, HOME)
    assert str(caught.value).startswith(told)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("name", ["ServerId", "DesiredState", "ServiceTimeout"])
@pytest.mark.parametrize("space", [" ", "\n", "\u00a0"])
def test_spaces_around_a_value_are_pointed_out(name: str, space: str) -> None:
    value = {"ServerId": SERVER, "DesiredState": "ONLINE", "ServiceTimeout": "60"}[name] + space
    with pytest.raises(InvalidDeclarationError, match=f"^{name}: .* has spaces around it, exp"):
        parse(VALID | {name: value}, HOME)


@pytest.mark.parametrize(
    ("properties", "released"),
    [
        (VALID, Declaration(SERVER, 3600, restores=False)),
        ({"ServerId": ARN, "OnDelete": "RESTORE"}, Declaration(SERVER, 3600, restores=True)),
        ({"ServerId": SERVER, "ServiceTimeout": "5"}, Declaration(SERVER, 5, restores=False)),
        ({"ServerId": SERVER, "ServiceTimeout": "9999"}, Declaration(SERVER, 3600, restores=False)),
        ({"ServerId": "a server", "Colour": "blue"}, Declaration("", 3600, restores=False)),
        ({"ServerId": 7, "OnDelete": ["RESTORE"]}, Declaration("", 3600, restores=False)),
        (None, Declaration("", 3600, restores=False)),
    ],
)
def test_a_release_reads_what_it_needs_of_any_properties(
    properties: object, released: Declaration
) -> None:
    assert parse_released(properties) == released


@pytest.mark.parametrize(
    ("before", "after", "doubtful"),
    [
        ({}, {"DesiredState": "ONLINE"}, False),
        (None, {"DesiredState": "ONLINE"}, False),
        ({"DesiredState": "OFFLINE"}, {"DesiredState": "ONLINE"}, True),
        ({"Triggers": ["1"]}, {"Triggers": ["2"]}, True),
        ({"Triggers": ["1"]}, {}, True),
        ({"OnDelete": "RETAIN"}, {"OnDelete": "RESTORE"}, False),
    ],
)
def test_a_change_of_what_moves_servers_is_noticed(
    before: object, after: object, *, doubtful: bool
) -> None:
    assert moves(before, after) is doubtful


def test_the_home_is_read_from_the_arn_of_the_function() -> None:
    function = "arn:aws:lambda:eu-west-1:111122223333:function:provider:live"
    assert Home.of(function) == HOME


def test_what_is_nested_too_deeply_is_told_as_that() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {"Colour": deep}, HOME)
    assert str(caught.value) == "ResourceProperties: nested too deeply"


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {"ServerId": "x" * 10_000, "y" * 10_000: 1}, HOME)
    assert len(str(caught.value)) < 300
