"""Every kind of request that must not get through, tried on a real server; and what every answer carries."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from photoindex.config import Settings
from photoindex.errors import ServiceError
from photoindex.library import Library
from photoindex.library.gallery import Gallery
from photoindex.web import guard, server
from photoindex.web.server import GalleryServer, ServeOptions
from tests.support import FakeCaptioner
from tests.web.conftest import Serve, Served, fill

PAGES = [
    "/",
    "/search?q=red",
    "/photo/1",
    "/review",
    "/failures",
    "/duplicates",
    "/jobs",
    "/stats",
    "/about",
    "/settings",
]
EDIT = {"ids": [1], "caption": "a giraffe"}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "0.0.0.0:{port}",
        "127.0.0.1:{port}.evil.example",
        "user@127.0.0.1:{port}",
        "",
    ],
)
def test_a_foreign_host_is_misdirected(unchanged: Served, host: str) -> None:
    with unchanged.client() as client:
        for path in ("/", "/api/v1/health", "/login", "/static/x/app.js"):
            answer = client.get(path, headers={"Host": host.format(port=unchanged.server.port)})
            assert answer.status_code in (400, 421), path
            assert "red square" not in answer.text


def test_two_hosts_or_none_are_refused(unchanged: Served) -> None:
    port = unchanged.server.port
    for hosts in ([], [f"127.0.0.1:{port}", "evil.example"]):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            lines = ["GET / HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
            connection.sendall("\r\n".join(lines).encode())
            assert connection.makefile("rb").readline().split()[1] in (b"400", b"421")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_its_own_names_are_answered(unchanged: Served, host: str) -> None:
    with unchanged.client() as client:
        assert client.get("/api/v1/health", headers={"Host": f"{host}:{unchanged.server.port}"}).status_code == 200


def test_a_public_host_is_answered_when_it_is_named(serve: Serve) -> None:
    served = serve(public_hosts=("https://photos.example", "other.example:8443"))
    with served.client() as client:
        for host, status in (("photos.example", 200), ("other.example:8443", 200), ("other.example", 421)):
            assert client.get("/api/v1/health", headers={"Host": host}).status_code == status
        answer = client.patch(
            "/api/v1/photos", json=EDIT, headers={"Host": "photos.example", "Origin": "https://photos.example"}
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("named", "host", "origin"),
    [
        ("https://photos.example:443", "photos.example", "https://photos.example"),
        ("http://Photos.example:80/album", "photos.example", "http://photos.example"),
        ("photos.example:443", "photos.example", "https://photos.example"),
        ("photos.example:443", "photos.example:443", "https://photos.example:443"),
        ("[2001:db8::1]:443", "[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_a_public_host_may_be_named_with_the_port_that_browsers_leave_out(
    serve: Serve, named: str, host: str, origin: str
) -> None:
    served = serve(public_hosts=(named,))
    with served.client() as client:
        assert client.get("/", headers={"Host": host}).status_code == 200
        assert client.patch("/api/v1/photos", json=EDIT, headers={"Host": host, "Origin": origin}).status_code == 200
        for other in ("photos.example:8443", "photos.example:8080", "example", "[2001:db8::1"):
            assert client.get("/", headers={"Host": other}).status_code == 421


@pytest.fixture(scope="module")
def to_the_network(warm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gallery that listens on all addresses of this machine, and takes changes."""
    folder = tmp_path_factory.mktemp("network")
    with Library(Settings(folder / "data", settle_seconds=0.0, backup_days=0.0), lambda _: FakeCaptioner()) as library:
        fill(library, folder / "album")
        gallery = Gallery(library)
        running = GalleryServer(gallery, ServeOptions(host="0.0.0.0", port=0, password="correct horse"))
        running.start()
        yield Served(running, gallery, library, folder / "album")
        running.stop()
        gallery.close()


def answers(served: Served, host: str, origin: str) -> tuple[int, int]:
    """The statuses of a page and a change."""
    port = served.server.port
    headers = {"Host": host.format(port=port)}
    with served.client(on="127.0.0.1") as client:
        page = client.get("/stats", headers=headers)
        changed = client.patch("/api/v1/photos", json=EDIT, headers={**headers, "Origin": origin.format(port=port)})
        return page.status_code, changed.status_code


@pytest.mark.parametrize(
    "host",
    [
        "192.168.178.20:{port}",
        "10.0.0.5",  # of a port that something forwards
        "[fd00::12]:{port}",
        "[FE80::1]:{port}",
        "127.0.0.1:{port}",
        "localhost:{port}",
        f"{socket.gethostname()}:{{port}}",
        f"{socket.gethostname().partition('.')[0]}.local:{{port}}",
    ],
)
def test_a_gallery_for_the_network_answers_to_addresses(to_the_network: Served, host: str) -> None:
    assert answers(to_the_network, host, f"http://{host}".lower()) == (200, 200)
    assert answers(to_the_network, host, "http://10.6.6.6:{port}") == (200, 403)
    assert answers(to_the_network, host, "http://evil.example:{port}") == (200, 403)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "evil.local:{port}",
        "192.168.178.20.evil.example:{port}",
        "evil@192.168.178.20:{port}",
        "192.168.178.20:{port}:{port}",
        "192.168.178.020:{port}",
        "192.168.178:{port}",
        "3232281108:{port}",
        "0xc0.0xa8.0xb2.0x14:{port}",
        "fd00::12:{port}",
        "[fd00::12",
        "[evil.example]:{port}",
        "[192.168.178.20]x:{port}",
        "..",
    ],
)
def test_a_gallery_for_the_network_answers_to_no_other_names(to_the_network: Served, host: str) -> None:
    assert answers(to_the_network, host, f"http://{host}") == (421, 421)


@pytest.mark.parametrize("host", ["192.168.178.20:{port}", "[fd00::12]:{port}", "127.0.0.2:{port}"])
def test_a_gallery_of_this_machine_answers_to_its_own_address_alone(unchanged: Served, host: str) -> None:
    assert answers(unchanged, host, f"http://{host}") == (421, 421)


@pytest.mark.parametrize(
    "path",
    [
        *PAGES,
        "/api/v1/timeline",
        "/api/v1/photos/1",
        "/api/v1/photos/1/original",
        "/api/v1/events",
        "/api/v1/openapi.json",
        "/api/v1/nothing",
        "/nothing",
    ],
)
@pytest.mark.parametrize("cookie", [None, "", "wrong", "x" * 5000, '"; DROP'])
def test_nothing_is_shown_without_a_session(unchanged: Served, path: str, cookie: str | None) -> None:
    with unchanged.client(signed_in=False) as client:
        headers = {} if cookie is None else {"Cookie": f"{unchanged.server.site.cookie}={cookie}"}
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401
        assert "square" not in answer.text
        if path.startswith("/api/"):
            assert answer.json()["error"]["code"] == "login"


def test_a_session_of_another_port_is_none_here(unchanged: Served) -> None:
    session = unchanged.server.access._begin()
    with unchanged.client(signed_in=False) as client:
        assert client.get("/", headers={"Cookie": f"photoindex-1={session}"}).status_code == 401


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "nonsense"])
def test_requests_that_another_site_began_are_refused(unchanged: Served, site: str) -> None:
    with unchanged.client() as client:
        for path in ("/", "/api/v1/timeline", "/api/v1/photos/1/original", "/login", "/static/x/app.js"):
            assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_requests_of_a_person_and_of_our_pages_are_not(unchanged: Served, site: str) -> None:
    with unchanged.client() as client:
        assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost.evil.example:{port}",
        "ftp://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port} http://evil.example",
    ],
)
def test_a_change_from_elsewhere_is_refused(unchanged: Served, origin: str | None) -> None:
    with unchanged.client() as client:
        if origin is None:
            del client.headers["Origin"]
        else:
            client.headers["Origin"] = origin.format(port=unchanged.server.port)
        assert client.patch("/api/v1/photos", json=EDIT).status_code == 403
        assert client.post("/api/v1/failures/retry", json={"ids": [1]}).status_code == 403
    assert unchanged.gallery.history(1) == ()


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "text/json",
    ],
)
def test_a_change_that_a_form_could_send_is_refused(unchanged: Served, kind: str | None) -> None:
    with unchanged.client() as client:
        headers = {} if kind is None else {"Content-Type": kind}
        assert client.patch("/api/v1/photos", content=json.dumps(EDIT), headers=headers).status_code == 415
    assert unchanged.gallery.history(1) == ()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"])
def test_no_other_methods_and_no_cors(unchanged: Served, method: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", unchanged.server.port)
    connection.request(
        method, "/api/v1/photos", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "PATCH"}
    )
    answer = connection.getresponse()
    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    connection.close()


@pytest.mark.parametrize(
    "path", [*PAGES, "/login", "/nothing", "/api/v1/timeline", "/api/v1/photos/1/original", "/api/v1/nothing"]
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_every_answer_is_closed_to_others(unchanged: Served, path: str, signed_in: bool) -> None:
    with unchanged.client(signed_in=signed_in) as client:
        headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers
    if path.startswith("/api/v1/t") or not path.endswith("original"):
        # A page is kept by the browser alone and asked for each time; what a stranger gets is not kept at all.
        assert headers["cache-control"] in (("private, no-cache", "no-store") if signed_in else ("no-store",))


@pytest.mark.parametrize(
    "path",
    [
        "/static/{version}/../../errors.py",
        "/static/{version}/..%2f..%2ferrors.py",
        "/static/{version}/%2e%2e/app.py",
        "/static/{version}//etc/passwd",
        "/static/{version}/app.js%00",
        "/static/{version}/templates/base.html",
        "/static/../app.py",
        "/static/other/app.js",
        "/api/v1/t/../../../etc/passwd",
        "/api/v1/t/..%2f..%2fcatalogue.sqlite3",
        "/api/v1/photos/..%2f..%2fetc%2fpasswd/original",
        "/api/v1/photos/1;/original",
        "/api/v1/photos/-1/original",
        "/api/v1/photos/1e3/original",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_no_path_leads_to_a_file(unchanged: Served, path: str) -> None:
    version = unchanged.gallery and unchanged.server._app._files.version
    session = unchanged.server.access._begin()
    connection = http.client.HTTPConnection("127.0.0.1", unchanged.server.port)
    connection.putrequest("GET", path.format(version=version), skip_host=False)
    connection.putheader("Cookie", f"{unchanged.server.site.cookie}={session}")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (400, 404)
    assert b"root:" not in answer.read()
    connection.close()


def test_a_body_that_is_too_large_is_refused(unchanged: Served) -> None:
    with unchanged.client() as client:
        large = json.dumps({"ids": [1], "caption": "x" * guard.MOST_BODY})
        headers = {"Content-Type": "application/json"}
        for content in (large, iter([large[:2_000_000].encode(), large[2_000_000:].encode()])):
            with suppress(httpx.WriteError):  # the server closed while it was being sent
                assert client.patch("/api/v1/photos", content=content, headers=headers).status_code == 413
        assert client.get("/api/v1/health").status_code == 200
    assert unchanged.gallery.history(1) == ()


def test_a_body_that_does_not_come_is_not_waited_for(unchanged: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    session = unchanged.server.access._begin()
    head = (
        f"PATCH /api/v1/photos HTTP/1.1\r\nHost: 127.0.0.1:{unchanged.server.port}\r\n"
        f"Origin: {unchanged.origin['Origin']}\r\nCookie: {unchanged.server.site.cookie}={session}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", unchanged.server.port), timeout=60) as connection:
        connection.sendall(head.encode())
        assert b" 408 " in connection.recv(100)


def test_headers_that_do_not_come_are_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.2)
    served = serve()
    for begun in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "):
        with socket.create_connection(("127.0.0.1", served.server.port), timeout=60) as connection:
            connection.sendall(begun)
            assert connection.recv(100) == b""


def test_headers_and_addresses_that_are_too_long_are_refused(unchanged: Served) -> None:
    with unchanged.client() as client:
        assert client.get("/search", params={"q": "x" * 25_000}).status_code == 414
        assert client.get("/", headers={"X-Long": "x" * 100_000}).status_code in (400, 431)
        assert client.get("/api/v1/health").status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "[" * 100_000,
        '{"ids": "1"}',
        '{"ids": [true], "caption": "x"}',
        '{"ids": [-1], "caption": "x"}',
        '{"ids": [1], "caption": 5}',
        '{"ids": [1], "tags": "x"}',
        '{"ids": [1]}',
        '{"caption": "x"}',
        '{"ids": [1], "path": "/etc"}',
        '{"ids": [1], "caption": ""}',
        '{"ids": [1], "caption": "\\u0000"}',
        '{"ids": [1], "caption": "\\ud800"}',
        '{"set": "none", "caption": "x"}',
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(unchanged: Served, content: str) -> None:
    with unchanged.client() as client:
        answer = client.patch("/api/v1/photos", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 410), answer.text
    assert answer.json()["error"]["message"]
    assert unchanged.gallery.history(1) == ()


def test_read_only_shows_everything_and_changes_nothing(serve: Serve) -> None:
    served = serve(read_only=True)
    with served.client() as client:
        for method, path, body in (
            ("PATCH", "/api/v1/photos", EDIT),
            ("POST", "/api/v1/edits/undo", {"edit": "x"}),
            ("POST", "/api/v1/failures/retry", {"ids": [1]}),
            ("POST", "/api/v1/failures/ignore", {"ids": [1]}),
            ("POST", "/api/v1/jobs/1", {"action": "pause"}),
        ):
            answer = client.request(method, path, json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (403, "read_only")
            assert error["advice"] == "start photoindex serve without --read-only"
        for path in PAGES:
            assert client.get(path).status_code == 200
        assert client.post("/api/v1/logout", json={}).status_code == 200
        assert client.get("/").status_code == 401


def test_a_catalogue_that_may_not_be_written_is_served_read_only(
    serve: Serve, open_library: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    monkeypatch.setattr(served.library.database, "read_only", True)
    another = GalleryServer(served.gallery, ServeOptions(port=0))
    assert another.site.read_only
    assert another.site.to_change.startswith("the catalogue can only be read")  # whatever it was started with
    another._socket.close()


def test_one_for_other_machines_says_how_it_takes_changes(serve: Serve) -> None:
    server = GalleryServer(serve().gallery, ServeOptions("0.0.0.0", 0, password="a password", read_only=True))
    assert "with --allow-changes" in server.site.to_change
    server._socket.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_addresses_need_a_password(library: Library, host: str) -> None:
    gallery = Gallery(library)
    with pytest.raises(ServiceError, match="password"):
        GalleryServer(gallery, ServeOptions(host=host, port=0))
    gallery.close()


def test_a_path_before_all_addresses(serve: Serve) -> None:
    """With a proxy that takes it off, and with one that does not."""
    served = serve(root="/photos")
    with httpx.Client(headers=served.origin) as client:
        client.cookies.set(served.server.site.cookie, served.server.access._begin())
        base = f"http://127.0.0.1:{served.server.port}"
        for path in ("/photos/", "/photos", "/"):
            page = client.get(base + path)
            assert page.status_code == 200
            assert 'href="/photos/review"' in page.text
        assert client.get(f"{base}/photosynthesis").status_code == 404
        assert client.get(f"{base}/photos/api/v1/health").json()["status"] == "ok"
    with httpx.Client() as client:
        answer = client.get(served.server.link)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/photos/"
        assert "Path=/photos;" in answer.headers["set-cookie"]


@pytest.mark.parametrize("root", ["", "/photos"])
def test_a_slash_too_many_leads_to_the_same_address_of_the_same_place(serve: Serve, root: str) -> None:
    served = serve(root=root, public_hosts=("photos.example",))
    session = f"{served.server.site.cookie}={served.server.access._begin()}"
    headers = {"Host": "photos.example", "X-Forwarded-Proto": "https", "Cookie": session}
    moved = {"/albums/": "/albums", "/photo/1//": "/photo/1", "/search/?q=a%20b&view=list": "/search?q=a%20b&view=list",
             "/api/v1/albums/": "/api/v1/albums"}  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{served.server.port}", headers=headers) as client:
        for path, to in moved.items():
            for before in {"", root}:  # a proxy takes it off, or not
                answer = client.get(before + path)
                assert (answer.status_code, answer.headers["location"]) == (307, root + to)
        for path in ("/nothing/", "//photos.example/", "//albums/", "/photo/"):
            assert client.get(f"http://127.0.0.1:{served.server.port}{path}").status_code == 404, path


def test_no_web_sockets(unchanged: Served) -> None:
    with unchanged.client() as client:
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert client.get("/api/v1/events2", headers=headers).status_code in (400, 403, 404)


def test_it_ends_while_a_stream_is_open(served: Served) -> None:
    with served.client(timeout=60) as client, client.stream("GET", "/api/v1/events") as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: hello"
        began = time.monotonic()
        served.server.stop()
        assert time.monotonic() - began < server.END_SECONDS
        assert [line for line in lines if line.startswith("event:")] == []


def test_sessions_are_kept_hidden_and_hashed(unchanged: Served) -> None:
    session = unchanged.server.access._begin()
    file = unchanged.gallery.settings.data_dir / server.SESSIONS_FILE
    assert session not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
