"""What `make run` and `make up` print, line by line."""

import io
from collections.abc import Iterable

from rich.console import Console

from local.timeline import WIDTH, Timeline
from local.watch import Kind, Sight

SERVER = "s-0123456789abcdef0"
STOPPED = [
    Sight(100.0, Kind.STACK, "night/State", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
    Sight(100.1, Kind.CALL, "", "DescribeServer"),
    Sight(100.2, Kind.CALL, "", "DescribeServer"),
    Sight(100.3, Kind.CALL, "", "StopServer"),
    Sight(100.3, Kind.SERVER, SERVER, "STOPPING"),
    Sight(101.3, Kind.CALL, "", "DescribeServer"),
    Sight(112.5, Kind.SERVER, SERVER, "OFFLINE"),
]


def printed(sights: Iterable[Sight], *, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=WIDTH,
        force_terminal=terminal,
        color_system="standard" if terminal else "auto",
    )
    timeline = Timeline(console)
    with timeline.chapter("A stack declares it OFFLINE", "The server is stopped."):
        for sight in sights:
            timeline.show(sight)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_chapter_is_a_promise_under_headings_and_what_came_of_it() -> None:
    held = Sight(112.5, Kind.CHECK, "", "The server is OFFLINE.")
    assert (
        printed([*STOPPED, held])
        == f"""
A stack declares it OFFLINE
         Promised: The server is stopped.
    TIME WHO                    WHAT                        SERVER AND CALLS
   0.0 s night/State            CREATE_IN_PROGRESS          │
   0.1 s                                                    │ DescribeServer
   0.3 s                                                    │ StopServer
   0.3 s {SERVER}                                ● STOPPING
   1.3 s                                                    │ DescribeServer
  12.5 s {SERVER}                                ● OFFLINE
         ✓ The server is OFFLINE.
"""
    )


def test_a_failure_is_followed_by_its_reason_and_a_success_by_none() -> None:
    lines = printed(
        [
            Sight(1, Kind.STACK, "night/State", "UPDATE_FAILED", "It is STOP_FAILED. [id]"),
            Sight(1, Kind.STACK, "night", "UPDATE_COMPLETE", "as good as new"),
            Sight(1, Kind.CALL, "", "StopServer", "ThrottlingException"),
            Sight(1, Kind.CLIENT, "sftp -P 1", "put a: refused", "connection refused"),
            Sight(1, Kind.CLIENT, "sftp -P 1", "put a: accepted"),
        ]
    ).splitlines()[4:]
    assert [line[9:].split("  ")[0] for line in lines] == [
        "night/State",
        "It is STOP_FAILED. [id]",
        "night",
        "",
        "ThrottlingException",
        "sftp -P 1",
        "connection refused",
        "sftp -P 1",
    ]


def test_no_line_is_wider_than_80_columns_however_long_its_words() -> None:
    long = "x" * 300
    sights = [Sight(1e6, kind, long, f"{long}_FAILED", f"{long} {long}") for kind in Kind]
    lines = printed([Sight(0, Kind.CALL, "", "StopServer"), *sights]).splitlines()
    assert WIDTH == 80
    assert max(map(len, lines)) == WIDTH
    assert [line for line in lines if line != line.rstrip()] == []


def test_in_a_file_there_is_no_colour_and_nothing_moves() -> None:
    assert "\x1b" not in printed(STOPPED)
    assert "\x1b[" in printed(STOPPED, terminal=True)


def test_brackets_in_what_is_told_are_no_markup() -> None:
    line = '{"id": "[bold]", "status": "[/]"}'
    for kind in (Kind.LOG, Kind.PLAN):
        assert line in printed([Sight(1, kind, "", line)])


def test_a_time_is_written_as_the_clock_has_it() -> None:
    console = Console(file=io.StringIO(), width=WIDTH)
    Timeline(console, lambda at_s: f"at {at_s:.0f}").show(Sight(7, Kind.CALL, "", "StopServer"))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().split() == ["at", "7", "│", "StopServer"]
