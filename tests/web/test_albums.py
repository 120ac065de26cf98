"""Marks, albums, what is no duplicate, and the map, by the API and as pages."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from photoindex.catalogue import photos
from photoindex.library.gallery import Edit
from photoindex.web import pictures
from photoindex.web.pictures import MOST_SHEETS
from tests.web.conftest import Served
from tests.web.test_api import check
from tests.web.test_pages import Page

API = "/api/v1"


def ids_of(client: httpx.Client, query: str) -> list[int]:
    found = client.get(f"{API}/search", params={"q": query}).json()
    return [item["id"] for item in found["items"]]


def edit(client: httpx.Client, **change: Any) -> Any:
    return check(client.patch(f"{API}/photos", json=change), "patch", "/photos")


def total(client: httpx.Client) -> int:
    return int(client.get(f"{API}/timeline").json()["total"])


def steps_from(client: httpx.Client, photo: int) -> list[str | None]:
    """The links of a photo's page to the photos before and after it."""
    links = Page(client.get(f"/photo/{photo}").text).all("a")
    return [one.get("href") for one in links if one.get("rel") in ("prev", "next")]


def test_a_hidden_photo_leaves_timeline_and_searches_and_comes_back(served: Served, client: httpx.Client) -> None:
    before = total(client)
    steps = steps_from(client, 1)
    assert steps
    made = edit(client, ids=[1], hidden=True)
    served.gallery._snapshots.latest(now=True)
    assert total(client) == before - 1
    assert 1 not in client.get(f"{API}/timeline/0-100").json()["ids"]
    assert 1 not in ids_of(client, "square")
    assert ids_of(client, "is:hidden") == [1]
    assert "hidden" in Page(client.get("/search?q=is:hidden").text).text
    assert steps_from(client, 1) == steps
    check(client.post(f"{API}/edits/undo", json={"edit": made["edit"]}), "post", "/edits/undo")
    served.gallery._snapshots.latest(now=True)
    assert total(client) == before
    assert 1 in ids_of(client, "square")


def test_stars_and_favourites_are_said_and_shown(served: Served, client: httpx.Client) -> None:
    edit(client, ids=[1, 2], rating=4, favourite=True)
    photo = check(client.get(f"{API}/photos/1"), "get", "/photos/{id}")
    assert (photo["rating"], photo["favourite"], photo["hidden"]) == (4, True, False)
    assert sorted(ids_of(client, "is:favourite rating:4")) == [1, 2]
    served.gallery._snapshots.latest(now=True)
    item = client.get(f"{API}/search", params={"q": "is:favourite"}).json()["items"][0]
    assert (item["rating"], item["favourite"]) == (4, True)
    pressed = [one for one in Page(client.get("/photo/1").text).all("button") if one.get("aria-pressed") == "true"]
    assert len(pressed) == 5  # four stars and the heart


@pytest.mark.parametrize(
    "change", [{"rating": 6}, {"rating": "5"}, {"favourite": 1}, {"review": "good"}, {"hidden": "x"}]
)
def test_marks_that_are_none_are_refused(client: httpx.Client, change: dict[str, Any]) -> None:
    assert client.patch(f"{API}/photos", json={"ids": [1], **change}).status_code == 400


def test_reviews_are_queues(client: httpx.Client) -> None:
    first, second = client.get(f"{API}/review").json()["items"][:2]
    edit(client, ids=[first], review="wrong")
    edit(client, ids=[second], review="later")
    left = check(client.get(f"{API}/review"), "get", "/review")
    assert not {first, second} & set(left["items"])
    assert left["wrong"] == 1
    for queue, photo in (("wrong", first), ("later", second)):
        assert client.get(f"{API}/review", params={"queue": queue}).json()["items"] == [photo]
        assert f'data-id="{photo}"' in client.get(f"/review?queue={queue}").text
    edit(client, ids=[first], review="")
    assert first in client.get(f"{API}/review").json()["items"]


def test_an_album_is_made_filled_shown_renamed_deleted_and_made_again(client: httpx.Client) -> None:
    made = check(client.post(f"{API}/albums", json={"name": "Squares", "ids": [1, 2]}), "post", "/albums")
    token = client.get(f"{API}/search", params={"q": "blue"}).json()["set"]
    filled = check(client.post(f"{API}/albums/fill", json={"name": "squares", "set": token}), "post", "/albums/fill")
    assert filled["id"] == made["id"]
    album = check(client.get(f"{API}/albums/{made['id']}"), "get", "/albums/{id}")
    assert album["total"] == 2 + filled["changed"]
    check(client.post(f"{API}/albums/{made['id']}", json={"ids": [1]}), "post", "/albums/{id}")
    check(client.post(f"{API}/albums/{made['id']}", json={"name": "Rectangles"}), "post", "/albums/{id}")
    [listed] = check(client.get(f"{API}/albums"), "get", "/albums")["items"]
    assert (listed["name"], listed["photos"]) == ("Rectangles", album["total"] - 1)
    assert "Rectangles" in Page(client.get("/albums").text).text
    assert len(Page(client.get(f"/album/{made['id']}").text).all("img")) == album["total"] - 1
    assert "Rectangles" in Page(client.get("/photo/2").text).text
    gone = check(client.post(f"{API}/albums/{made['id']}/delete", json={}), "post", "/albums/{id}/delete")
    assert client.get(f"{API}/albums/{made['id']}").status_code == 409
    assert client.get(f"/album/{made['id']}").status_code == 409
    again = client.post(f"{API}/albums", json={"name": gone["name"], "ids": gone["ids"]}).json()
    assert client.get(f"{API}/albums/{again['id']}").json()["total"] == album["total"] - 1


def test_what_was_added_to_an_album_together_is_taken_out_together(client: httpx.Client) -> None:
    number = check(client.post(f"{API}/albums", json={"name": "Squares", "ids": [1]}), "post", "/albums")["id"]
    body = {"name": "Squares", "ids": [1, 2, 3]}
    made = check(client.post(f"{API}/albums/fill", json=body), "post", "/albums/fill")
    assert (made["id"], made["changed"]) == (number, 2)
    address = f"{API}/albums/{number}"
    for wrong in ({"added_at": "yesterday"}, {"added_at": "2026-01-01T00:00:00"}, {"added_at": 1},
                  {"added_at": made["added_at"], "ids": [1]}, {"added_at": made["added_at"], "name": "x"}):  # fmt: skip
        assert client.post(address, json=wrong).status_code == 400, wrong
    for changed in (2, 0):
        answer = check(client.post(address, json={"added_at": made["added_at"]}), "post", "/albums/{id}")
        assert answer["changed"] == changed
    assert [one["id"] for one in client.get(address).json()["items"]] == [1]
    assert client.post(f"{API}/albums/999", json={"added_at": made["added_at"]}).status_code == 409


def test_an_album_that_was_made_for_photos_goes_with_them_unless_it_holds_others(client: httpx.Client) -> None:
    def fill(*ids: int) -> dict[str, Any]:
        body = {"name": "Circles", "ids": list(ids)}
        filled: dict[str, Any] = check(client.post(f"{API}/albums/fill", json=body), "post", "/albums/fill")
        return filled

    def take_out(filled: dict[str, Any]) -> int:
        answer = client.post(f"{API}/albums/{filled['id']}", json={"added_at": filled["added_at"]})
        return int(check(answer, "post", "/albums/{id}")["changed"])

    made, more = fill(1, 2), fill(3)
    assert take_out(made) == 2
    assert [one["id"] for one in client.get(f"{API}/albums/{made['id']}").json()["items"]] == [3]
    assert take_out(more) == 1  # it was there before these
    assert client.get(f"{API}/albums/{made['id']}").json()["items"] == []
    assert take_out(made) == 0
    client.post(f"{API}/albums/{made['id']}/delete", json={})
    made = fill(1, 2)
    assert take_out(made) == 2
    assert client.get(f"{API}/albums").json()["items"] == []
    assert client.get(f"/album/{made['id']}").status_code == 409


def test_a_saved_search_keeps_up(served: Served, client: httpx.Client) -> None:
    made = client.post(f"{API}/albums", json={"name": "Holiday", "query": "tag:holiday"}).json()
    assert client.get(f"{API}/albums/{made['id']}").json()["total"] == 0
    edit(client, ids=[3], tags=["holiday"])
    assert [one["id"] for one in client.get(f"{API}/albums/{made['id']}").json()["items"]] == [3]
    assert client.get(f"/album/{made['id']}").status_code == 200
    for wrong in ({"name": "x", "query": "the"}, {"name": "holiday", "query": "dog"}, {"name": "", "ids": [1]}):
        assert client.post(f"{API}/albums", json=wrong).status_code in (400, 409)


def test_an_album_as_one_file(served: Served, client: httpx.Client) -> None:
    picked, _ = served.gallery.albums.put("Best <of> all", [1, 3, 5])
    saved = served.gallery.albums.add("Red ones", "red")
    served.gallery.photo(1).paths[0].unlink()
    first = client.get(f"{API}/albums/{picked.id}/sheet")
    assert first.headers["content-disposition"] == "attachment; filename*=UTF-8''Best%20%3Cof%3E%20all.html"
    assert first.headers["content-type"].startswith("text/html")
    assert "sandbox" in first.headers["content-security-policy"]
    assert "<title>Best &lt;of&gt; all</title>" in first.text
    assert "3 photos, last added first" in first.text
    assert first.text.count("not there now") == 1
    assert first.text.count("data:image/jpeg;base64,") == 3  # its thumbnail was made while it was captioned
    second = client.get(f"{API}/albums/{saved.id}/sheet").text
    assert "<mark>red</mark>" in second
    assert ", best first" in second
    assert client.get(f"{API}/albums/99/sheet").status_code == 409
    assert f'href="/api/v1/albums/{picked.id}/sheet"' in client.get(f"/album/{picked.id}").text


def test_contact_sheets_leave_threads_for_other_pages(served: Served, client: httpx.Client) -> None:
    album, _ = served.gallery.albums.put("All", [1, 2, 3])
    address = f"{API}/albums/{album.id}/sheet"
    with ExitStack() as stack:
        for _ in range(MOST_SHEETS):
            stack.enter_context(closing(pictures._in_turn(iter(["a piece"]))))
        refused = client.get(address)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
    for _ in range(MOST_SHEETS + 1):  # each is done with when it was read
        assert client.get(address).status_code == 200


def test_duplicates_are_told_apart(served: Served, client: httpx.Client) -> None:
    import shutil

    shutil.copy(served.album / "red one.jpg", served.album / "red two.jpg")
    served.library.index(served.album)
    [group] = client.get(f"{API}/duplicates").json()["items"]
    body = {"ids": [file["id"] for file in group], "distinct": True}
    assert check(client.post(f"{API}/duplicates/decide", json=body), "post", "/duplicates/decide")["changed"] == 1
    assert client.get(f"{API}/duplicates").json()["items"] == []
    assert len(client.get(f"{API}/duplicates", params={"decided": "yes"}).json()["items"]) == 1
    assert "They are duplicates" in client.get("/duplicates?decided=yes").text
    assert client.post(f"{API}/duplicates/decide", json={**body, "distinct": False}).json()["changed"] == 1
    assert client.post(f"{API}/duplicates/decide", json={"ids": [999_999], "distinct": True}).status_code == 409


@pytest.fixture
def located(served: Served) -> Served:
    places = [(38.7, -9.1), (38.8, -9.2), (-33.9, 151.2), (64.1, -21.9), (0.0, 179.9), (0.1, -179.9)]
    with served.library.database.write() as connection:
        for number, (latitude, longitude) in enumerate(places, 1):
            connection.exec_driver_sql(
                "update photo set latitude = ?, longitude = ? where id = ?", (latitude, longitude, number)
            )
        photos.mark_text_stale(connection, list(range(1, len(places) + 1)))
    served.library.finder.sync()
    served.gallery._snapshots.latest(now=True)
    return served


def test_positions_are_clustered_and_opened(located: Served, client: httpx.Client) -> None:
    world = check(client.get(f"{API}/map", params={"across": 12}), "get", "/map")
    assert (world["photos"], world["located"]) == (6, 6)
    assert world["items"][0]["photos"] == 2
    assert sum(one["photos"] for one in world["items"]) == 6
    box = ",".join(map(str, world["items"][0]["box"]))
    assert client.get(f"{API}/map", params={"box": box}).json()["photos"] == 2
    found = client.get(f"{API}/search", params={"q": f"bbox:{box}", "sort": "newest"}).json()
    assert {one["id"] for one in found["items"]} == {1, 2}
    across_the_date_line = client.get(f"{API}/map", params={"box": "179,-5,-179,5"}).json()
    assert across_the_date_line["photos"] == 2
    assert "6 photos with a position" in Page(client.get("/map").text).text


@pytest.mark.parametrize("box", ["", "1,2,3", "a,b,c,d", "0,10,10,0", "-181,0,0,0", "nan,0,0,0", "0,0,inf,0"])
def test_a_box_that_is_none_is_refused(client: httpx.Client, box: str) -> None:
    assert client.get(f"{API}/map", params={"box": box}).status_code == 400
    assert client.get(f"{API}/search", params={"q": f"bbox:{box}"}).status_code == 400


def test_the_outline_is_served_from_here(client: httpx.Client) -> None:
    from photoindex.web.static import StaticFiles

    answer = client.get(StaticFiles("").address("land.json"))
    rings = answer.json()["rings"]
    assert len(rings) > 500
    assert all(len(ring) >= 8 and len(ring) % 2 == 0 for ring in rings)


def test_an_album_without_photos_says_why(served: Served, client: httpx.Client) -> None:
    def says() -> str:
        page = client.get(f"/album/{number}").text
        reasons: list[str] = re.findall(r'<div class="empty">.*?<p>(.*?)</p>', page)
        return reasons[0]

    number = client.post("/api/v1/albums/fill", json={"name": "Some", "ids": [1, 2]}).json()["id"]
    assert "empty" not in client.get(f"/album/{number}").text
    served.gallery.edit([1, 2], Edit(hidden=True))
    served.gallery._snapshots.latest(now=True)
    assert says() == "Its photos are hidden, or have no file now."
    client.post(f"/api/v1/albums/{number}", json={"ids": [1, 2]})
    assert says() == "Photos are put into it on their own pages, or from a search."
    number = client.post("/api/v1/albums", json={"name": "Search", "query": "zebracorn"}).json()["id"]
    assert says() == "No photo matches its search now."


@pytest.mark.parametrize("path", ["/album/{}", "/search?q=square", "/search?q=square&sort=newest"])
def test_a_page_that_has_gone_is_the_last_one_of_its_list(client: httpx.Client, path: str) -> None:
    number = client.post("/api/v1/albums/fill", json={"name": "Some", "ids": [1, 2]}).json()["id"]
    address = path.format(number)
    first = client.get(address).text
    beyond = client.get(address + ("&" if "?" in address else "?") + "from=600").text
    for page in (first, beyond):
        assert page.count("<img") == first.count("<img") > 0
        assert 'rel="prev"' not in page


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("queue=wrong", "You called no caption wrong."),
        ("queue=later", "You put no photo off."),
        ("queue=search&q=zebracorn", "finds has your word, if there is any."),
        ("", "Every photo has your word."),
    ],
)
def test_a_queue_without_photos_says_what_it_is_of(
    served: Served, client: httpx.Client, address: str, text: str
) -> None:
    served.gallery.edit([1, 2, 3, 4, 5, 6], Edit(lock=True))
    page = client.get(f"/review?{address}").text
    assert "Nothing to review" in page
    assert text in page
