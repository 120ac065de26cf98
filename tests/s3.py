"""An S3 server of the tests' own (moto's), and a gate before it where a test lets requests go wrong."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import make_photo

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_DEFAULT_REGION": "us-east-1"}
ADDRESS = re.compile(r"Running on http://127\.0\.0\.1:(\d+)")


def missing() -> str | None:
    """Return why there is no S3 server here; ``None`` when there is one."""
    wanted = [
        name for name in ("s3fs", "moto", "boto3", "flask", "flask_cors") if importlib.util.find_spec(name) is None
    ]
    return f"not installed: {', '.join(wanted)} (pip install s3fs 'moto[s3]' flask flask-cors)" if wanted else None


class Request(NamedTuple):
    method: str
    path: str  # with its query

    @property
    def lists(self) -> bool:
        return "list-type=2" in self.path


Answer = tuple[int, bytes]
Trouble = Callable[[Request], "Answer | None"]


def refusal(status: int, code: str) -> Answer:
    return status, f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>".encode()


class Gate:
    """Passes requests on to the server, but those for which ``trouble`` has an answer. ``asked`` has all of them."""

    def __init__(self, port: int) -> None:
        self.trouble: Trouble = lambda request: None
        self.page: int | None = None  # the most keys in a page of a listing
        self.asked: list[Request] = []
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                request = Request(self.command, self.path)
                gate.asked.append(request)
                status, headers, body = 0, [], b""
                wrong = gate.trouble(request)
                if wrong is not None:
                    status, body = wrong
                else:
                    more = (
                        f"&max-keys={gate.page}" if gate.page and request.lists and "max-keys" not in self.path else ""
                    )
                    connection = HTTPConnection("127.0.0.1", port)
                    sent = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                    connection.request(self.command, self.path + more, headers=sent)
                    response = connection.getresponse()
                    status, headers, body = response.status, response.getheaders(), response.read()
                    connection.close()
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                        self.send_header(name, value)
                length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Bucket:
    """A bucket, written past the gate. ``url`` names the prefix of the photos."""

    def __init__(self, client: Any, name: str, folder: Path) -> None:
        self.name = name
        self.url = f"s3://{name}/photos"
        self._client = client
        self._folder = folder
        client.create_bucket(Bucket=name)

    def put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=body)

    def photo(self, key: str, colour: str = "red") -> bytes:
        """Put a photo; return its bytes."""
        note = key.encode("ascii", "backslashreplace").decode()
        body = make_photo(self._folder / "photo.jpg", colour, note=note).read_bytes()
        self.put(key, body)
        return body

    def remove(self, *keys: str) -> None:
        for key in keys:
            self._client.delete_object(Bucket=self.name, Key=key)

    def keys(self) -> dict[str, str]:
        """All keys, with their etags."""
        found = self._client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {each["Key"]: each["ETag"] for each in found}

    def drop(self) -> None:
        self.remove(*self.keys())
        self._client.delete_bucket(Bucket=self.name)


@contextmanager
def server() -> Iterator[int]:
    """Start moto's server; yield its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    said = process.stderr
    assert said is not None
    port = next(int(found[1]) for line in said if (found := ADDRESS.search(line)))
    reader = threading.Thread(target=said.read)  # what it says of each request would fill the pipe
    reader.start()
    try:
        yield port
    finally:
        process.kill()
        process.wait()
        reader.join()
        said.close()


def client(port: int) -> Any:
    import botocore.session

    return botocore.session.get_session().create_client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip
