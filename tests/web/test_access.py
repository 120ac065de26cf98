"""Signing in: the one-time link, the password, and how many tries there are."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from photoindex.library.gallery import Edit
from photoindex.web.access import SESSION_SECONDS, TRIES_A_MINUTE, Access
from photoindex.web.problems import Problem
from tests.web.conftest import Serve, Served

PASSWORD = "correct horse"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_link_signs_in_one_browser(served: Served) -> None:
    link = served.server.link
    assert "link=" in link
    with httpx.Client() as browser:
        answer = browser.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"photoindex-{served.server.port}=")
        for word in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert word in cookie
        assert browser.get(served.server.address).status_code == 200
        assert browser.get(link).status_code == 303  # who signed in may open it again
    with httpx.Client() as other:
        assert other.get(link).status_code == 403
        assert other.get(served.server.address).status_code == 401
    assert "link=" in served.server.link != link  # of the next browser, in a file that only this user reads


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 3000])
def test_another_token_is_refused(served: Served, token: str) -> None:
    with served.client(signed_in=False) as client:
        answer = client.get("/login", params={"link": token})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_the_password_signs_in_by_form_and_by_json(serve: Serve) -> None:
    served = serve(password=PASSWORD)
    with served.client(signed_in=False) as browser:
        assert 'type="password"' in browser.get("/login").text
        assert browser.post("/login", data={"password": "wrong"}).status_code == 403
        assert browser.post("/login", data={"password": PASSWORD}).status_code == 303
        assert browser.get("/").status_code == 200
    with served.client(signed_in=False) as program:
        assert program.post("/api/v1/login", json={"password": PASSWORD}).json() == {"status": "signed in"}
        assert program.get("/api/v1/timeline").status_code == 200
        assert program.post("/api/v1/logout", json={}).json() == {"status": "signed out"}
        assert program.get("/api/v1/timeline").status_code == 401


@pytest.mark.parametrize(
    ("named", "host", "origin", "is_secure"),
    [
        ("https://photos.example", "photos.example", "https://photos.example", True),
        ("HTTPS://Photos.example:8443/x//y", "photos.example:8443", "https://photos.example:8443", True),
        ("photos.example:443", "photos.example", "https://photos.example", True),
        ("photos.example", "photos.example", "https://photos.example", True),  # the page says so
        ("https://photos.example", "photos.example", "http://photos.example", False),  # it would be kept by no browser
        ("http://photos.example", "photos.example", "http://photos.example", False),
        ("https://photos.example", "127.0.0.1:{port}", "http://127.0.0.1:{port}", False),
    ],
)
@pytest.mark.parametrize("path", ["/login", "/api/v1/login"])
def test_the_session_is_sent_over_tls_alone_where_it_began_so(
    serve: Serve, path: str, named: str, host: str, origin: str, is_secure: bool
) -> None:
    served = serve(password=PASSWORD, public_hosts=(named,))
    headers = {"Host": host.format(port=served.server.port), "Origin": origin.format(port=served.server.port)}
    body = {"password": PASSWORD}
    with served.client(signed_in=False) as browser:
        given = {"data": body} if path == "/login" else {"json": body}
        begun = browser.post(path, headers=headers, **given)  # type: ignore[arg-type]
        assert ("; Secure" in begun.headers["set-cookie"]) == is_secure
        session = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
        ended = browser.post("/api/v1/logout", headers={**headers, **session}, json={})
        assert ("; Secure" in ended.headers["set-cookie"]) == is_secure


@pytest.mark.parametrize(
    ("named", "is_secure"), [("https://photos.example", True), ("photos.example:443", True), ("photos.example", False)]
)
def test_a_link_over_tls_begins_a_session_for_tls(serve: Serve, named: str, is_secure: bool) -> None:
    """A browser that opens an address sends no Origin."""
    served = serve(public_hosts=(named,))
    link = urlsplit(served.server.link)
    with httpx.Client() as browser:
        answer = browser.get(f"{served.base}{link.path}?{link.query}", headers={"Host": "photos.example"})
        assert answer.status_code == 303
        assert ("; Secure" in answer.headers["set-cookie"]) == is_secure


@pytest.mark.parametrize("root", ["", "/photos"])
@pytest.mark.parametrize(
    "asked", ["/photo/1", "/search?q=a%20%22b%22&view=list", "/?camera=x&from=3", "/search?q=%E4%B8%AD"]
)
def test_who_signs_in_gets_to_what_they_asked_for(serve: Serve, root: str, asked: str) -> None:
    served = serve(password=PASSWORD, root=root)
    with served.client(signed_in=False) as browser:
        page = browser.get(asked)
        assert page.status_code == 401
        for password, status in (("wrong", 403), (PASSWORD, 303)):
            [wanted] = re.findall(r'name="to" value="([^"]*)"', page.text)
            assert html.unescape(wanted) == asked
            page = browser.post("/login", data={"password": password, "to": html.unescape(wanted)})
            assert page.status_code == status
        assert page.headers["location"] == root + asked


@pytest.mark.parametrize(
    "to", ["//evil.example/", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/a\r\nX: y", "", "x"]
)
def test_who_signs_in_gets_to_no_other_site(serve: Serve, to: str) -> None:
    served = serve(password=PASSWORD)
    with served.client(signed_in=False) as browser:
        answer = browser.post("/login", data={"password": PASSWORD, "to": to})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "x" not in answer.headers


@pytest.mark.parametrize("password", ["\ud800", "p\x00", "\u00e4" * 3, "x" * 10_000])
def test_a_wrong_password_of_any_characters_is_a_wrong_password(serve: Serve, password: str) -> None:
    served = serve(password=PASSWORD)
    with served.client(signed_in=False) as client:
        body = json.dumps({"password": password})
        answer = client.post("/api/v1/login", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "password")


@pytest.mark.parametrize("password", ["gr\u00fcn \u8349", "caf\u00e9"])
def test_a_password_of_any_letters_is_taken_from_form_json_and_header(serve: Serve, password: str) -> None:
    served = serve(password=password)
    with served.client(signed_in=False) as client:
        carried = {b"Authorization": b"Bearer " + password.encode()}
        assert client.get("/metrics", headers=carried).status_code == 200
        assert client.get("/metrics", headers={b"Authorization": b"Bearer caf\xe8"}).status_code == 401
        assert client.post("/api/v1/login", json={"password": password}).status_code == 200
    with served.client(signed_in=False) as client:
        assert client.post("/login", data={"password": password}).status_code == 303


def test_a_form_of_another_site_signs_nobody_in(serve: Serve) -> None:
    served = serve(password=PASSWORD)
    with served.client(signed_in=False) as client:
        for origin in ("http://evil.example", "null"):
            assert client.post("/login", data={"password": PASSWORD}, headers={"Origin": origin}).status_code == 403


def test_without_a_password_none_is_taken(served: Served) -> None:
    with served.client(signed_in=False) as client:
        for password in ("", "None", "null"):
            assert client.post("/api/v1/login", json={"password": password}).status_code == 403


def test_five_tries_a_minute(serve: Serve) -> None:
    served = serve(password=PASSWORD)
    with served.client(signed_in=False) as client:
        for _ in range(TRIES_A_MINUTE):
            assert client.post("/api/v1/login", json={"password": "wrong"}).status_code == 403
        for password in ("wrong", PASSWORD):
            answer = client.post("/api/v1/login", json={"password": password})
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 60
        assert client.get("/login", params={"link": "x"}).status_code == 429


def test_tries_are_forgotten_after_a_minute_and_sessions_after_a_month() -> None:
    clock = Clock()
    access = Access(None, PASSWORD, clock)
    for _ in range(TRIES_A_MINUTE):
        with pytest.raises(Problem):
            access.by_password("wrong")
    with pytest.raises(Problem, match="too many"):
        access.by_password(PASSWORD)
    clock.now += 61
    session = access.by_password(PASSWORD)
    assert access.is_session(session)
    clock.now += SESSION_SECONDS + 1
    assert not access.is_session(session)


def test_a_restart_ends_no_session(tmp_path: Path) -> None:
    file = tmp_path / "sessions.json"
    session = Access(file, PASSWORD).by_password(PASSWORD)
    again = Access(file)
    assert again.is_session(session)
    again.end(session)
    assert not Access(file).is_session(session)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": "b"}', "null", "\xff", "[" * 100_000], ids=range(7))
def test_a_broken_file_of_sessions_signs_nobody_in(tmp_path: Path, content: str) -> None:
    file = tmp_path / "sessions.json"
    file.write_bytes(content.encode("latin-1"))
    access = Access(file, PASSWORD)
    assert not access.is_session("a")
    assert access.is_session(access.by_password(PASSWORD))


@pytest.mark.parametrize("how", ["it signs out", "others took its place"])
def test_a_session_that_ends_takes_its_stream_along_and_no_other(served: Served, how: str) -> None:
    with (
        served.client(timeout=20) as ending,
        served.client(timeout=20) as staying,
        ending.stream("GET", "/api/v1/events") as stream,
        staying.stream("GET", "/api/v1/events") as other,
    ):
        lines, others = stream.iter_lines(), other.iter_lines()
        for each in (lines, others):
            while next(each) != "event: hello":
                pass
        if how == "it signs out":
            with served.client(signed_in=False, cookies=ending.cookies) as beside:
                assert beside.post("/api/v1/logout", json={}).status_code == 200
        else:
            served.server.access.end(ending.cookies[served.server.site.cookie])
            served.gallery.edit([1], Edit(favourite=True))
        assert "event: ended" in list(lines)
        served.gallery.edit([1], Edit(rating=3))
        while next(others) != "event: changed":
            pass
