"""The JSON API: every operation answers as the OpenAPI document says, and does what it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from photoindex.library.gallery import Edit
from photoindex.types.limits import LONGEST_QUERY
from photoindex.web.operations import OPERATIONS, Operation, openapi
from tests.support import REPOSITORY, make_photo
from tests.web.conftest import Served

DOCUMENT = openapi("", "photoindex-8420")


def check(answer: httpx.Response, method: str, path: str) -> Any:
    """The answer's JSON, which must be what the document says of the operation."""
    assert answer.status_code == 200, answer.text
    schema = DOCUMENT["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
    found = answer.json()
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(found)
    return found


def test_the_document_is_served_and_is_whole(reader: httpx.Client) -> None:
    unchanged = reader.get("/api/v1/openapi.json").json()
    assert unchanged["openapi"] == "3.1.0"
    assert {**unchanged["paths"]} == DOCUMENT["paths"]
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) == len(OPERATIONS)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_documentation_has_every_operation() -> None:
    text = (REPOSITORY / "docs" / "api-http.md").read_text("utf-8")
    for operation in OPERATIONS:
        assert f"| `{operation.method} {operation.path}` |" in text, operation.path


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/timeline", ""),
        ("/timeline/{key}", "0-4"),
        ("/timeline", "rating=3&camera=x"),
        ("/timeline/choices", ""),
        ("/timeline/choices", "rating=1"),
        ("/search", "q=red square"),
        ("/search", "q=xylophone"),
        ("/complete", "q=squ"),
        ("/terms", ""),
        ("/terms", "source=labels&limit=3"),
        ("/photos/{id}", "1"),
        ("/photos/{id}/similar", "1"),
        ("/photos/{id}/history", "1"),
        ("/review", ""),
        ("/review", "queue=newest&limit=2"),
        ("/review", "queue=search&q=red+square"),
        ("/failures", ""),
        ("/status", ""),
        ("/folders", ""),
        ("/jobs", ""),
        ("/duplicates", ""),
        ("/duplicates", "near=10"),
        ("/duplicates", "near=10&decided=yes"),
        ("/albums", ""),
        ("/map", ""),
        ("/map", "box=-10,30,10,60&across=8"),
        ("/stats", ""),
        ("/health", ""),
    ],
)
def test_answers_are_as_documented(reader: httpx.Client, path: str, query: str) -> None:
    if "{" in path:
        check(reader.get("/api/v1" + path.replace("{key}", query).replace("{id}", query)), "get", path)
    else:
        check(reader.get(f"/api/v1{path}?{query}"), "get", path)


@pytest.mark.parametrize("address", ["/", "/photo/1", "/albums", "/stats", "/api/v1/timeline", "/api/v1/photos/1"])
def test_what_has_not_changed_is_not_sent_again(served: Served, client: httpx.Client, address: str) -> None:
    first = client.get(address)
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["x-content-type-options"] == "nosniff"
    served.gallery.edit([1], Edit(caption="a heron", rating=3))
    served.gallery.albums.put("Birds", [1])
    served.library.forget(served.library.photos([6])[0].paths[0])
    served.gallery._snapshots.latest(now=True)
    changed = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"] == first.headers["etag"]) == (200, False)


@pytest.mark.parametrize("address", ["timeline", "timeline/shapes", "timeline/0-3", "timeline/choices", "stats", "map",
                                     "terms", "albums", "photos/1/history"])  # fmt: skip
def test_what_has_not_changed_is_not_even_worked_out(
    served: Served, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    first = client.get(f"/api/v1/{address}")
    tag = first.headers["etag"]
    with monkeypatch.context() as patched:
        for name in ("narrowed", "counts", "places", "timeline", "history", "albums"):
            patched.setattr(type(served.gallery), name, None)
        for known in (tag, f"W/{tag}", f'"other", {tag}'):
            again = client.get(f"/api/v1/{address}", headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
    served.gallery.edit([1], Edit(tags=("bird",), rating=4))
    changed = client.get(f"/api/v1/{address}", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] == tag) == (200, False)


def test_a_timeline_that_lags_behind_is_asked_for_again(served: Served, client: httpx.Client) -> None:
    client.get("/api/v1/timeline?rating=4")
    served.gallery.edit([1], Edit(rating=4))
    late = client.get("/api/v1/timeline?rating=4")  # perhaps of the state before
    served.gallery._snapshots.latest(now=True)
    now = client.get("/api/v1/timeline?rating=4", headers={"If-None-Match": late.headers["etag"]})
    assert (late if now.status_code == 304 else now).json()["total"] == 1


def test_a_batch_is_planned_and_queued_without_a_model(served: Served, client: httpx.Client) -> None:
    plan = check(client.post("/api/v1/jobs/plan", json={"what": "stale"}), "post", "/jobs/plan")
    assert (plan["photos"], plan["by_model"][0]["photos"]) == (6, 6)
    some = client.post("/api/v1/jobs/plan", json={"what": "all", "query": "red"}).json()
    queued = check(client.post("/api/v1/jobs", json={"what": "all", "query": "red"}), "post", "/jobs")
    assert queued["photos"] == some["photos"] > 0
    [job] = client.get("/api/v1/jobs").json()["items"]
    assert (job["id"], job["kind"], job["query"], job["state"]) == (queued["id"], "where", "red", "waiting")
    assert client.post("/api/v1/jobs", json={"what": "all", "query": "red"}).json() == {"id": None, "photos": 0}
    for wrong in ({}, {"what": "some"}, {"what": "failed", "query": "x"}, {"what": "all", "query": "the"}):
        assert client.post("/api/v1/jobs", json=wrong).status_code == 400
    failed = client.post("/api/v1/jobs", json={"what": "failed"}).json()
    assert failed["photos"] == len(client.get("/api/v1/failures").json()["items"])


def test_a_search_and_its_pages(reader: httpx.Client) -> None:
    first = check(reader.get("/api/v1/search", params={"q": "square", "limit": 4}), "get", "/search")
    assert (first["total"], first["said"], first["next"], len(first["items"])) == (6, 6, "4", 4)
    second = check(
        reader.get("/api/v1/search", params={"set": first["set"], "cursor": first["next"], "limit": 4}),
        "get",
        "/search",
    )
    assert (second["next"], len(second["items"])) == (None, 2)
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == check(reader.get(f"/api/v1/sets/{first['set']}/ids"), "get", "/sets/{token}/ids")["items"]
    assert all(item["why"] for item in second["items"])
    facets = check(reader.get(f"/api/v1/sets/{first['set']}/facets"), "get", "/sets/{token}/facets")
    assert facets["folders"][0]["photos"] == 6


def test_saying_is_told_from_coming_near(reader: httpx.Client) -> None:
    found = check(reader.get("/api/v1/search", params={"q": "warm"}), "get", "/search")
    assert (found["total"], found["said"]) == (2, 0)
    assert {item["why"][0]["layer"] for item in found["items"]} == {"terms"}
    both = reader.get("/api/v1/search", params={"q": "red warm"}).json()
    assert [item["said"] for item in both["items"]] == [False]
    one = reader.get("/api/v1/search", params={"q": "red square"}).json()
    assert [item["said"] for item in one["items"]] == [True, *[False] * 5]
    assert one["items"][0]["alt"] == "a red square"


def test_how_sure_it_is_that_a_hit_shows_what_was_asked(served: Served, client: httpx.Client) -> None:
    served.gallery.edit([1], Edit(caption="a warm red square"))
    found = check(client.get("/api/v1/search", params={"q": "warm"}), "get", "/search")
    sure = {item["id"]: item["sureness"] for item in found["items"]}
    assert sure.pop(1) == 1.0  # a person says so
    assert sure
    assert all(0 < value < 1 for value in sure.values())
    assert 0 < found["near_below"] < 1
    why = check(client.get("/api/v1/photos/1/why", params={"q": "warm"}), "get", "/photos/{id}/why")
    assert why["sureness"] == 1.0
    assert check(client.get("/api/v1/photos/1/why", params={"q": "xylophone"}), "get", "/photos/{id}/why") == {
        "items": [], "next": None, "total": 0, "sureness": None
    }  # fmt: skip
    assert client.get("/api/v1/search", params={"q": "has:caption"}).json()["items"][0]["sureness"] is None


def test_tags_and_labels_are_listed(served: Served, client: httpx.Client) -> None:
    served.gallery.edit([1, 2], Edit(tags=("holiday",)))
    served.gallery.edit([2], Edit(tags=("garden",)))
    served.gallery._snapshots.latest(now=True)
    tags = client.get("/api/v1/terms").json()["items"]
    assert tags == [{"value": "holiday", "photos": 2}, {"value": "garden", "photos": 1}]
    assert client.get("/api/v1/terms", params={"source": "faces"}).status_code == 400


def test_what_a_search_finds_is_reviewed_until_all_of_it_is(served: Served, client: httpx.Client) -> None:
    asked = {"queue": "search", "q": "red square"}
    ids = check(client.get("/api/v1/review", params=asked), "get", "/review")["items"]
    assert len(ids) == 6
    for photo in ids[:5]:
        served.gallery.edit([photo], Edit(lock=True))
    assert client.get("/api/v1/review", params=asked).json()["items"] == ids[5:]
    assert "A search: " in client.get("/review", params=asked).text
    for query in ("", "the", "camra:canon"):
        assert client.get("/api/v1/review", params={**asked, "q": query}).status_code == 400
        assert client.get("/review", params={**asked, "q": query}).status_code == 400


def test_reasons_of_any_page_add_up_to_the_score(reader: httpx.Client) -> None:
    found = reader.get("/api/v1/search", params={"q": "red square"}).json()
    for item in found["items"]:
        assert sum(reason["weight"] for reason in item["why"]) == pytest.approx(item["score"], abs=0.01)
        why = check(
            reader.get(f"/api/v1/photos/{item['id']}/why", params={"q": "red square"}), "get", "/photos/{id}/why"
        )
        assert why["items"] == item["why"]


def test_did_you_mean(reader: httpx.Client) -> None:
    assert reader.get("/api/v1/search", params={"q": "sqare"}).json()["did_you_mean"] == ["square"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("search", 400),
        ("search?q=", 400),
        ("search?q=%20", 400),
        ("search?q=the", 400),
        ("search?q=red&limit=0", 400),
        ("search?q=red&limit=x", 400),
        ("search?q=red&cursor=-1", 400),
        ("search?q=red&sort=size", 400),
        ("search?set=none", 410),
        ("sets/none/ids", 410),
        ("timeline/x", 404),
        ("timeline/0-x", 400),
        ("timeline/0-100000", 400),
        ("timeline?rating=6", 400),
        ("timeline?rating=x", 400),
        ("timeline/shapes?revision=999", 409),
        ("photos/x", 400),
        ("photos/99", 404),
        ("duplicates?near=99", 400),
        ("review?queue=x", 400),
        ("nothing", 404),
        ("photos/1/why?q=the", 400),
        (f"photos/1/why?q=blue{'%20' * 1000}red", 400),
        ("photos/99/history", 404),
    ],
)
def test_what_cannot_be_answered_says_why(reader: httpx.Client, address: str, status: int) -> None:
    answer = reader.get(f"/api/v1/{address}")
    assert answer.status_code == status, answer.text
    jsonschema.validate(answer.json(), {**DOCUMENT["components"]["schemas"]["Error"]})


def test_an_edit_is_found_and_undone(client: httpx.Client) -> None:
    number = client.get("/api/v1/search", params={"q": "blue"}).json()["items"][0]["id"]
    made = check(
        client.patch("/api/v1/photos", json={"ids": [number], "caption": "a giraffe in tall grass"}), "patch", "/photos"
    )
    assert made["changed"] == 1
    found = client.get("/api/v1/search", params={"q": "giraffe"}).json()
    assert [(item["id"], item["said"], item["source"]) for item in found["items"]] == [(number, True, "user")]
    [change] = client.get(f"/api/v1/photos/{number}/history").json()["items"]
    assert (change["edit"], change["new"]) == (made["edit"], "a giraffe in tall grass")
    undone = check(client.post("/api/v1/edits/undo", json={"edit": made["edit"]}), "post", "/edits/undo")
    assert undone == {"undone": [number], "changed": 1}
    assert client.get("/api/v1/search", params={"q": "giraffe"}).json()["total"] == 0
    assert client.post("/api/v1/edits/undo", json={"edit": made["edit"]}).json()["changed"] == 0


@pytest.mark.parametrize("ids", [[1], []])
@pytest.mark.parametrize("address", ["photos", "albums", "albums/fill", "albums/1"])
def test_photos_are_named_by_ids_or_by_a_set(client: httpx.Client, address: str, ids: list[int]) -> None:
    client.post("/api/v1/albums", json={"name": "Squares", "ids": [1, 2]})
    token = client.get("/api/v1/search", params={"q": "blue"}).json()["set"]
    more = {"rating": 5} if address == "photos" else {} if address == "albums/1" else {"name": "Others"}
    method = "PATCH" if address == "photos" else "POST"
    answer = client.request(method, f"/api/v1/{address}", json={"ids": ids, "set": token, **more})
    assert answer.status_code == 400
    assert "by ids or by the set" in answer.text
    assert client.get("/api/v1/search", params={"q": "rating:5"}).json()["total"] == 0
    [album] = client.get("/api/v1/albums").json()["items"]
    assert (album["name"], client.get("/api/v1/albums/1").json()["total"]) == ("Squares", 2)


@pytest.mark.parametrize("photos", ["ids", "set"])
def test_an_album_is_renamed_or_photos_are_taken_out(client: httpx.Client, photos: str) -> None:
    client.post("/api/v1/albums", json={"name": "Squares", "ids": [1, 2]})
    token = client.get("/api/v1/search", params={"q": "blue"}).json()["set"]
    body = {"name": "Others", photos: token if photos == "set" else [1]}
    answer = client.post("/api/v1/albums/1", json=body)
    assert answer.status_code == 400, answer.text
    [album] = client.get("/api/v1/albums").json()["items"]
    assert (album["name"], client.get("/api/v1/albums/1").json()["total"]) == ("Squares", 2)


def test_a_new_album_says_how_many_photos_it_holds(client: httpx.Client) -> None:
    made = check(client.post("/api/v1/albums", json={"name": "Squares", "ids": [1, 2, 99]}), "post", "/albums")
    [listed] = client.get("/api/v1/albums").json()["items"]
    assert made == listed
    assert (made["photos"], bool(made["thumb"])) == (2, True)


@pytest.mark.parametrize("body", [{"ids": [1]}, {"name": "Others"}, {}])
def test_an_album_that_is_not_there_is_not_changed(client: httpx.Client, body: dict[str, object]) -> None:
    assert client.post("/api/v1/albums/99", json=body).status_code == 409


CHANGES = [each for each in OPERATIONS if each.body is not None and not each.path.startswith("/log")]


@pytest.mark.parametrize("operation", CHANGES, ids=lambda each: each.path)
def test_a_field_that_is_misspelt_is_not_left_out(client: httpx.Client, operation: Operation) -> None:
    whole = {
        "name": "Others",
        "ids": [1],
        "what": "stale",
        "edit": "x",
        "distinct": True,
        "action": "pause",
        "tags": ["a"],
    }
    body = {name: value for name, value in whole.items() if name in operation.fields}
    before = client.get("/api/v1/timeline").json()["revision"]
    answer = client.request(operation.method, f"/api/v1{operation.path.format(id=1)}", json={**body, "querry": "blue"})
    assert (answer.status_code, answer.json()["error"]["message"].partition(" must")[0]) == (400, "querry")
    assert client.get("/api/v1/timeline").json()["revision"] == before
    assert client.get("/api/v1/albums").json()["items"] == client.get("/api/v1/jobs").json()["items"] == []


def test_an_album_is_not_filled_by_a_query_that_is_left_out(client: httpx.Client) -> None:
    assert client.post("/api/v1/albums/fill", json={"name": "Blue", "query": "blue"}).status_code == 400
    assert client.get("/api/v1/albums").json()["items"] == []


@pytest.mark.parametrize("address", ["jobs/plan", "jobs"])
def test_a_batch_is_of_the_whole_query(client: httpx.Client, address: str) -> None:
    query = "blue".ljust(1_000, " ") + "-blue"  # cut off, it would ask for what is excluded
    assert client.post(f"/api/v1/{address}", json={"what": "all", "query": query}).status_code == 400
    assert client.get("/api/v1/jobs").json()["items"] == []


def test_an_edit_that_was_edited_over_is_not_undone(client: httpx.Client) -> None:
    first = client.patch("/api/v1/photos", json={"ids": [1, 2], "caption": "one"}).json()["edit"]
    client.patch("/api/v1/photos", json={"ids": [1], "caption": "two"})
    assert client.post("/api/v1/edits/undo", json={"edit": first}).json()["undone"] == [2]
    assert client.get("/api/v1/photos/1").json()["alt"] == "two"


def test_all_of_a_search_is_tagged_at_once(client: httpx.Client) -> None:
    token = client.get("/api/v1/search", params={"q": "square", "limit": 1}).json()["set"]
    made = client.patch("/api/v1/photos", json={"set": token, "tags": ["holiday", "Holiday"]}).json()
    assert made["changed"] == 6
    assert client.get("/api/v1/search", params={"q": "tag:holiday"}).json()["total"] == 6
    facets = client.get(f"/api/v1/sets/{token}/facets").json()
    assert facets["tags"] in ([{"value": "holiday", "photos": 6}], [])  # the timeline follows within a second
    client.post("/api/v1/edits/undo", json={"edit": made["edit"]})
    assert client.get("/api/v1/search", params={"q": "tag:holiday"}).json()["total"] == 0


def test_the_timeline_by_columns(unchanged: Served, reader: httpx.Client) -> None:
    whole = reader.get("/api/v1/timeline").json()
    assert whole["total"] == sum(day["photos"] for day in whole["days"]) == 6
    shapes = reader.get("/api/v1/timeline/shapes", params={"revision": whole["revision"]}).content
    assert list(shapes) == [156] * 6  # 128 + 48 * log2(48 / 32)
    parts = [reader.get(f"/api/v1/timeline/{first}-2").json() for first in (0, 2, 4)]
    assert sorted(number for part in parts for number in part["ids"]) == [1, 2, 3, 4, 5, 6]
    assert {alt for part in parts for alt in part["alt"]} >= {"a red square", "a blue square"}
    assert reader.get("/api/v1/timeline/6-2").json()["ids"] == []


def test_the_timeline_is_narrowed(served: Served, client: httpx.Client) -> None:
    with served.library.database.write() as connection:
        connection.exec_driver_sql("update photo set camera = 'Pixel', city = 'Lisbon' where id in (1, 2, 3)")
        connection.exec_driver_sql("insert into term (photo_id, text, weight, source) values (2, 'Ada', 1.0, 'person')")
    served.gallery.edit([3, 4], Edit(rating=4))
    served.gallery.edit([1], Edit(hidden=True))
    served.gallery._snapshots.latest(now=True)

    def ids(**filter_: Any) -> list[int]:
        found = client.get("/api/v1/timeline", params=filter_).json()
        part = client.get("/api/v1/timeline/0-9", params={**filter_, "revision": found["revision"]}).json()
        shapes = client.get("/api/v1/timeline/shapes", params=filter_).content
        assert found["total"] == len(part["ids"]) == len(shapes) == sum(day["photos"] for day in found["days"])
        return sorted(part["ids"])

    assert ids() == [2, 3, 4, 5, 6]
    assert ids(camera="Pixel") == [2, 3]
    assert ids(camera="Pixel", rating=4) == [3]
    assert ids(person="Ada") == [2]
    assert ids(place="Lisbon", person="Ada", rating=1) == []
    assert ids(folder=str(served.album)) == ids(folder=str(served.album.parent)) == ids()
    assert ids(folder=str(served.album) + "x") == ids(camera="Pix") == []
    choices = client.get("/api/v1/timeline/choices", params={"rating": 4}).json()
    assert choices["camera"] == [{"value": "Pixel", "photos": 1}]
    assert choices["rating"] == [{"value": str(stars), "photos": 2} for stars in (1, 2, 3, 4)]
    page = client.get("/", params={"camera": "Pixel"}).text
    assert sorted(re.findall(r'href="/photo/(\d)\?camera=Pixel"', page)) == ["2", "3"]
    photo = client.get("/photo/2?camera=Pixel").text
    assert "/photo/3?camera=Pixel" in photo
    assert "/photo/4" not in photo


def test_a_failure_is_retried(served: Served, client: httpx.Client) -> None:
    failed = check(client.get("/api/v1/failures"), "get", "/failures")["items"]
    assert [(Path(one["path"]).name, one["kind"], one["state"]) for one in failed] == [
        ("broken.jpg", "damaged", "failed"),
        ("note.jpg", "not-a-photo", "failed"),
    ]
    make_photo(served.album / "broken.jpg", "red", note="mended")
    assert check(client.post("/api/v1/failures/retry", json={"ids": [failed[0]["id"]]}), "post", "/failures/retry") == {
        "changed": 1
    }
    assert check(
        client.post("/api/v1/failures/ignore", json={"ids": [failed[1]["id"]]}), "post", "/failures/ignore"
    ) == {"changed": 1}
    assert [one["state"] for one in client.get("/api/v1/failures").json()["items"]] == ["queued", "ignored"]
    served.library.index(served.album)
    assert [Path(one["path"]).name for one in client.get("/api/v1/failures").json()["items"]] == ["note.jpg"]
    assert served.gallery.snapshot().count in (6, 7)


def test_copies_are_duplicates(served: Served, client: httpx.Client) -> None:
    shutil.copyfile(served.album / "red one.jpg", served.album / "red two.jpg")
    served.library.index(served.album)
    [group] = check(client.get("/api/v1/duplicates"), "get", "/duplicates")["items"]
    assert [Path(file["path"]).name for file in group] == ["red one.jpg", "red two.jpg"]


@pytest.mark.parametrize("action", [None, "", "delete", 5])
def test_a_job_takes_no_other_action(reader: httpx.Client, action: object) -> None:
    assert reader.post("/api/v1/jobs/1", json={"action": action}).status_code == 400


def test_a_job_that_is_not_there(reader: httpx.Client) -> None:
    assert reader.post("/api/v1/jobs/7", json={"action": "pause"}).status_code == 409


def test_a_change_by_another_process_is_told(served: Served, client: httpx.Client) -> None:
    with client.stream("GET", "/api/v1/events", timeout=60) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith(("event:", "data:")))
        assert next(lines) == "event: hello"
        assert '"total": 6' in next(lines)
        make_photo(served.album / "one more.jpg", "green")
        served.library.index(served.album)
        for line in lines:
            if '"total": 7' in line:
                break
    assert served.gallery.snapshot().count == 7


LONG_QUERY = "blue " * 220 + "-square"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/search?q={q}", None),
        ("/api/v1/photos/1/why?q={q}", None),
        ("/api/v1/review?queue=search&q={q}", None),
        ("/api/v1/jobs/plan", {"what": "all", "query": LONG_QUERY}),
        ("/api/v1/albums", {"name": "Long", "query": LONG_QUERY}),
        ("/search?q={q}", None),
        ("/review?queue=search&q={q}", None),
    ],
)
def test_a_query_that_is_too_long_is_refused_and_never_cut(
    unchanged: Served, reader: httpx.Client, path: str, body: dict[str, str] | None
) -> None:
    address = path.replace("{q}", LONG_QUERY.replace(" ", "%20"))
    answer = reader.get(address) if body is None else reader.post(address, json=body)
    assert answer.status_code == (200 if path.startswith("/search") else 400)
    assert "the query has 1,107 characters; the limit is 1,000" in answer.text
    assert "Search without" not in answer.text


def test_photos_that_are_there_are_told_from_those_that_are_hidden_or_gone(
    served: Served, client: httpx.Client
) -> None:
    served.gallery.edit([2], Edit(hidden=True))
    served.gallery.photo(3).paths[0].unlink()
    served.library.index(served.album)
    served.gallery._snapshots.latest(now=True)
    found = check(client.post("/api/v1/photos/present", json={"ids": [4, 3, 2, 1, 999]}), "post", "/photos/present")
    assert (found["items"], found["hidden"]) == ([4, 2, 1], [2])
    found = check(client.post("/api/v1/photos/present", json={"ids": []}), "post", "/photos/present")
    assert (found["items"], found["hidden"]) == ([], [])


TOO_MANY = "the query has 250 words; the limit is 64"


@pytest.mark.parametrize(("letter", "says"), [("x", "Nothing matches"), ("写", TOO_MANY), ("\U0001f992", TOO_MANY)])
def test_a_query_of_the_longest_length_is_taken_whatever_its_letters(
    reader: httpx.Client, letter: str, says: str
) -> None:
    query = letter * LONGEST_QUERY
    page = reader.get("/search", params={"q": query, "set": "x" * 40, "view": "list", "sort": "newest"})
    assert page.status_code == 200
    assert says in page.text
    assert reader.get("/photo/1", params={"q": query, "folder": "写" * 1000}).status_code == 200
    assert reader.get("/api/v1/search", params={"q": query}).status_code == (200 if letter == "x" else 400)
