"""What a user took back does not come back from the sidecar into which it was exported, and no other word is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.library import Library
from photoindex.media.metadata.xmp import read_sidecar
from tests.catalogue.test_carried_words import rotated, save, stripes
from tests.media.metadata.samples import packet
from tests.support import FakeCaptioner, make_photo, names, show


@pytest.fixture
def path(library: Library, album: Path) -> Path:
    found = make_photo(album / "a.jpg", "red")
    make_photo(album / "b.jpg", "blue")
    library.index(album)
    return found


def edit(library: Library, path: Path, **what: Any) -> None:
    editor = library.editor()
    editor.apply(editor.photos_at([path]), Edit(**what))


def undo(library: Library, path: Path) -> None:
    editor = library.editor()
    editor.undo(editor.photos_at([path]))


def export(library: Library, path: Path) -> Path:
    """Write the sidecars, and read them with the photos."""
    exchange, problems = library.exchange(), list[str]()
    exchange.write_sidecars(exchange.photos_below(()), problem=problems.append)
    assert problems == []
    assert library.index(path.parent).refreshed == 1
    return path.with_name("a.jpg.xmp")


def change(sidecar: Path, before: str, after: str) -> None:
    """Change a sidecar as another program does."""
    text = sidecar.read_text("utf-8")
    assert before in text
    sidecar.write_text(text.replace(before, after), "utf-8")


def shown(library: Library, path: Path) -> tuple[str, str, list[str], int | None]:
    """Return the caption, whose it is, the keywords and the stars of a photo."""
    photo = show(library, path)
    assert photo.caption is not None
    assert photo.facts is not None
    keywords = [term.text for term in photo.terms if term.source == "keyword"]
    return photo.caption.text, photo.caption.source, keywords, photo.facts.rating


MODELS: tuple[str, str, list[str], int | None] = ("a red square", "model", [], None)


@pytest.mark.parametrize("take_back", [undo, lambda library, path: edit(library, path, clear=True, rating=0)])
@pytest.mark.parametrize("caption", ["Minka asleep", "of  Porto & <Lisbon>, 100 % «old»", "x" * 9_000, "🐈 sleeps"])
def test_what_is_taken_back_is_gone_at_once_and_stays_so(
    library: Library, path: Path, take_back: Callable[[Library, Path], None], caption: str
) -> None:
    edit(library, path, caption=caption, tags=("Minka", "a  b", "x" * 150), rating=4)
    sidecar = export(library, path)
    assert names(library.search("tag:Minka rating:4")) == ["a.jpg"]
    take_back(library, path)
    assert shown(library, path) == MODELS
    assert library.search("minka") == library.search("rating:4") == []
    change(sidecar, "<rdf:RDF", "<!-- seen --><rdf:RDF")
    assert library.index(path.parent).refreshed == 1
    assert shown(library, path) == MODELS


def test_one_tag_is_taken_off_and_the_others_stay(library: Library, path: Path) -> None:
    edit(library, path, tags=("Minka", "Lisbon"))
    export(library, path)
    edit(library, path, untags=("Lisbon",))
    assert library.search("Lisbon") == []
    assert names(library.search("tag:Minka")) == ["a.jpg"]
    assert show(library, path).tags == ("Minka",)


def test_what_another_program_writes_there_counts(library: Library, path: Path) -> None:
    edit(library, path, caption="Minka asleep", tags=("Minka", "Lisbon"), rating=4)
    sidecar = export(library, path)
    change(sidecar, ">Minka asleep<", ">Minka on the sofa<")
    change(sidecar, "<rdf:li>Minka</rdf:li>", "<rdf:li>Minka</rdf:li><rdf:li>Anna</rdf:li>")
    change(sidecar, ">4<", ">2<")
    edit(library, path, clear=True)
    undo(library, path)
    undo(library, path)
    library.index(path.parent)
    assert shown(library, path) == ("Minka on the sofa", "sidecar", ["Anna"], 2)


@pytest.mark.parametrize("name", ["lr:hierarchicalSubject", "digiKam:TagsList", "acdsee:keywords"])
def test_a_word_that_another_program_wrote_as_well_stays(library: Library, path: Path, name: str) -> None:
    edit(library, path, tags=("Lisbon",))
    sidecar = export(library, path)
    spaces = {
        "lr": "http://ns.adobe.com/lightroom/1.0/", "digiKam": "http://www.digikam.org/ns/1.0/",
        "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    }  # fmt: skip
    space = name.partition(":")[0]
    words = f'<{name} xmlns:{space}="{spaces[space]}"><rdf:Bag><rdf:li>lisbon</rdf:li></rdf:Bag></{name}>'
    change(sidecar, "</dc:subject>", f"</dc:subject>{words}")
    library.index(path.parent)
    edit(library, path, untags=("Lisbon",))
    assert shown(library, path)[2] == ["lisbon"]


def test_what_stands_in_the_photo_itself_stays(library: Library, album: Path) -> None:
    path = album / "a.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "The harbour of Porto"
    exif[0x4746] = 3  # Rating
    Image.new("RGB", (64, 64), "red").save(path, exif=exif, xmp=packet(
        "<dc:subject><rdf:Bag><rdf:li>lisbon</rdf:li></rdf:Bag></dc:subject>"
    ))  # fmt: skip
    library.index(album)
    before = shown(library, path)
    edit(library, path, caption="Minka", tags=("Lisbon",), rating=5)
    export(library, path)
    undo(library, path)
    assert before == ("The harbour of Porto", "sidecar", ["lisbon"], 3)
    assert shown(library, path) == before


def test_stars_in_the_photo_itself_come_back_when_none_is_taken_back(library: Library, album: Path) -> None:
    path, exif = album / "a.jpg", Image.Exif()
    exif[0x4746] = 3
    Image.new("RGB", (64, 64), "red").save(path, exif=exif)
    library.index(album)
    edit(library, path, rating=0)
    sidecar = export(library, path)
    assert library.search("rating:3") == []
    undo(library, path)
    assert shown(library, path)[3] == 3
    change(sidecar, "<rdf:RDF", "<!-- seen --><rdf:RDF")
    assert library.index(album).refreshed == 1
    assert shown(library, path)[3] == 3


def test_stars_that_stood_there_before_are_shown_again(library: Library, path: Path) -> None:
    path.with_name("a.jpg.xmp").write_bytes(packet(attributes='xmp:Rating="2"'))
    library.index(path.parent)
    edit(library, path, rating=5)
    export(library, path)
    assert shown(library, path)[3] == 5
    undo(library, path)
    assert shown(library, path)[3] == 2


@pytest.fixture
def other(library: Library, path: Path, tmp_path: Path) -> Iterator[Library]:
    """A new library of the same photos, whose sidecars hold what was said in the first one."""
    edit(library, path, caption="Minka asleep", tags=("Lisbon",), rating=4)
    export(library, path)
    with Library(Settings(tmp_path / "new", settle_seconds=0.0), lambda _: FakeCaptioner()) as new:
        new.index(path.parent)
        yield new


def test_in_a_library_that_never_had_them_they_are_the_sidecars(other: Library, path: Path) -> None:
    assert shown(other, path) == ("Minka asleep", "sidecar", ["Lisbon"], 4)
    edit(other, path, tags=("Anna",))
    other.index(path.parent)
    assert shown(other, path)[2] == ["Lisbon"]


def test_words_that_were_imported_from_a_sidecar_are_the_users_alone(other: Library, path: Path) -> None:
    other.exchange().read_sidecars([path.parent])
    assert other.index(path.parent).refreshed == 1
    edit(other, path, clear=True, rating=0)
    assert shown(other, path) == MODELS
    assert other.index(path.parent).refreshed == 0


def test_a_photo_that_is_decoded_again_says_the_same(library: Library, path: Path, captioner: FakeCaptioner) -> None:
    edit(library, path, caption="Minka asleep", tags=("Lisbon",), rating=4)
    export(library, path)
    edit(library, path, clear=True, rating=0)
    before = len(captioner.captions)
    library.recaption(everything=True)
    assert len(captioner.captions) == before + 2
    assert shown(library, path) == MODELS


def test_words_that_are_carried_over_to_a_picture_saved_in_place_are_known(library: Library, album: Path) -> None:
    path = save(album / "a.jpg", stripes())
    library.index(album)
    edit(library, path, caption="Minka asleep", tags=("Lisbon",), rating=4)
    export(library, path)
    rotated(path)
    library.index(album)
    assert show(library, path).tags == ("Lisbon",)
    edit(library, path, clear=True, rating=0)
    assert shown(library, path)[1:] == ("model", [], None)


def test_of_a_copy_the_words_of_its_own_sidecar_count(library: Library, path: Path) -> None:
    edit(library, path, caption="Minka asleep", tags=("Lisbon",))
    export(library, path)
    folder = path.parent / "copies"
    folder.mkdir()
    shutil.copy(path, folder / "c.jpg")
    (folder / "c.xmp").write_bytes(packet(
        "<dc:subject><rdf:Bag><rdf:li>Lisbon</rdf:li></rdf:Bag></dc:subject>"
        '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:description>'
    ))  # fmt: skip
    library.index(path.parent)
    edit(library, path, clear=True)
    assert shown(library, path)[:3] == ("A cat", "sidecar", ["Lisbon"])


@pytest.mark.parametrize(
    "body",
    [
        '<photoindex:tags xmlns:photoindex="urn:photoindex:xmp:1.0/">Lisbon</photoindex:tags>',
        '<photoindex:rating xmlns:photoindex="urn:photoindex:xmp:1.0/">many</photoindex:rating>',
        '<photoindex:caption xmlns:photoindex="urn:photoindex:xmp:1.0/"/>',
    ],
)
def test_a_broken_record_of_what_was_written_takes_nothing_away(body: str) -> None:
    words = "<dc:description>A boat</dc:description><dc:subject>harbour</dc:subject><xmp:Rating>3</xmp:Rating>"
    fields, others = read_sidecar(packet(words + body))
    assert (fields.caption, fields.keywords, fields.rating, others) == ("A boat", ("harbour",), 3, None)
