"""The delivery alone: what is sent to the letter, over what, and when it is sent again."""

import json
import logging
import ssl
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from threading import Thread
from typing import Any

import pytest
import trustme
from botocore.exceptions import (
    BotoCoreError,
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)

from handler.delivery import DeliveryError, deliver, flaw, put
from tests.fakes.clock import Clock
from tests.fakes.response_store import HttpResponseStore

ANSWER = {"Status": "SUCCESS", "Reason": "because"}
SECRET = "presigned-secret"  # noqa: S105 - of nobody


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
        deliver(f"https://example.com/?{SECRET}", answer, put=store.put, sleep=clock.sleep)
    finally:
        assert len({body for _, body in store.puts}) <= 1
    return clock.slept_s


@pytest.mark.parametrize("status", [200, 299])
def test_a_2xx_is_a_delivery(status: int) -> None:
    store = Store(status)
    assert delivered(store) == []
    assert store.puts == [(f"https://example.com/?{SECRET}", json.dumps(ANSWER).encode())]


@pytest.mark.parametrize("status", [199, 300, 307, 400, 403, 407, 409, 428, 430, 499])
def test_what_will_not_change_is_given_up_at_once(status: int) -> None:
    store = Store(status)
    with pytest.raises(DeliveryError) as told:
        delivered(store)
    assert str(told.value) == f"CloudFormation did not take the answer: HTTP {status}"
    assert len(store.puts) == 1


PASSING = [
    *(408, 429, 500, 503),
    *(OSError(), UnicodeError(), HTTPClientError(error=SECRET)),
    EndpointConnectionError(endpoint_url=SECRET),
]


@pytest.mark.parametrize("answer", PASSING, ids=repr)
@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_what_may_change_is_tried_again_after_longer_and_longer_pauses(
    answer: int | Exception, times: int
) -> None:
    store = Store(*[answer] * times, 200)
    assert delivered(store) == [1, 2, 4, 8][:times]
    assert len(store.puts) == times + 1


@pytest.mark.parametrize("answer", PASSING, ids=repr)
def test_after_five_tries_the_last_problem_is_told_and_never_the_url(
    answer: int | Exception,
) -> None:
    store = Store(500, answer)
    with pytest.raises(DeliveryError) as told:
        delivered(store)
    last = f"HTTP {answer}" if isinstance(answer, int) else type(answer).__name__
    assert str(told.value) == f"CloudFormation did not take the answer: {last}"
    assert told.value.__suppress_context__
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


# Where it may be sent


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a?b=c",
        "https://example.com:8443/",
        "https://[2001:db8::1]/",
        "http://127.0.0.1:81/",
        "http://[::1]/",
        "http://localhost:4566/",
    ],
)
def test_an_answer_may_be_sent_by_https_or_to_this_machine(url: str) -> None:
    assert flaw(url) == ""


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "missing"),
        ("", "missing"),
        (7, "missing"),
        (f"http://example.com/?{SECRET}", "http to example.com, expected https"),
        (f"http://10.0.0.1/?{SECRET}", "http to 10.0.0.1, expected https"),
        (f"http://localhost.example.com/{SECRET}", "http to localhost.example.com, expected https"),
        (f"ftp://example.com/{SECRET}", "ftp to example.com, expected https"),
        (f"//example.com/{SECRET}", "no scheme to example.com, expected https"),
        (SECRET, "not a URL that can be written to"),
        (f"https:///{SECRET}", "not a URL that can be written to"),
        (f"https://user:{SECRET}@example.com/", "not a URL that can be written to"),
        (f"https://example.com:0/{SECRET}", "not a URL that can be written to"),
        (f"https://example.com:x/{SECRET}", "not a URL that can be written to"),
        (f"https://[example.com/{SECRET}", "not a URL that can be written to"),
        (f"https://example.com/\n{SECRET}", "not a URL that can be written to"),
        (f"https://example.com/ {SECRET}", "not a URL that can be written to"),
        (f"https://exämple.com/{SECRET}", "not a URL that can be written to"),
    ],
)
def test_a_url_that_may_not_be_written_to_is_told_without_its_secret(
    url: object, problem: str
) -> None:
    assert flaw(url) == f"ResponseURL: {problem}"


# What goes over the wire


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def store() -> Iterator[HttpResponseStore]:
    with HttpResponseStore() as store:
        yield store


def test_what_is_put_to_the_letter(store: HttpResponseStore) -> None:
    assert put(f"{store.url}/a/b%2Fc?d=e%3D&f", b"body") == 200
    assert store.puts == [("/a/b%2Fc?d=e%3D&f", b"body")]
    sent = {name.lower(): value for name, value in store.headers[0].items()}
    assert sent.pop("user-agent")
    assert sent == {
        "host": store.url.removeprefix("http://"),
        "accept-encoding": "identity",
        "content-length": "4",
        "content-type": "",
    }


@pytest.mark.parametrize("status", [204, 307, 403, 503])
def test_a_status_is_returned_as_it_came_and_nothing_is_followed_or_repeated(
    store: HttpResponseStore, status: int
) -> None:
    store.statuses.append(status)
    assert put(store.url, b"") == status
    assert len(store.puts) == 1


def test_a_store_that_hangs_up_or_is_not_there_is_a_failed_call() -> None:
    with HttpResponseStore() as store:
        store.statuses.append(0)
        with pytest.raises(BotoCoreError):
            put(store.url, b"")
        assert len(store.puts) == 1
    with pytest.raises(EndpointConnectionError):
        put(store.url, b"")


def test_the_url_is_in_no_log_at_any_level(
    store: HttpResponseStore, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "urllib3", "botocore"):
        caplog.set_level(logging.DEBUG, name)
    store.statuses.append(0)
    with pytest.raises(BotoCoreError):
        put(f"{store.url}/{SECRET}", b"")
    assert put(f"{store.url}/{SECRET}", b"") == 200
    assert SECRET not in caplog.text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def secure(store: HttpResponseStore, authority: trustme.CA) -> HttpResponseStore:
    """The store over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    store._server.socket = context.wrap_socket(
        store._server.socket, server_side=True, do_handshake_on_connect=False
    )
    store.url = store.url.replace("http:", "https:")
    return store


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_certificates_are_those_that_boto3_goes_by(
    secure: HttpResponseStore, bundle: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, bundle)
    assert put(f"{secure.url}/a", b"body") == 200
    assert secure.puts == [("/a", b"body")]


def test_a_certificate_that_nobody_vouches_for_gets_nothing(secure: HttpResponseStore) -> None:
    with pytest.raises(SSLError):
        put(secure.url, b"")
    assert secure.puts == []


class Proxy:
    """An HTTP proxy that tunnels."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked.append(self.path)
                host, _, port = self.path.partition(":")
                with create_connection((host, int(port))) as there:
                    self.send_response(200)
                    self.end_headers()
                    back = Thread(target=_pump, args=(there, self.connection))
                    back.start()
                    _pump(self.connection, there)
                    back.join()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def _pump(source: socket, sink: socket) -> None:
    with suppress(OSError):
        while received := source.recv(65_536):
            sink.sendall(received)
        sink.shutdown(SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    thread = Thread(target=proxy.server.serve_forever, args=(0.01,))
    thread.start()
    yield proxy
    proxy.server.shutdown()
    thread.join()
    proxy.server.server_close()


def test_the_proxy_is_the_one_that_boto3_goes_through(
    secure: HttpResponseStore, bundle: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert put(f"{secure.url}/a", b"body") == 200
    assert secure.puts == [("/a", b"body")]
    assert proxy.asked == [secure.url.removeprefix("https://")]


def test_what_needs_no_proxy_goes_past_it(
    secure: HttpResponseStore, bundle: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert put(f"{secure.url}/a", b"body") == 200
    assert proxy.asked == []
