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
        server_id=SERVER, desired=State.OFFLINE, restores=False, timeout_s=3600
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
ARNS = "expected the ARN of the provider's function, as its stack exports it"


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
        ("ServiceTimeout", "29", SECONDS),
        ("ServiceTimeout", "3601", SECONDS),
        ("ServiceTimeout", 29, SECONDS),
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
    ("name", "value", "told"),
    [
        ("Triggers", "a-secret", "not valid, expected a list or a map"),
        ("ServerId", ["a-secret"], f"not valid, {SERVERS}"),
        ("DesiredState", {"a": "a-secret"}, f"not valid, {STATES}"),
        ("ServiceToken", "", f"not valid, {ARNS}"),
        ("ServiceToken", ["a-secret"], f"not valid, {ARNS}"),
        ("Serverid", "a-secret", "there is no such property; did you mean ServerId?"),
        ("Colour", "a-secret", "there is no such property"),
    ],
)
def test_the_value_of_what_may_be_a_secret_is_not_quoted(
    name: str, value: object, told: str
) -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {name: value}, HOME)
    assert str(caught.value) == f"{name}: {told}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ServerId", f" {SERVER}", SERVERS),
        ("ServerId", f"{SERVER}\n", SERVERS),
        ("DesiredState", "ONLINE ", STATES),
        ("ServiceTimeout", "60\n", SECONDS),
    ],
)
def test_spaces_around_a_value_are_pointed_out(name: str, value: str, expected: str) -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {name: value}, HOME)
    assert str(caught.value) == f"{name}: {value!r} has spaces around it, {expected}"


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("eu-west-1", "eu-west-2"),
        ("111122223333", "999999999999"),
        ("arn:aws:", "arn:aws-cn:"),
    ],
)
def test_of_a_server_elsewhere_it_says_that_its_stack_belongs_there(here: str, there: str) -> None:
    arn = ARN.replace(here, there)
    with pytest.raises(InvalidDeclarationError) as caught:
        parse(VALID | {"ServerId": arn}, HOME)
    home = arn.removeprefix("arn:").removesuffix(f":server/{SERVER}").replace("transfer:", "")
    assert str(caught.value) == (
        f"ServerId: {SERVER} is in {home}, this stack and its provider are in "
        "aws:eu-west-1:111122223333 (partition:region:account): declare it in a stack there"
    )


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


@pytest.mark.parametrize("properties", [None, "x", [], 7])
def test_properties_that_are_no_map_lack_everything(properties: object) -> None:
    with pytest.raises(InvalidDeclarationError, match=r"^ServiceToken: missing.*DesiredState: "):
        parse(properties, HOME)
    assert parse_released(properties) == Declaration("", 3600, restores=False)


def test_a_release_reads_three_properties_and_minds_no_other() -> None:
    given = {"ServerId": ARN, "ServiceTimeout": "60", "OnDelete": "RESTORE", "Colour": 1}
    assert parse_released(given) == Declaration(SERVER, 60, restores=True)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"ServerId": f"{SERVER} "}, Declaration("", 3600, restores=False)),
        ({"ServerId": [SERVER]}, Declaration("", 3600, restores=False)),
        ({"ServiceTimeout": "soon"}, Declaration("", 3600, restores=False)),
        ({"ServiceTimeout": 86_400}, Declaration("", 3600, restores=False)),
        ({"ServiceTimeout": 1}, Declaration("", 30, restores=False)),
        ({"ServiceTimeout": "0"}, Declaration("", 30, restores=False)),
        ({"OnDelete": ["RESTORE"]}, Declaration("", 3600, restores=False)),
    ],
)
def test_what_a_release_cannot_read_is_as_if_it_were_not_there(
    given: dict[str, Any], read: Declaration
) -> None:
    assert parse_released(given) == read


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({"DesiredState": "ONLINE"}, True),
        ({"Triggers": ["2"]}, True),
        ({"OnDelete": "RESTORE"}, False),
        ({}, False),
    ],
)
def test_a_change_of_state_or_triggers_moves_a_server(
    change: dict[str, Any], *, moved: bool
) -> None:
    assert moves(VALID, VALID | change) is moved
    assert moves(VALID | change, VALID) is moved


def test_without_a_state_before_nothing_moved() -> None:
    assert not moves({}, VALID)
    assert not moves(None, VALID)
    assert moves(VALID, None)
