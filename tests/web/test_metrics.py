"""The gallery's figures for Prometheus, behind the guard."""

from __future__ import annotations

import httpx

from tests.web.conftest import Serve


def test_figures_need_a_session(reader: httpx.Client) -> None:
    answer = reader.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "photoindex_catalogue_up 1.0" in answer.text.splitlines()
    reader.cookies.clear()
    assert reader.get("/metrics").status_code == 401


def test_the_password_comes_along_where_there_is_no_browser(serve: Serve) -> None:
    with serve(password="correct horse").client(signed_in=False) as client:
        ask = {"Authorization": "Bearer correct horse"}
        for _ in range(7):
            assert client.get("/metrics", headers=ask).status_code == 200
        assert client.get("/", headers=ask).status_code == 401
        wrong = [client.get("/metrics", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(6)]
        assert wrong == [401] * 5 + [429]
        assert client.get("/metrics", headers=ask).status_code == 429


def test_without_a_password_none_is_right(serve: Serve) -> None:
    with serve().client(signed_in=False) as client:
        assert client.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401
