"""What Terraform is answered, to the payloads that its AWS provider sends."""

import copy
import json
import logging
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handler.guard import GuardError
from handler.terraform import Applier, TransferServerStateError
from local.emulator import State
from tests.fakes.account import FUNCTION, NO_SERVER, OTHER_STACK, STACK, TABLE, Account, Context
from tests.fakes.errors import client_error
from transfer_server_state import cli

Input = dict[str, Any]


@dataclass
class Terraform:
    """A configuration's one resource: what is kept of it, and the calls that Terraform makes."""

    account: Account
    key: str = "tf"
    # As the state has it, None where there is no such resource.
    kept: Input | None = None
    timeout_s: float = 900
    numbers: Any = field(default_factory=count)

    def invoke(self, payload: Any) -> dict[str, str]:
        """Invoke the function cold; time passes until the next call."""
        clock = self.account.clock
        context = Context(
            clock, clock.now() + self.timeout_s, FUNCTION, f"terraform-{next(self.numbers)}"
        )
        sent = copy.deepcopy(payload)
        try:
            return Applier(aws=self.account.aws, clock=clock).handle(sent, context)
        finally:
            clock.sleep(1)

    def call(self, action: str, given: Input, before: Input | None) -> dict[str, str]:
        return self.invoke({**given, self.key: {"action": action, "prev_input": before}})

    def apply(self, **given: Any) -> dict[str, str]:
        """Create or update, as the AWS provider does: what failed of an update is kept."""
        given = {"ServerId": self.account.server_id, "Owner": "prod", **given}
        before, action = self.kept, "update" if self.kept else "create"
        if before:
            self.kept = given
        result = self.call(action, given, before)
        self.kept = given
        return result

    def destroy(self) -> dict[str, str]:
        assert self.kept
        result = self.call("delete", self.kept, self.kept)
        self.kept = None
        return result

    def read(self, **given: Any) -> dict[str, str]:
        given = {"ServerId": self.account.server_id, "Owner": "prod", **given}
        return self.invoke({**given, "tf": {"action": "read"}})


@pytest.fixture
def terraform(account: Account) -> Terraform:
    return Terraform(account)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(text) for text in caplog.messages if text.startswith("{")]


# What it does


def test_create_update_and_delete_take_the_server_where_it_is_declared(
    account: Account, terraform: Terraform
) -> None:
    arn = account.transfer.describe_server(ServerId=account.server_id)["Server"]["Arn"]
    assert terraform.apply(DesiredState="OFFLINE") == {
        "ServerId": account.server_id,
        "Arn": arn,
        "State": "OFFLINE",
        "PreviousState": "ONLINE",
    }
    assert account.row.owner.name == "terraform/prod"
    updated = terraform.apply(DesiredState="ONLINE")
    assert (updated["State"], updated["PreviousState"]) == ("ONLINE", "OFFLINE")
    terraform.destroy()
    assert (account.state, account.row.is_free) == (State.ONLINE, True)
    assert account.commands == ["StopServer", "StartServer"]


@pytest.mark.parametrize("scope", ["CREATE_ONLY", "a renamed key"])
def test_what_is_sent_without_tf_or_under_another_key_is_understood(
    account: Account, terraform: Terraform, scope: str
) -> None:
    terraform.key = "lifecycle"
    if scope == "CREATE_ONLY":
        sent = {"ServerId": account.server_id, "Owner": "prod", "DesiredState": "OFFLINE"}
        assert terraform.invoke(sent)["State"] == "OFFLINE"
        assert account.row.held
        return
    terraform.apply(DesiredState="OFFLINE")
    terraform.destroy()
    assert (account.state, account.row.is_free) == (State.OFFLINE, True)


def test_only_a_lifecycle_is_taken_for_one(account: Account, terraform: Terraform) -> None:
    """Not what a property holds that looks like it."""
    terraform.apply(Triggers={"action": "delete"}, DesiredState="OFFLINE")
    assert (account.state, account.row.is_free) == (State.OFFLINE, False)


def test_only_an_update_releases_what_was_declared_before(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE")
    other = {"ServerId": account.new_server(), "Owner": "prod", "DesiredState": "OFFLINE"}
    terraform.call("create", other, terraform.kept)
    assert not account.row.is_free


def test_the_same_again_gives_no_command(account: Account, terraform: Terraform) -> None:
    for number in range(3):
        result = terraform.apply(DesiredState="OFFLINE", Triggers={"run": number})
        assert result["State"] == "OFFLINE"
    assert account.commands == ["StopServer"]


def test_what_is_as_declared_after_a_change_is_believed_when_reads_can_show_it(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE")
    account.state = State.ONLINE
    began_s = account.clock.now()
    terraform.apply(DesiredState="ONLINE")
    assert account.clock.now() - began_s >= 15


def test_what_moves_no_server_is_not_waited_for(account: Account, terraform: Terraform) -> None:
    """Neither an update of something else, nor a destruction that leaves it as it is."""
    terraform.apply(DesiredState="ONLINE", OnDelete="RESTORE")
    account.clock.sleep(60)
    began_s = account.clock.now()
    terraform.apply(DesiredState="ONLINE", OnDelete="RESTORE", ServiceTimeout=600)
    terraform.destroy()
    assert account.clock.now() - began_s < 15


def test_restore_brings_back_what_was_found_though_there_is_no_id(
    account: Account, terraform: Terraform
) -> None:
    account.state = State.OFFLINE
    for desired in ("ONLINE", "OFFLINE", "ONLINE"):
        terraform.apply(DesiredState=desired, OnDelete="RESTORE")
    terraform.destroy()
    assert (account.state, account.row.is_free) == (State.OFFLINE, True)


def test_a_deletion_that_is_repeated_succeeds(account: Account, terraform: Terraform) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDelete="RESTORE")
    kept = terraform.kept
    assert kept
    terraform.destroy()
    terraform.call("delete", kept, kept)
    assert account.commands == ["StopServer", "StartServer"]


def test_a_failed_restoration_fails_the_destruction_and_the_next_one_makes_it_good(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDelete="RESTORE")
    account.emulator.set(account.server_id, start_failures=1)
    with pytest.raises(TransferServerStateError, match=r"START_FAILED.*destroy again"):
        terraform.destroy()
    assert account.row.restoring == "ONLINE"
    terraform.destroy()
    assert account.state is State.ONLINE


# Replacements


def test_a_replacement_that_deletes_first(account: Account, terraform: Terraform) -> None:
    terraform.apply(DesiredState="OFFLINE")
    terraform.destroy()
    assert terraform.apply(DesiredState="OFFLINE")["State"] == "OFFLINE"
    assert not account.row.is_free
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize("on_delete", ["RETAIN", "RESTORE"])
def test_a_replacement_that_creates_first(
    account: Account, terraform: Terraform, on_delete: str
) -> None:
    given = {"DesiredState": "OFFLINE", "OnDelete": on_delete}
    terraform.apply(**given, Instance="1")
    replaced = terraform.kept
    assert replaced
    terraform.kept = None
    terraform.apply(**given, Instance="2")
    terraform.call("delete", replaced, replaced)
    # What it declares stands, and is restored from where it began.
    assert (account.state, account.row.is_free) == (State.OFFLINE, False)
    terraform.destroy()
    restored = State.ONLINE if on_delete == "RESTORE" else State.OFFLINE
    assert (account.state, account.row.is_free) == (restored, True)


def test_what_a_failed_replacement_was_to_replace_releases_the_server(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="ONLINE", Instance="1")
    replaced = terraform.kept
    terraform.kept = None
    account.emulator.set(account.server_id, stop_failures=1)
    with pytest.raises(TransferServerStateError, match="STOP_FAILED"):
        terraform.apply(DesiredState="OFFLINE", Instance="2")
    terraform.kept = replaced
    terraform.destroy()
    assert account.row.is_free


def test_an_instance_that_never_came_to_declare_releases_the_server(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="ONLINE", Instance="1")
    account.border.broken["PutItem"] = client_error("AccessDeniedException", 400, "PutItem")
    with pytest.raises(TransferServerStateError, match="denied"):
        terraform.apply(DesiredState="OFFLINE", Instance="2")
    account.border.broken.clear()
    terraform.destroy()
    assert account.row.is_free


def test_another_server_takes_the_first_ones_place(account: Account, terraform: Terraform) -> None:
    other = account.new_server()
    terraform.apply(DesiredState="OFFLINE", OnDelete="RESTORE")
    assert terraform.apply(DesiredState="OFFLINE", ServerId=other)["ServerId"] == other
    assert (account.state, account.row.is_free) == (State.ONLINE, True)
    assert account.row_of(other).owner.name == "terraform/prod"


def test_a_server_that_cannot_be_released_is_not_left(
    account: Account, terraform: Terraform
) -> None:
    other = account.new_server()
    terraform.apply(DesiredState="OFFLINE", OnDelete="RESTORE")
    account.emulator.set(account.server_id, start_failures=1)
    with pytest.raises(TransferServerStateError, match=f"{account.server_id} is START_FAILED"):
        terraform.apply(DesiredState="OFFLINE", ServerId=other)
    assert account.row_of(other).is_free


def test_another_name_declares_in_place_of_the_first(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE")
    terraform.apply(DesiredState="OFFLINE", Owner="network")
    assert account.row.owner.name == "terraform/network"
    assert account.commands == ["StopServer"]


# Failures


def test_a_failed_stop_is_raised_with_its_whole_reason(
    account: Account, terraform: Terraform, caplog: pytest.LogCaptureFixture
) -> None:
    account.emulator.set(account.server_id, stop_failures=1)
    with pytest.raises(TransferServerStateError) as raised:
        terraform.apply(DesiredState="OFFLINE")
    reason = str(raised.value)
    assert reason.startswith(
        f"{account.server_id} is STOP_FAILED, wanted OFFLINE, after StopServer"
    )
    assert reason.endswith("ask AWS Support, then apply again.")
    told = lines(caplog)[-1]
    assert (told["request"], told["owner"]) == ("Create", "terraform/prod")
    assert (told["status"], told["reason"], told["Failed"]) == ("FAILED", reason, 1)


def test_a_failed_update_is_made_good_by_the_next_though_its_input_was_kept(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="ONLINE")
    account.emulator.set(account.server_id, stop_failures=1)
    with pytest.raises(
        TransferServerStateError, match="then apply again, with other Triggers if the plan"
    ):
        terraform.apply(DesiredState="OFFLINE")
    assert terraform.kept
    assert terraform.kept["DesiredState"] == "OFFLINE"
    assert terraform.apply(**terraform.kept)["State"] == "OFFLINE"
    assert account.commands == ["StopServer", "StopServer"]


def test_it_waits_until_the_function_s_own_end_and_says_so(
    account: Account, terraform: Terraform
) -> None:
    account.emulator.set(account.server_id, stop_s=2_000)
    began_s = account.clock.now()
    with pytest.raises(TransferServerStateError) as raised:
        terraform.apply(DesiredState="OFFLINE")
    assert 800 < account.clock.now() - began_s < 900
    reason = str(raised.value)
    assert "is STOPPING, wanted OFFLINE, after StopServer" in reason
    assert reason.endswith(
        "Once it has settled, apply again. "
        "It may take 900 s: ServiceTimeout, or what the function has."
    )
    assert account.lambda_.invocations == []
    account.clock.sleep(2_000)
    assert terraform.apply(DesiredState="OFFLINE")["State"] == "OFFLINE"
    assert account.commands == ["StopServer"]


def test_an_aws_that_does_not_answer_is_waited_for_as_long(
    account: Account, terraform: Terraform
) -> None:
    account.border.broken["DescribeServer"] = client_error("ThrottlingException", 400, "Any")
    with pytest.raises(TransferServerStateError, match="When AWS answers, apply again") as raised:
        terraform.apply(DesiredState="OFFLINE")
    assert "It may take 900 s" in str(raised.value)


def test_a_shorter_service_timeout_holds(account: Account, terraform: Terraform) -> None:
    account.emulator.set(account.server_id, stop_s=2_000)
    began_s = account.clock.now()
    with pytest.raises(TransferServerStateError, match="It may take 120 s"):
        terraform.apply(DesiredState="OFFLINE", ServiceTimeout=120)
    assert account.clock.now() - began_s < 120


def test_a_call_that_is_repeated_meanwhile_goes_on_from_the_first(
    account: Account, terraform: Terraform
) -> None:
    account.emulator.set(account.server_id, stop_s=300)
    repeated: list[dict[str, str]] = []
    again = {"ServerId": account.server_id, "Owner": "prod", "DesiredState": "OFFLINE"}
    account.clock.after(100, lambda: repeated.append(terraform.call("create", again, None)))
    with pytest.raises(TransferServerStateError, match="A newer request of terraform/prod came"):
        terraform.apply(DesiredState="OFFLINE")
    assert [each["State"] for each in repeated] == ["OFFLINE"]
    assert account.commands == ["StopServer"]


def test_every_violation_is_told_at_once_and_nothing_is_called(
    account: Account, terraform: Terraform
) -> None:
    with pytest.raises(TransferServerStateError) as raised:
        terraform.apply(
            DesiredState="OFLINE",
            OnDrift="MEND",
            Owner="no good/name",
            Instance=7,
            Trigers={"secret": "hunter2"},
        )
    reason = str(raised.value)
    assert "Owner: 'no good/name', expected a name of up to 64 letters" in reason
    assert "digits and . _ -; Instance: 7, expected up to 20 digits" in reason
    assert "DesiredState: 'OFLINE', expected ONLINE or OFFLINE; did you mean OFFLINE?" in reason
    assert "OnDrift: 'MEND', expected REPORT or REASSERT" in reason
    assert "Trigers: there is no such property; did you mean Triggers?" in reason
    assert "hunter2" not in reason
    assert account.border.calls == []


def test_who_declares_has_to_be_named(account: Account, terraform: Terraform) -> None:
    with pytest.raises(TransferServerStateError, match="Owner: '', expected a name"):
        terraform.invoke({"ServerId": account.server_id, "DesiredState": "OFFLINE"})


def test_a_server_of_another_region_is_refused(terraform: Terraform) -> None:
    there = f"arn:aws:transfer:us-east-1:000000000000:server/{NO_SERVER}"
    with pytest.raises(TransferServerStateError, match="us-east-1"):
        terraform.apply(ServerId=there, DesiredState="OFFLINE")


def test_what_goes_wrong_in_the_provider_is_told_in_a_sentence(
    terraform: Terraform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("REGISTRY_TABLE")
    with pytest.raises(TransferServerStateError, match="The provider failed: KeyError"):
        terraform.apply(DesiredState="OFFLINE")
    assert "The provider failed" in caplog.messages
    assert "Traceback" in caplog.text


# What the log tells


def test_each_request_is_measured_whatever_lambda_logs_else(
    account: Account, terraform: Terraform, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("handler").setLevel(logging.WARNING)
    account.emulator.set(account.server_id, stop_s=60)
    terraform.apply(DesiredState="OFFLINE")
    with pytest.raises(TransferServerStateError):
        terraform.apply(DesiredState="OFLINE")
    done, refused = lines(caplog)
    assert (done["Requests"], done["Failed"], done["WaitedSeconds"]) == (1, 0, done["waited_s"])
    assert done["waited_s"] >= 60
    assert (refused["Requests"], refused["Failed"], refused["WaitedSeconds"]) == (1, 1, 0)
    assert done["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[], ["outcome"]]


# Who declares


# A stack's resource may well have the same name.
@pytest.mark.parametrize("name", ["prod", "State"])
def test_a_rival_of_a_stack_s_is_refused_with_both_names(
    account: Account, terraform: Terraform, name: str
) -> None:
    account.send("Create", DesiredState="ONLINE")
    account.become("CREATE_COMPLETE")
    with pytest.raises(TransferServerStateError) as raised:
        terraform.apply(DesiredState="OFFLINE", Owner=name)
    assert str(raised.value) == (
        f"{account.server_id} is declared by demo/State, so terraform/{name} may not declare it "
        "too. A server has one declaration: remove one of the two."
    )
    assert account.commands == []


def test_a_stack_s_rival_of_terraform_is_refused_with_both_names_until_that_lets_go(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="ONLINE")
    refused = account.send("Create", DesiredState="OFFLINE")
    assert refused["Status"] == "FAILED"
    assert (
        f"{account.server_id} is declared by terraform/prod, so demo/State may not declare it too."
        in refused["Reason"]
    )
    account.become("ROLLBACK_IN_PROGRESS")
    undone = account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId="not-created")
    assert undone["Status"] == "SUCCESS"
    assert terraform.apply(DesiredState="ONLINE", Triggers=["again"])["State"] == "ONLINE"
    terraform.destroy()
    account.become("CREATE_IN_PROGRESS")
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"


def test_what_terraform_has_forgotten_a_person_can_release(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE")
    arguments = ["--registry", TABLE, "release", account.server_id, "--yes"]
    assert cli.main(arguments, aws=account.aws, clock=account.clock) == 0
    assert account.row.is_free
    assert "DescribeStackResource" not in account.border.calls
    terraform.kept = None
    assert terraform.apply(DesiredState="ONLINE", Owner="other")["State"] == "ONLINE"


def test_two_configurations_are_rivals(account: Account, terraform: Terraform) -> None:
    terraform.apply(DesiredState="OFFLINE")
    other = Terraform(account, numbers=terraform.numbers)
    with pytest.raises(
        TransferServerStateError, match="by terraform/prod, so terraform/other may not"
    ):
        other.apply(DesiredState="ONLINE", Owner="other")
    assert other.kept is None
    # What does not have the server leaves it.
    other.kept = {"ServerId": account.server_id, "Owner": "other", "OnDelete": "RESTORE"}
    other.destroy()
    assert account.state is State.OFFLINE


def test_a_server_whose_stack_is_gone_is_taken_over(account: Account, terraform: Terraform) -> None:
    account.send("Create", DesiredState="ONLINE")
    del account.cloudformation.stacks[STACK]
    assert terraform.apply(DesiredState="OFFLINE")["State"] == "OFFLINE"


def test_no_stack_moves_a_server_to_or_from_terraform(
    account: Account, terraform: Terraform
) -> None:
    """As it may between stacks of one root."""
    terraform.apply(DesiredState="ONLINE")
    account.new_stack(OTHER_STACK, status="UPDATE_IN_PROGRESS")
    moved = account.send(
        "Update",
        DesiredState="OFFLINE",
        StackId=OTHER_STACK,
        PhysicalResourceId=f"{account.server_id}:from-ONLINE",
    )
    assert moved["Status"] == "FAILED"


# After the apply


def test_the_guard_brings_back_what_terraform_declares(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDrift="REASSERT")
    account.state = State.ONLINE
    for _ in range(2):
        account.clock.sleep(600)
        account.guard()
    account.clock.sleep(60)
    assert account.state is State.OFFLINE
    drifted = account.bus.events[0]["Detail"]
    assert (drifted["finding"], drifted["resource"]) == ("drifted", "prod")
    assert drifted["since"].endswith("+00:00")
    assert "DescribeStackResource" not in account.border.calls


def test_the_guard_counts_each_server_that_drifted_and_tells_what_it_commands(
    account: Account, terraform: Terraform, caplog: pytest.LogCaptureFixture
) -> None:
    declared = [account.server_id, account.new_server()]
    account.clock.sleep(60)
    for server_id in declared:
        terraform.kept = None
        terraform.apply(ServerId=server_id, DesiredState="OFFLINE", OnDrift="REASSERT")
        account.emulator.put(server_id, State.ONLINE)
    account.emulator.set(stop_s=2_000)
    caplog.clear()
    for _ in range(3):
        account.guard()
        account.clock.sleep(600)
        assert account.row.drift
        assert account.row.drift.actual == "ONLINE"
    told = lines(caplog)
    commanded = [(line["server"], line["actual"]) for line in told if "command" in line]
    assert sorted(commanded) == [(server_id, "ONLINE") for server_id in sorted(declared)]
    counted = [(line["Drifted"], line["Reasserted"]) for line in told if "Drifted" in line]
    # In the last pass they are on their way.
    assert counted == [(2, 0), (2, 2), (2, 0)]


def test_the_guard_tries_anew_three_times_after_an_update_of_the_server(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDrift="REASSERT")
    account.state = State.ONLINE
    account.emulator.set(account.server_id, stop_failures=100)
    updated = {
        "source": "aws.cloudformation",
        "detail": {"physical-resource-id": f"server/{account.server_id}"},
    }
    for event in (None, updated):
        account.guard(event)
        for _ in range(5):
            account.clock.sleep(600)
            account.guard()
    assert account.commands == ["StopServer"] * (1 + 3 + 3)


def test_the_guard_makes_no_call_for_a_drift_that_was_told(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE")
    account.state = State.ONLINE
    account.guard()
    calls = len(account.border.calls)
    account.guard()
    assert account.border.calls[calls:] == ["Scan", "ListServers"]


def test_the_guard_tells_which_server_it_could_not_bring_back(
    account: Account, terraform: Terraform, caplog: pytest.LogCaptureFixture
) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDrift="REASSERT")
    account.state = State.ONLINE
    account.guard()
    denied = client_error("AccessDeniedException", 400, "StopServer")
    account.border.broken["StopServer"] = denied
    with pytest.raises(GuardError):
        account.guard()
    (told,) = [line for line in lines(caplog) if "problem" in line]
    assert told["server"] == account.server_id
    assert told["problem"].startswith("transfer:StopServer: AccessDeniedException")


def test_the_guard_s_command_may_leave_five_seconds_after_its_intention(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDrift="REASSERT")
    account.state = State.ONLINE
    account.guard()
    account.border.after("PutItem", lambda: account.clock.sleep(5))
    account.guard()
    assert account.commands == ["StopServer", "StopServer"]


def test_the_guard_completes_the_restoration_that_a_destruction_owes(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="OFFLINE", OnDelete="RESTORE")
    account.emulator.set(account.server_id, start_failures=1)
    with pytest.raises(TransferServerStateError):
        terraform.destroy()
    for _ in range(3):
        account.clock.sleep(600)
        account.guard()
    assert (account.state, account.row.is_free) == (State.ONLINE, True)


def test_the_guard_leaves_a_creation_that_failed_to_the_next_apply(
    account: Account, terraform: Terraform
) -> None:
    """As Terraform does: it rolls nothing back."""
    account.emulator.set(account.server_id, stop_failures=1)
    with pytest.raises(TransferServerStateError):
        terraform.apply(DesiredState="OFFLINE")
    account.clock.sleep(600)
    account.guard()
    assert account.row.restoring is None
    assert account.commands == ["StopServer"]


# What a read shows


def problem(account: Account, stands: str) -> str:
    return f"{account.server_id} {stands}"


def test_a_read_shows_what_is_and_what_is_declared_and_changes_nothing(
    account: Account, terraform: Terraform, caplog: pytest.LogCaptureFixture
) -> None:
    terraform.apply(DesiredState="OFFLINE", Instance="1")
    row, commands = account.row, account.commands
    assert terraform.read(DesiredState="OFFLINE") == {
        "ServerId": account.server_id,
        "State": "OFFLINE",
        "Declared": "OFFLINE",
        "Owner": "terraform/prod",
        "Instance": "1",
        "Standing": "as declared",
        "Problem": "",
    }
    account.state = State.ONLINE
    drifted = terraform.read(DesiredState="OFFLINE")
    assert (drifted["State"], drifted["Standing"]) == ("ONLINE", "drifted")
    assert drifted["Instance"] == "1"
    assert drifted["Problem"] == problem(
        account, "is ONLINE, wanted OFFLINE; terraform/prod declares OFFLINE: drifted"
    )
    assert (account.row, account.commands) == (row, commands)
    # It is no request, and no metric counts it.
    assert (lines(caplog)[-1]["request"], "_aws" in lines(caplog)[-1]) == ("Read", False)


def test_a_server_on_its_way_is_no_problem(account: Account, terraform: Terraform) -> None:
    account.emulator.set(account.server_id, stop_s=300)
    meanwhile: list[dict[str, str]] = []
    account.clock.after(100, lambda: meanwhile.append(terraform.read(DesiredState="OFFLINE")))
    terraform.apply(DesiredState="OFFLINE")
    account.state = State.STOPPING
    meanwhile.append(terraform.read(DesiredState="OFFLINE"))
    assert [each["Standing"] for each in meanwhile] == ["at work", "moving"]
    assert [each["Problem"] for each in meanwhile] == ["", ""]


def test_a_read_tells_of_who_else_declares_or_that_nobody_does(
    account: Account, terraform: Terraform
) -> None:
    nobody = terraform.read(DesiredState="OFFLINE")
    assert (nobody["Declared"], nobody["Owner"]) == ("", "")
    assert nobody["Standing"] == "declared by nobody"
    assert nobody["Problem"] == problem(account, "is ONLINE, wanted OFFLINE; nobody declares it")
    account.send("Create", DesiredState="OFFLINE")
    assert terraform.read(DesiredState="OFFLINE")["Problem"] == problem(
        account, "is OFFLINE, wanted OFFLINE; demo/State declares OFFLINE: as declared"
    )


def test_a_read_tells_of_what_failed_and_of_what_was_never_sent(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="ONLINE")
    assert (
        "terraform/prod declares ONLINE: as declared"
        in (terraform.read(DesiredState="OFFLINE")["Problem"])
    )
    account.emulator.set(account.server_id, stop_failures=1)
    with pytest.raises(TransferServerStateError):
        terraform.apply(DesiredState="OFFLINE")
    assert terraform.read(DesiredState="OFFLINE")["Problem"] == problem(
        account, "is STOP_FAILED, wanted OFFLINE; terraform/prod declares OFFLINE: failed"
    )


@pytest.mark.parametrize(
    ("asked", "instance"),
    [
        ({}, "1"),
        ({"DesiredState": "OFFLINE"}, ""),
        ({"OnDrift": "REASSERT"}, ""),
        ({"Owner": "other"}, ""),
        ({"Triggers": {"any": "other"}, "OnDelete": "RESTORE", "Instance": "2"}, "1"),
    ],
)
def test_a_read_gives_the_instance_of_what_stands_and_does_not_have_to_be_declared_again(
    terraform: Terraform, asked: Input, instance: str
) -> None:
    terraform.apply(DesiredState="ONLINE", Instance="1")
    assert terraform.read(**{"DesiredState": "ONLINE", **asked})["Instance"] == instance


def test_what_failed_has_to_be_declared_again_under_another_instance(
    account: Account, terraform: Terraform
) -> None:
    terraform.apply(DesiredState="ONLINE", Instance="1")
    account.emulator.set(account.server_id, stop_failures=1)
    with pytest.raises(TransferServerStateError):
        terraform.apply(DesiredState="OFFLINE", Instance="1")
    assert terraform.read(DesiredState="OFFLINE")["Instance"] == ""
    terraform.apply(DesiredState="OFFLINE", Instance="2")
    assert terraform.read(DesiredState="OFFLINE")["Instance"] == "2"


def test_what_was_destroyed_has_to_be_declared_again(terraform: Terraform) -> None:
    terraform.apply(DesiredState="ONLINE", Instance="1")
    terraform.destroy()
    assert terraform.read(DesiredState="ONLINE")["Instance"] == ""


def test_a_read_of_a_server_that_is_gone(terraform: Terraform) -> None:
    gone = terraform.read(ServerId=NO_SERVER, DesiredState="OFFLINE")
    assert gone["State"] == ""
    assert "is not there, wanted OFFLINE" in gone["Problem"]


def test_what_cannot_be_read_is_an_error(account: Account, terraform: Terraform) -> None:
    account.border.broken["GetItem"] = client_error("AccessDeniedException", 400, "GetItem")
    with pytest.raises(
        TransferServerStateError, match=r"denied: dynamodb:GetItem.*then plan again"
    ):
        terraform.read(DesiredState="OFFLINE")


# Whatever is sent

NAMES = ["ServerId", "DesiredState", "Owner", "Instance", "OnDelete", "Triggers", "tf", "x"]
LEAVES = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(
    ["read", "create", "update", "delete", "OFFLINE", "ONLINE", "prod", NO_SERVER]
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "action", "prev_input"]), each, max_size=4)
    ),
    max_leaves=12,
)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(payload=VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_whatever_is_sent_ends_in_a_result_or_a_sentence(account: Account, payload: Any) -> None:
    terraform = Terraform(account)
    before = account.commands
    told = ""
    try:
        result = terraform.invoke(payload)
    except TransferServerStateError as error:
        told, result = str(error), {}
    assert "The provider failed" not in told
    assert all(isinstance(value, str) for value in result.values())
    assert account.commands == before


@pytest.mark.parametrize("broken", [None, 7, "delete", [], {"ServerId": ["s"]}])
def test_a_deletion_of_what_names_no_server_succeeds(terraform: Terraform, broken: Any) -> None:
    payload = broken if isinstance(broken, dict) else {"ServerId": broken}
    assert terraform.call("delete", payload, None) == {}
