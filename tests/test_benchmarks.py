import os
from random import Random

import pytest
from botocore.loaders import Loader

os.environ.setdefault("AWS_SAM_LOCAL", "true")
from benchmarks import (
    contenders,
    lint,
    lint_section,
    loop,
    sections,
    sftp,
    sftp_section,
    startup,
    waiting,
)
from benchmarks.contenders import OTHERS, OURS, Contender
from benchmarks.virtual import Api, Clock, Run
from local.emulator.settings import Throttle

ALL = [pytest.param(contender, id=contender.name) for contender in (OURS, *OTHERS)]


def one(contender: Contender, stop_s: float, call_s: float = 0) -> tuple[Run, float]:
    clock = Clock()
    run = Run(clock, Api(clock, stop_s), Random(1), call_s=call_s)
    outcomes = []
    clock.run([lambda: outcomes.append(contender.stop(run))])
    assert outcomes[0].succeeded
    return run, outcomes[0].at_s - run.api.stopped_at_s(run.server_id)


def test_who_wakes_first_goes_on() -> None:
    clock, told = Clock(), []

    def task(name: str, pause_s: float) -> None:
        for _ in range(2):
            clock.sleep(pause_s)
            told.append((name, clock.now() - began_s))

    began_s = clock.now()
    clock.run([lambda: task("slow", 3), lambda: task("quick", 2)])
    assert told == [("quick", 2), ("slow", 3), ("quick", 4), ("slow", 6)]


@pytest.mark.parametrize("contender", ALL)
def test_a_contender_stops_a_server_once_and_notices(contender: Contender) -> None:
    run, lag_s = one(contender, 90)
    assert run.bill.calls["StopServer"] == 1
    assert lag_s >= 0
    assert (run.bill.usd > 0) == contender.on_lambda


@pytest.mark.parametrize(
    ("stop", "interval_s"),
    [
        (contenders.cdk_provider, contenders.CDK_INTERVAL_S),
        (contenders.aws_handler, contenders.AWS_SLEEP_S + contenders.AWS_DELAY_S),
        (contenders.boto3_waiter, 30),
    ],
)
def test_a_steady_contender_is_as_late_as_its_interval_makes_it(
    stop: contenders.Stop, interval_s: float
) -> None:
    _, lag_s = one(Contender("", stop), 10 * interval_s + 1)
    assert lag_s == pytest.approx(interval_s - 1, abs=1e-3)


def test_terraform_doubles_from_a_tenth_of_a_second_to_ten() -> None:
    run, lag_s = one(Contender("", contenders.terraform), 12.5)
    # It looks 0, .2, .6, 1.4, 3, 6.2, 12.6 s after its command, and then each 10 s.
    assert lag_s == pytest.approx(0.1, abs=1e-3)
    assert run.bill.looks == 1 + 7
    assert one(Contender("", contenders.terraform), 13)[1] == pytest.approx(9.6, abs=1e-3)


@pytest.mark.parametrize("minutes", [1, 2])
def test_crhelper_polls_by_the_minute_and_takes_its_rule_away(minutes: int) -> None:
    run, lag_s = one(Contender("", contenders.crhelper_polling(minutes)), 300)
    assert lag_s < 60 * minutes
    assert run.bill.calls["PutRule"] == run.bill.calls["DeleteRule"] == 1


def test_boto3s_waiter_waits_as_its_model_says() -> None:
    model = Loader().load_service_model("transfer", "waiters-2")["waiters"]["ServerOffline"]
    assert (model["delay"], model["maxAttempts"]) == (30, 120)


def test_calls_take_the_time_that_they_are_given() -> None:
    run, _ = one(Contender("", contenders.cdk_provider), 1, call_s=0.5)
    # A look and the command; a look at once, and one 5 s later.
    assert run.clock.now() - Clock().now() == pytest.approx(4 * 0.5 + 5, abs=1e-3)
    assert run.bill.invocations == 3 * 2
    assert run.bill.gb_s == pytest.approx(4 * 0.5 * (256 + 128) / 1024, abs=1e-3)


def test_the_bound_of_a_throttle() -> None:
    throttle = Throttle(rate_per_s=10, burst=20)
    assert throttle == waiting.THROTTLE
    assert waiting.bound_s(1, 60) == 60
    assert waiting.bound_s(50, 60) == pytest.approx(8 + 60)
    assert waiting.bound_s(500, 60) == pytest.approx(98 + 60)
    assert waiting.bound_s(500, 1) == pytest.approx(148)


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert waiting.percentile([3, 1, 2], 0.99) == 3
    assert waiting.percentile([float(i) for i in range(1, 101)], 0.99) == 99


def test_waiting_is_measured_shown_and_written() -> None:
    found: sections.Waits = {}
    crowds: sections.Crowds = {}
    for contender in (OURS, *OTHERS):
        for lengths in waiting.LENGTHS:
            for call_s in (0, waiting.CALL_S):
                wait = waiting.wait(contender, lengths, 2, call_s)
                found[lengths, contender.name, call_s] = wait
        for stop_s in sections.STOP_S:
            for servers in sections.SERVERS:
                crowd = waiting.crowd(contender, min(servers, 3), stop_s)
                crowds[stop_s, contender.name, servers] = crowd
    for stop_s in sections.OTHER_STOP_S:
        for servers in sections.SERVERS:
            crowds[stop_s, OURS.name, servers] = waiting.crowd(OURS, min(servers, 3), stop_s)
    results = sections.written([sections.lag(found), sections.crowd(crowds)], "this machine")
    assert results.count("this provider") >= len(waiting.LENGTHS) + 2 * len(sections.SERVERS)
    assert "met: none FAILED" in results
    assert "met: one invocation for a transition of up to a few minutes" in results
    assert "a transition costs this many cents" in results
    chart = sections.lag(found).charts["lag"].drawn()
    assert chart.startswith("<svg ")


def test_the_same_is_drawn_in_every_run() -> None:
    assert waiting.crowd(OURS, 30, 5) == waiting.crowd(OURS, 30, 5)
    assert waiting.wait(OURS, "30 s ± 10%", 3, 0) == waiting.wait(OURS, "30 s ± 10%", 3, 0)


def test_every_program_starts_and_answers() -> None:
    measured = startup.measure(1)
    for stage in startup.STAGES:
        for name in startup.PROGRAMS:
            (process,) = measured[stage][name]
            assert process.cpu_ms > 10
            assert 10 < process.peak_mib < 200


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    took = [startup.Process(ms, 1) for ms in (10, 20, 90)]
    twice = [startup.Process(ms, 1) for ms in (20, 40, 90)]
    assert startup.ratio({"floor": took, "ours": twice}, "ours", "floor") == 2


def test_the_emulator_is_called_in_three_ways() -> None:
    rates = loop.calls_per_s(0.05)
    assert set(rates) == {"without HTTP", "http.client", "boto3"}
    made = {"run": loop.Command(seconds=9.6, succeeded=True)}
    (commands, calls) = sections.loop(made, rates).tables
    assert list(commands.rows) == [["make run", "10 s", "yes"]]
    assert "| boto3 | " in calls.written()


def test_a_file_is_moved_both_ways_and_an_endpoint_seen_to_open() -> None:
    moved = sftp.move(1)
    assert set(moved) == {sftp.OURS, sftp.PLAIN}
    for each in moved.values():
        assert min(each.mib_per_s[way] for way in sftp.WAYS) > 0
    opening_ms = sftp.opening_ms(2)
    assert min(opening_ms) > 0
    section = sftp_section.sftp(1, moved, opening_ms)
    assert len(section.goals) == 3
    assert section.tables[0].written().count("\n") == 6


def test_what_is_slow_grows_or_opens_late_misses_its_goal() -> None:
    plain = sftp.Moved({"put": 100, "get": 100}, 1)
    slow = sftp.Moved({"put": 81, "get": 79}, 129)
    section = sftp_section.sftp(1, {sftp.OURS: slow, sftp.PLAIN: plain}, [1, 51])
    assert [goal.met for goal in section.goals] == [False, False, False]
    quick = sftp.Moved({"put": 80, "get": 120}, 128)
    section = sftp_section.sftp(1, {sftp.OURS: quick, sftp.PLAIN: plain}, [1, 50])
    assert [goal.met for goal in section.goals] == [True, True, True]


@pytest.mark.parametrize(
    ("with_rules_s", "met"), [([1.0, 1.3, 2.18], True), ([1.0, 1.3, 2.3], False)]
)
def test_what_lint_rules_add_is_the_median_of_the_rounds(
    with_rules_s: list[float], *, met: bool
) -> None:
    times = lint.Times(alone=[1.0, 1.0, 2.0], with_rules=with_rules_s)
    section = lint_section.lint({"a template": times})
    assert [goal.met for goal in section.goals] == [met]
    assert len(section.tables[0].rows) == 1
