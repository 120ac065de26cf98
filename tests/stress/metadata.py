"""Metadata with something wrong in it, in and beside whole photos: each is read as a photo all the same.

    python tests/stress/metadata.py [--inputs 2000] [--small] [--seed N]

Blocks of EXIF, XMP and IPTC, as cameras and programs write them (with ../shared also those of its library of camera
photos), sidecars and Google Takeout's JSON have bits flipped, parts cut out, repeated or swapped, numbers made extreme,
letters replaced, elements nested, encodings changed. Each goes into a photo of one of the formats that hold it, or
beside one. Decoding workers read them all. For every ten there is a photo with whole metadata and a whole sidecar. Each
photo must be read, with facts that make sense and problems of one line each; each whole one must be read as ever.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import REPOSITORY, Trial, parse, parser, workshop
from mutants import GENERAL
from PIL import Image

from photoindex.errors import PhotoError
from photoindex.media.decode import Decoder, describe_photo
from photoindex.types import DecodedPhoto
from tests.media.metadata import containers
from tests.media.metadata.containers import EXIF_UUID, IPTC_UUID, XMP_UUID, box, chunk, profile, resource, text_chunk
from tests.media.metadata.samples import alt, bag, iptc, packet, takeout

SECONDS = 20.0  # the longest that one photo may take
IN_A_FOLDER = 50
MOST_SHARED = 40  # of the shared photos, whose blocks are taken
LONGEST = 2000  # letters of a caption
NUMBERS = ("0", "-1", "9" * 400, "1e999", "NaN", "0/0", "2147483648", "-0.0", "360", "61", "")
PIECES = (
    "\0", "\ud7ff", "&", "<", "]]>", "&#0;", "&#x110000;", "<!--", "<?xml version='1.0' encoding='utf-7'?>", "'", '"',
    "<rdf:li>" * 500, "</x:xmpmeta>", "{" * 3000, "[" * 3000, "\u202e", "\x1b[2J", "xmlns:dc=''", "é", "\ufeff",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A whole block: ``exif``, ``xmp``, ``iptc`` or ``json``, and its bytes."""

    kind: str
    content: bytes


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--inputs", type=int, default=None, help="mutated inputs [default: 2000; small: 150]")
    options = parse(made)
    count = options.inputs if options.inputs is not None else 150 if options.small else 2000
    trial = Trial("metadata", options)
    with workshop(options.keep) as folder:
        mutants, whole = make_files(trial, folder, count)
        read_all(trial, mutants, whole)
    return trial.verdict()


def make_files(trial: Trial, folder: Path, count: int) -> tuple[dict[Path, str], list[Path]]:
    """The photos with mutated metadata and what was done to it, and those with whole metadata."""
    sources = sources_of(trial)
    mutants: dict[Path, str] = {}
    whole: list[Path] = []
    for number in range(count):
        place = folder / f"{number // IN_A_FOLDER:03}"
        place.mkdir(exist_ok=True)
        source = trial.random.choice(sources)
        done, content = mutate(trial.random, source)
        path, where = put(trial.random, place / f"{number:05}", source.kind, content)
        mutants[path] = f"{source.kind} {done}, {where}"
        if number % 10 == 5:
            whole.append(_whole_photo(place / f"{number:05}-whole.jpg"))
    trial.say(f"{count} inputs of {len(sources)} blocks; {len(whole)} whole photos between them")
    return mutants, whole


# ---- whole blocks


def sources_of(trial: Trial) -> list[Source]:
    """Blocks as programs write them, and those of shared photos where they are."""
    words = alt("dc:description", x_default="A boat near the pier") + bag("dc:subject", "boat", "harbour")
    apple = "<exif:GPSLatitude>44.64</exif:GPSLatitude><exif:GPSLatitudeRef>N</exif:GPSLatitudeRef>"
    faces = (
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">'
        "<mwg-rs:Name>Ana</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li></rdf:Bag></mwg-rs:RegionList>"
        "</mwg-rs:Regions>"
    )
    dates = 'xmp:Rating="4" photoshop:DateCreated="2019-07-04T12:34:56.25+02:00" tiff:Make="Canon" tiff:Model="R5"'
    place = 'exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W" exif:GPSAltitude="425/10"'
    packets: list[bytes | str] = [
        packet(words, dates),
        packet(words + faces, place),
        packet(apple + words),
        packet(words).decode(),
    ]
    found = [Source("xmp", each.encode("utf-16") if isinstance(each, str) else each) for each in packets]
    found += [Source("exif", _exif(order)) for order in ("<", ">")]
    records: dict[tuple[int, int], bytes | Sequence[bytes]] = {
        (1, 90): b"\x1b%G",
        (2, 5): b"Harvest",
        (2, 25): [b"wheat", b"tractor"],
        (2, 120): "Trator, manhã".encode(),
    }
    found.append(Source("iptc", iptc({**records, (2, 55): b"20020916", (2, 60): b"101500+0100"})))
    found.append(Source("json", takeout("A boat", people=[{"name": "Ana"}], favorited=True)))
    found.append(Source("json", takeout("A boat", geoData={"latitude": 38.72, "longitude": -9.14, "altitude": 42.5})))
    shared = Path(os.environ.get("PHOTOINDEX_SHARED") or REPOSITORY.parent / "shared") / "data" / "library"
    cameras = sorted(shared.glob("*.jpg"))[:: max(1, len(list(shared.glob("*.jpg"))) // MOST_SHARED)]
    for path in cameras:
        with Image.open(path) as image:
            record = (image.info.get("photoshop") or {}).get(0x0404)
            blocks = {"exif": image.info.get("exif"), "xmp": image.info.get("xmp"), "iptc": record}
            found += [Source(kind, block) for kind, block in blocks.items() if block]
    if not cameras:
        trial.say(f"no camera photos: {shared} does not exist")
    return found


def _exif(order: str) -> bytes:
    tags = Image.Exif()
    tags.endian = order
    tags.update({0x010E: "A boat", 0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0112: 1, 0x4746: 4})
    tags.update({0x9C9B: "Férias\0".encode("utf-16-le"), 0x9C9E: "mar;barco\0".encode("utf-16-le")})
    tags.get_ifd(0x8769).update({0x9003: "2019:07:04 12:34:56", 0x9011: "+02:00", 0x9291: "25", 0xA434: "RF 50mm"})
    tags.get_ifd(0x8825).update({1: "N", 2: (38.0, 43.2, 0.0), 3: "W", 4: (9.0, 8.4, 0.0), 5: b"\0", 6: 42.5})
    return tags.tobytes()


# ---- what goes wrong in them


def mutate(chooser: random.Random, source: Source) -> tuple[str, bytes]:
    """What was done to a block, and its bytes then."""
    names = [*GENERAL] if source.kind in ("exif", "iptc") else [*GENERAL, *TEXTS, *TEXTS]
    name = chooser.choice(names)
    content = source.content
    for _ in range(chooser.choice((1, 1, 1, 3))):
        if not content:
            break
        content = GENERAL[name](chooser, content) if name in GENERAL else TEXTS[name](chooser, content)
    return name, content


def _number(chooser: random.Random, content: bytes) -> bytes:
    """A number becomes another that makes no sense."""
    places = list(re.finditer(rb"-?\d+(?:\.\d+)?", content))
    return _replaced(content, chooser.choice(places), chooser.choice(NUMBERS).encode()) if places else content


def _piece(chooser: random.Random, content: bytes) -> bytes:
    """Something is put in that means something else to a parser."""
    at = chooser.randrange(len(content) + 1)
    return content[:at] + chooser.choice(PIECES).encode("utf-8", "replace") + content[at:]


def _swap(chooser: random.Random, content: bytes) -> bytes:
    """Two names or values change places."""
    places = list(re.finditer(rb"[\w.:+-]{2,}", content))
    if len(places) < 2:
        return content
    one, other = sorted(chooser.sample(places, 2), key=lambda each: each.start())
    middle = content[one.end() : other.start()]
    return content[: one.start()] + other[0] + middle + one[0] + content[other.end() :]


def _kind(chooser: random.Random, content: bytes) -> bytes:
    """A value of JSON becomes one of another type; of XML, an element another."""
    values = (b"null", b"true", b"[]", b"{}", b'"x"', b"[[1]]", b'{"a": 1}', b"-1", b"1e400")
    places = list(re.finditer(rb'(?<=: )(?:"[^"]*"|[\d.-]+|true|false)|(?<=<)/?[\w:]+', content))
    return _replaced(content, chooser.choice(places), chooser.choice(values)) if places else content


def _encoding(chooser: random.Random, content: bytes) -> bytes:
    """The same in another encoding than it says."""
    text = content.decode("utf-8", "replace")
    return text.encode(chooser.choice(("utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-8-sig")), "replace")


def _replaced(content: bytes, place: re.Match[bytes], by: bytes) -> bytes:
    return content[: place.start()] + by + content[place.end() :]


TEXTS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "number": _number,
    "piece": _piece,
    "swap": _swap,
    "kind": _kind,
    "encoding": _encoding,
}


# ---- photos that hold them


def put(chooser: random.Random, stem: Path, kind: str, content: bytes) -> tuple[Path, str]:
    """Put a block into a photo, or beside one: (the photo, where the block is)."""
    if kind == "json":
        photo = _plain(stem.with_suffix(".jpg"))
        stem.with_name(photo.name + ".json").write_bytes(content)
        return photo, "beside a JPEG"
    if kind == "xmp" and chooser.random() < 0.4:
        photo = _plain(stem.with_suffix(".jpg"))
        photo.with_name(chooser.choice((photo.name, photo.stem)) + ".xmp").write_bytes(content)
        return photo, "beside a JPEG"
    name, make = chooser.choice([each for each in _HOLDERS if kind in each[2]])[:2]
    suffix = name.split()[0]
    path = stem.with_suffix(f".{suffix}")
    path.write_bytes(make(kind, content))
    return path, f"in {name}"


def _plain(path: Path) -> Path:
    Image.new("RGB", (48, 32), "red").save(path, "JPEG")
    return path


def _whole_photo(path: Path) -> Path:
    Image.new("RGB", (48, 32), "red").save(path, "JPEG", exif=_exif("<"))
    path.with_suffix(".xmp").write_bytes(packet(bag("dc:subject", "whole"), 'xmp:Rating="3"'))
    return path


def _jpeg(kind: str, content: bytes) -> bytes:
    """As many segments as it takes."""
    starts = {"exif": (0xFFE1, b"Exif\0\0"), "xmp": (0xFFE1, b"http://ns.adobe.com/xap/1.0/\0")}
    marker, start = starts.get(kind, (0xFFED, b"Photoshop 3.0\0"))
    data = resource(0x0404, content) if kind == "iptc" else content.removeprefix(b"Exif\0\0")
    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, "JPEG")
    segments = b""
    for at in range(0, max(1, len(data)), 65_000):
        part = start + data[at : at + 65_000]
        segments += marker.to_bytes(2, "big") + (len(part) + 2).to_bytes(2, "big") + part
    return file.getvalue()[:2] + segments + file.getvalue()[2:]


def _png_text(kind: str, content: bytes) -> bytes:
    if kind == "xmp":
        return containers.png(text_chunk("iTXt", "XML:com.adobe.xmp", content))
    data = resource(0x0404, content) if kind == "iptc" else content
    return containers.png(text_chunk("zTXt", f"Raw profile type {kind}", profile(kind, data)))


def _psd(kind: str, content: bytes) -> bytes:
    return containers.psd({{"iptc": 0x0404, "exif": 0x0422, "xmp": 0x0424}[kind]: content})


def _jp2(kind: str, content: bytes) -> bytes:
    return containers.jpeg_2000(box(b"uuid", {"iptc": IPTC_UUID, "exif": EXIF_UUID, "xmp": XMP_UUID}[kind] + content))


def _tiff(kind: str, content: bytes) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, "TIFF", tiffinfo={700 if kind == "xmp" else 34377: (
        content if kind == "xmp" else resource({"iptc": 0x0404, "exif": 0x0422}[kind], content)
    ) or b"\0"})  # fmt: skip
    return file.getvalue()


def _webp(kind: str, content: bytes) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, "WEBP", **{kind: content})
    return file.getvalue()


_HOLDERS: tuple[tuple[str, Callable[[str, bytes], bytes], str], ...] = (
    ("jpg", _jpeg, "exif xmp iptc"),
    ("png text", _png_text, "exif xmp iptc"),
    ("png chunk", lambda _, content: containers.png(chunk(b"eXIf", content)), "exif"),
    ("psd", _psd, "exif xmp iptc"),
    ("jp2", _jp2, "exif xmp iptc"),
    ("tif", _tiff, "exif xmp iptc"),
    ("webp", _webp, "exif xmp"),
    # A zero would end the block for every reader of GIFs, and what follows would be taken for the picture.
    ("gif", lambda _, content: containers.gif(content.replace(b"\0", b" ")), "xmp"),
)


# ---- reading them


def read_all(trial: Trial, mutants: dict[Path, str], whole: list[Path]) -> None:
    started = time.monotonic()
    answers: Counter[str] = Counter()
    with Decoder(8, 1, SECONDS, 1_000_000, describe_photo) as decoder:
        for path, answer in decoder.decode(sorted([*mutants, *whole])):
            done = mutants.get(path, "whole")
            if isinstance(answer, PhotoError):
                trial.check(False, f"{path.name} ({done}): {answer.kind}: {answer}")
                answers["refused"] += 1
                continue
            answers["with a problem told" if answer.problems else "read without a word"] += 1
            _check_sense(trial, path, done, answer)
            if path not in mutants:
                _check_whole(trial, path, answer)
    trial.say(f"read in {time.monotonic() - started:.0f} s: " + ", ".join(f"{n} {what}" for what, n in answers.items()))
    trial.check(answers.total() == len(mutants) + len(whole), f"only {answers.total()} photos came back")


def _check_sense(trial: Trial, path: Path, done: str, answer: DecodedPhoto) -> None:
    """Whatever the metadata was, what came of it can be kept, sorted, searched and printed."""
    facts, written = answer.facts, answer.written
    texts = [
        facts.camera,
        facts.lens,
        written.title,
        written.caption,
        *written.keywords,
        *written.people,
        *written.places,
    ]
    wrong = [
        *("text" for text in texts if text is not None and not (text.isprintable() and 0 < len(text) <= LONGEST)),
        *("problem" for line in answer.problems if not line.isprintable() or path.stem not in line),
        *(["position"] if (facts.latitude is None) != (facts.longitude is None) else []),
        *(["latitude"] if facts.latitude is not None and not -90 <= facts.latitude <= 90 else []),
        *(["longitude"] if facts.longitude is not None and not -180 <= facts.longitude <= 180 else []),
        *(["altitude"] if facts.altitude is not None and not abs(facts.altitude) <= 100_000 else []),
        *(["rating"] if facts.rating not in (None, -1, 1, 2, 3, 4, 5) else []),
        *(["orientation"] if facts.orientation not in range(1, 9) else []),
        *(["size"] if {facts.width, facts.height} != {48, 32} else []),
        *(["offset"] if facts.taken_offset is not None and abs(facts.taken_offset) > 15 * 60 else []),
    ]
    trial.check(not wrong, f"{path.name} ({done}): {wrong} of {facts} {written} {answer.problems}")
    try:
        json.dumps([texts, answer.problems]).encode()
    except ValueError as error:
        trial.check(False, f"{path.name} ({done}) cannot be kept: {error}")


def _check_whole(trial: Trial, path: Path, answer: DecodedPhoto) -> None:
    facts, written = answer.facts, answer.written
    found = (facts.camera, str(facts.taken_at), facts.taken_offset, facts.rating, written.caption, written.keywords)
    expected = ("Canon EOS R5", "2019-07-04 12:34:56.250000", 120, 3, "A boat", ("whole", "mar", "barco"))
    trial.check(found == expected, f"the whole photo {path.name} was read as {found}")


if __name__ == "__main__":
    sys.exit(main())
