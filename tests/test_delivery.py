"""The delivery alone: what is sent to the letter, to whom, and when it is sent again."""

import json
import logging
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest
import trustme
from botocore.exceptions import BotoCoreError

from handler.delivery import DeliveryError, deliver, flaw, put
from tests.fakes.clock import Clock

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


class Server(ThreadingHTTPServer):
    """A response store on a real socket, or a proxy to one; it answers one status."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.tunnels: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_CONNECT(self) -> None:
                server.tunnels.append(self.path)
                self.send_error(502)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://localhost:{self.server_port}/a/b?X-Amz-Signature=s3cr3t&c=d%2Fe"


@pytest.fixture
def store() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.mark.parametrize("status", [200, 403, 503])
def test_it_is_put_to_the_letter_and_the_status_is_told(status: int) -> None:
    with Server(status) as server:
        assert put(server.url(), b"body") == status
    ((target, headers, body),) = server.requests
    assert target == "/a/b?X-Amz-Signature=s3cr3t&c=d%2Fe"
    # Presigned without a content type, so it has to be empty.
    sent = {name.lower(): value for name, value in headers.items()}
    assert sent.pop("user-agent").startswith("python-urllib3/")
    assert sent == {
        "host": f"localhost:{server.server_port}",
        "accept-encoding": "identity",
        "content-length": "4",
        "content-type": "",
    }
    assert body == b"body"


def test_it_does_not_follow_to_another_place(store: Server) -> None:
    with Server(307) as server:
        assert put(server.url(), b"body") == 307
    assert store.requests == []


@pytest.mark.parametrize("bundle", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_it_trusts_whom_boto3_is_told_to_trust(
    store: Server, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    store.socket = context.wrap_socket(store.socket, server_side=True)
    with pytest.raises(BotoCoreError):
        put(store.url("https"), b"body")
    assert store.requests == []
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv(bundle, str(tmp_path / "ca.pem"))
    assert put(store.url("https"), b"body") == 200
    assert len(store.requests) == 1


def test_it_goes_through_the_proxy_that_boto3_goes_through(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{store.server_port}")
    with pytest.raises(BotoCoreError):
        put("https://store.example/a?s3cr3t", b"body")
    assert store.tunnels == ["store.example:443"]
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert put(store.url(), b"body") == 200


@pytest.mark.parametrize("answer", [b"", b"no HTTP", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"])
def test_what_is_no_answer_is_an_error_of_the_client(answer: bytes) -> None:
    with create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        with pytest.raises(BotoCoreError):
            put(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"body")
        thread.join()


def test_no_log_has_the_url_on_any_level(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert put(store.url(), b"body") == 200
    with pytest.raises(BotoCoreError):
        put("http://127.0.0.1:9/a?X-Amz-Signature=s3cr3t", b"body")
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://example.com/", ""),
        ("https://[2001:db8::1]:1/a", ""),
        ("http://127.0.0.1:81/a", ""),
        ("http://[::1]/a", ""),
        ("http://localhost/", ""),
        ("http://example.com/", "ResponseURL: http to example.com, expected https"),
        ("ftp://example.com/", "ResponseURL: ftp to example.com, expected https"),
        ("//example.com/", "ResponseURL: no scheme to example.com, expected https"),
        ("https://me@example.com/", "ResponseURL: not a URL that can be written to"),
        ("https://example.com:0/", "ResponseURL: not a URL that can be written to"),
        ("https://example.com:x/", "ResponseURL: not a URL that can be written to"),
        ("https://exam ple.com/", "ResponseURL: not a URL that can be written to"),
        ("https://example.com/\n", "ResponseURL: not a URL that can be written to"),
        ("https://exämple.com/", "ResponseURL: not a URL that can be written to"),
        ("https:///a", "ResponseURL: not a URL that can be written to"),
        ("", "ResponseURL: missing"),
        (None, "ResponseURL: missing"),
        (7, "ResponseURL: missing"),
    ],
)
def test_a_url_that_may_not_be_written_to_is_told_as_that(url: object, told: str) -> None:
    assert flaw(url) == told
