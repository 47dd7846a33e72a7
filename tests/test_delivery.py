"""The delivery alone: what is sent to the letter, and when it is sent again."""

import json
from contextlib import suppress
from http.client import HTTPException
from typing import Any

import pytest

from handler.delivery import DeliveryError, deliver
from tests.faulty import Wire, put_through
from tests.lab import Clock

ANSWER = {"Status": "SUCCESS", "Reason": "because"}


class Store:
    """A response store that answers what is written down, the last of it for ever."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.puts: list[tuple[str, bytes]] = []

    def put(self, url: str, body: bytes) -> int:
        self.puts.append((url, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def delivered(store: Store, answer: dict[str, Any] = ANSWER) -> list[float]:
    clock = Clock()
    try:
        deliver("https://example.com/", answer, put=store.put, sleep=clock.sleep)
    finally:
        assert len({body for _, body in store.puts}) <= 1
    return clock.slept_s


@pytest.mark.parametrize("status", [200, 299])
def test_a_2xx_is_a_delivery(status: int) -> None:
    store = Store(status)
    assert delivered(store) == []
    assert store.puts == [("https://example.com/", json.dumps(ANSWER).encode())]


@pytest.mark.parametrize("status", [199, 300, 307, 400, 403, 407, 409, 428, 430, 499])
def test_what_will_not_change_is_given_up_at_once(status: int) -> None:
    store = Store(status)
    with pytest.raises(DeliveryError) as told:
        delivered(store)
    assert str(told.value) == f"CloudFormation did not take the answer: HTTP {status}"
    assert len(store.puts) == 1


PASSING = [408, 429, 500, 503, OSError(), TimeoutError(), UnicodeError(), ConnectionResetError()]


@pytest.mark.parametrize("answer", PASSING, ids=repr)
@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_what_may_change_is_tried_again_after_longer_and_longer_pauses(
    answer: int | Exception, times: int
) -> None:
    store = Store(*[answer] * times, 200)
    assert delivered(store) == [1, 2, 4, 8][:times]
    assert len(store.puts) == times + 1


@pytest.mark.parametrize("answer", PASSING, ids=repr)
def test_after_five_tries_the_last_problem_is_told(answer: int | Exception) -> None:
    store = Store(500, answer)
    with pytest.raises(DeliveryError) as told:
        delivered(store)
    last = f"HTTP {answer}" if isinstance(answer, int) else type(answer).__name__
    assert str(told.value) == f"CloudFormation did not take the answer: {last}"
    assert len(store.puts) == 5


def test_a_reason_is_halved_until_the_answer_fits() -> None:
    room = 4096 - len(json.dumps(ANSWER | {"Reason": ""}))
    store = Store(200)
    delivered(store, ANSWER | {"Reason": "r" * room})
    assert len(store.puts[0][1]) == 4096
    store = Store(200)
    delivered(store, ANSWER | {"Reason": "r" * room + "s"})
    assert json.loads(store.puts[0][1]) == ANSWER | {"Reason": "r" * ((room + 1) // 2)}


def test_an_answer_that_cannot_fit_is_not_sent() -> None:
    store = Store(200)
    with pytest.raises(DeliveryError) as told:
        delivered(store, {"Status": "x" * 5_000, "Reason": "because"})
    assert str(told.value) == "The answer takes 5028 bytes, of 4096 allowed"
    assert store.puts == []


@pytest.mark.parametrize(
    ("url", "address", "host", "target"),
    [
        ("https://example.com/a/b?c=d", ("example.com", 443), "example.com", "/a/b?c=d"),
        ("https://example.com:8443/", ("example.com", 8443), "example.com:8443", "/"),
        ("http://127.0.0.1/a?", ("127.0.0.1", 80), "127.0.0.1", "/a"),
        ("http://127.0.0.1:81?a=b", ("127.0.0.1", 81), "127.0.0.1:81", "/?a=b"),
        ("http://[::1]/a#b", ("::1", 80), "[::1]", "/a"),
        ("https://[2001:db8::1]:1/a", ("2001:db8::1", 1), "[2001:db8::1]:1", "/a"),
    ],
)
def test_what_is_put_to_the_letter(
    url: str, address: tuple[str, int], host: str, target: str
) -> None:
    wire = Wire()
    assert put_through(wire, url, b"body") == 200
    assert wire.connected == [address]
    assert wire.sent.decode().split("\r\n") == [
        f"PUT {target} HTTP/1.1",
        f"Host: {host}",
        "Accept-Encoding: identity",
        "Content-Length: 4",
        "content-type: ",
        "",
        "body",
    ]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 204 No Content\r\n\r\n", b"no HTTP", b""])
def test_a_connection_is_closed_whatever_comes(answer: bytes) -> None:
    wire = Wire(answer)
    with suppress(HTTPException, OSError):
        put_through(wire, "http://127.0.0.1/", b"")
    assert wire.closed


def test_a_store_is_put_to_over_tls_unless_it_is_here() -> None:
    there, here = Wire(), Wire()
    put_through(there, "https://example.com/", b"")
    put_through(here, "http://127.0.0.1/", b"")
    assert (there.secured, here.secured) == (["example.com"], [])


@pytest.mark.parametrize("url", ["https://example.com/", "http://127.0.0.1/"])
def test_a_store_is_waited_for_eight_seconds(url: str) -> None:
    wire = Wire()
    put_through(wire, url, b"")
    assert wire.waits_s == [8]
