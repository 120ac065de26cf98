"""The photos before and after one are those of the list that it was opened from, in the order of that list."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from photoindex.library.gallery import Edit
from tests.web.conftest import Served

LISTS = [
    "/search?q=square",
    "/search?q=square&sort=newest",
    "/search?q=square&sort=oldest",
    "/search?q=square&sort=added&view=list",
    "/search?q=square&sort=rating",
    "/album/1",
    "/album/2",
    "/photo/2/similar",
]


@pytest.fixture
def listed(served: Served) -> Served:
    """Photos whose orders differ: by date, by stars, by when an album got them."""
    gallery = served.gallery
    gallery.albums.put("Picked", [3, 1, 4, 2])
    gallery.albums.add("Saved", "square")
    for number, stars in ((1, 2), (3, 5), (4, 1)):
        gallery.edit([number], Edit(rating=stars))
    with served.library.database.write() as connection:
        connection.exec_driver_sql("update photo set taken_at = '2020-01-0' || (1 + id * 5 % 7) || ' 12:00:00.000000'")
    gallery.library.rebuild_full_text()
    gallery._snapshots.latest(now=True)
    return served


def photos_of(client: httpx.Client, page: str) -> dict[int, str]:
    """The photos of a list, each with the address that it is opened by."""
    text = client.get(page).raise_for_status().text
    found = re.findall(r'class="picture" href="(/photo/(\d+)[^"]*)"', text)
    return {int(number): unescape(address) for address, number in found}


def step(client: httpx.Client, address: str, way: str) -> str | None:
    """The address of the photo before or after one."""
    found = re.search(rf'class="step {way}" href="([^"]+)"', client.get(address).raise_for_status().text)
    return unescape(found[1]) if found else None


def walk(client: httpx.Client, address: str | None, way: str) -> list[int]:
    """The photos that one comes by from one on, by the same arrow."""
    seen: list[int] = []
    while address is not None:
        seen.append(int(re.findall(r"/photo/(\d+)", address)[0]))
        address = step(client, address, way)
    return seen


@pytest.mark.parametrize("page", LISTS)
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "no longer kept"])
def test_the_arrows_go_through_the_list(listed: Served, client: httpx.Client, page: str, kept: bool) -> None:
    photos = photos_of(client, page)
    ids = list(photos)
    assert len(ids) > 2
    if not kept:
        photos = {number: re.sub("set=[^&]+", "set=gone", address) for number, address in photos.items()}
        assert all("set=gone" in address for address in photos.values())
    assert walk(client, photos[ids[0]], "next") == ids
    assert walk(client, photos[ids[-1]], "prev") == ids[::-1]
    assert walk(client, photos[ids[1]], "prev") == ids[1::-1]


def test_the_orders_of_the_lists_differ(listed: Served, client: httpx.Client) -> None:
    orders = [list(photos_of(client, page)) for page in LISTS if page != "/album/2"]
    assert len({tuple(order) for order in orders}) > 4


def test_a_list_that_is_found_again_is_kept_again(
    listed: Served, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = photos_of(client, "/search?q=square&sort=newest")
    asked = []
    rank = listed.library.finder.rank
    monkeypatch.setattr(listed.library.finder, "rank", lambda *given: asked.append(given) or rank(*given))
    assert walk(client, next(iter(photos.values())).replace("set=", "set=not"), "next") == list(photos)
    assert len(asked) == 1


def test_a_corrected_photo_keeps_its_place_and_one_without_a_file_has_none(
    listed: Served, client: httpx.Client
) -> None:
    photos = photos_of(client, "/search?q=square&sort=newest")
    ids = list(photos)
    listed.gallery.edit([ids[1]], Edit(caption="nothing of it"))
    assert walk(client, photos[ids[0]], "next") == ids
    for path in listed.gallery.photo(ids[2]).paths:
        path.unlink()
    listed.library.index(listed.album)
    listed.gallery._snapshots.latest(now=True)
    assert walk(client, photos[ids[0]], "next") == [*ids[:2], *ids[3:]]


@pytest.mark.parametrize(
    "lost", ["set=gone", "set=gone&album=99", "set=gone&like=99", "set=gone&q=%22", "set=gone&q=xylophone"]
)
def test_without_its_list_a_photo_has_the_neighbours_of_the_timeline(
    listed: Served, client: httpx.Client, lost: str
) -> None:
    before, after = listed.gallery.neighbours(2)
    found = [step(client, f"/photo/2?{lost}", way) for way in ("prev", "next")]
    assert [each and int(re.findall(r"/photo/(\d+)", each)[0]) for each in found] == [before, after]


def test_an_order_that_there_is_not_is_refused(listed: Served, client: httpx.Client) -> None:
    assert client.get("/photo/1?sort=worst").status_code == 400
    assert client.get("/photo/1?album=no").status_code == 400
