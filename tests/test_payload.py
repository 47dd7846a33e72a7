"""A hook's payload is read whole or refused in a sentence, whoever stands behind its URL."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, count, repeat
from threading import Thread

import pytest

from handler.payload import LIMIT_BYTES, LIMIT_S, PayloadError, fetch

SIGNED = "X-Amz-Signature=presigned-secret"


@contextmanager
def serving(*chunks: bytes) -> Iterator[str]:
    """Serve one GET these bytes, each in a packet of its own, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not connection.recv(65_536).startswith(b"GET /"):
                    return
                for chunk in chunks:
                    try:
                        connection.sendall(chunk)
                    except OSError:
                        return

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/?{SIGNED}"
        thread.join()


def head(length: int, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode()


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return head(len(body), status) + body


def at_once() -> float:
    return 0


def each_look_a_second_later() -> Callable[[], float]:
    seconds = count()
    return lambda: float(next(seconds))


def test_a_json_object_is_returned() -> None:
    with serving(answer(b'{"template": "\xc3\xa9"}')) as url:
        assert fetch(url, at_once) == {"template": "\u00e9"}


def test_it_may_come_in_pieces_and_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with serving(chunked, b'5\r\n{"a":\r\n', b"3\r\n 1}\r\n0\r\n\r\n") as url:
        assert fetch(url, at_once) == {"a": 1}


def test_what_is_as_large_and_as_late_as_may_be_is_read() -> None:
    times = chain([0.0], repeat(float(LIMIT_S)))
    with serving(answer(b"{}".ljust(LIMIT_BYTES))) as url:
        assert fetch(url, lambda: next(times)) == {}


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ([answer(b"[1]")], "no JSON object$"),
        ([answer(b"{")], "no JSON$"),
        ([answer(b"\xff")], "no JSON$"),
        ([answer(b"[" * 200_000)], "no JSON$"),
        ([answer(b"denied", "403 Forbidden")], "HTTP 403"),
        ([answer(b"", "302 Found")], "HTTP 302"),
        ([b"no HTTP at all\r\n\r\n"], "it could not be read"),
        ([head(100) + b"{"], "it could not be read"),
        ([], "it could not be read"),
        ([head(2 * LIMIT_BYTES), *[b" " * 2**16] * (LIMIT_BYTES // 2**16 + 20)], "more than"),
    ],
)
def test_anything_else_is_refused_in_a_sentence_without_the_url(
    chunks: list[bytes], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    why = f"^payload: {why}"
    with serving(*chunks) as url, pytest.raises(PayloadError, match=why) as error:
        fetch(url, at_once)
    told = f"{error.value!r} {error.value.__cause__!r} {caplog.text}"
    assert "presigned-secret" not in told


def test_what_comes_too_slowly_is_given_up() -> None:
    pieces = [b" " * 2**16] * 20
    slow = each_look_a_second_later()
    with (
        serving(head(20 * 2**16), *pieces) as url,
        pytest.raises(PayloadError, match=f"not there within {LIMIT_S} s"),
    ):
        fetch(url, slow)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (None, "payload: missing"),
        ("http://example.com/?" + SIGNED, "payload: http to example.com, expected https"),
        ("file:///etc/passwd", "payload: not a URL"),
        ("https://user@example.com/", "payload: not a URL"),
    ],
)
def test_only_https_is_read(url: object, why: str) -> None:
    with pytest.raises(PayloadError, match=why):
        fetch(url, at_once)


def test_nobody_who_listens_is_a_sentence() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(PayloadError, match="could not be read: EndpointConnectionError"):
            fetch(f"http://127.0.0.1:{bound.getsockname()[1]}/", at_once)
