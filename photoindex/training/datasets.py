"""Photos with captions by people, read from the layouts they are published in.

- COCO: ``captions_*.json`` and a folder of images;
- Flickr8k: ``Flickr8k.token.txt`` with the split lists ``Flickr_8k.{train,dev,test}Images.txt`` beside it;
- Flickr30k: ``results_20130124.token`` or ``results.csv`` (columns split by ``|``);
- the ``captions.txt`` (``image,caption``) in which Flickr8k is often passed on;
- a plain TSV with the columns ``image``, ``split`` and ``caption``, one row a caption; or, of photos of single things,
  with ``label`` in the place of ``caption`` ("grand piano" is then the caption "a grand piano").
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from photoindex.errors import DatasetError
from photoindex.system.error_lines import reason_of


@dataclass(frozen=True, slots=True)
class CaptionedPhoto:
    """One photo of a data set, with all the captions people gave it."""

    path: Path
    split: str
    captions: tuple[str, ...]


Row = tuple[str, str, str]  # image name, split, caption


def load_dataset(annotations: Path, images: Path | None = None) -> list[CaptionedPhoto]:
    """Read one data set; the layout is told from the file.

    ``annotations`` is the captions file or the folder that holds it; ``images`` is the photo folder (default: a folder
    ``images`` or ``Images`` beside the file, or the file's own). A row without a split counts as ``train``.

    Raises :class:`DatasetError` when the file cannot be read, has no captions, or none of its photos is there.
    """
    path = _captions_file(annotations)
    folder = images or _image_folder(path)
    try:
        rows = list(map(_checked, _READERS[_layout(path)](path)))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the captions {path}: {reason_of(error)}") from error
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise DatasetError(f"{path} is not a {_layout(path)} captions file: {reason_of(error)}") from error
    grouped: dict[tuple[str, str], list[str]] = {}
    for image, split, caption in rows:
        if caption.strip():
            grouped.setdefault((image, split or "train"), []).append(caption.strip())
    if not grouped:
        raise DatasetError(f"no captions in {path}")
    photos = [CaptionedPhoto(folder / image, split, tuple(texts)) for (image, split), texts in grouped.items()]
    present = [photo for photo in photos if os.path.isfile(photo.path)]  # also where the name cannot be one
    if not present:
        raise DatasetError(
            f"none of the {len(photos)} photos of {path} is in {folder}; name their folder with --images"
        )
    return present


def hold_out(photos: Sequence[CaptionedPhoto], count: int) -> list[CaptionedPhoto]:
    """Make ``count`` training photos validation photos, unless the data set has some; the others stay as they are.

    They are those whose file names have the smallest SHA-256, so that every command and every machine holds out the
    same ones, whatever the order and whatever photos are added to the training later.
    """
    if any(photo.split == "val" for photo in photos):
        return list(photos)
    names = {photo.path.name for photo in photos if photo.split == "train"}
    held = set(sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count])
    return [
        replace(photo, split="val") if photo.split == "train" and photo.path.name in held else photo for photo in photos
    ]


def load_kinds(path: Path) -> dict[str, list[str]]:
    """Read a TSV with the columns ``image`` and ``kind``: the kinds of each photo, by file name.

    Raises :class:`DatasetError`.
    """
    kinds: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["image"] and row["kind"]:  # a line may be cut off
                    kinds.setdefault(row["image"], []).append(row["kind"])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot read the kinds {path}: {reason_of(error)}") from error
    except KeyError as error:
        raise DatasetError(f"{path} has no column {error}: it needs image and kind") from error
    return kinds


def _checked(row: tuple[object, str, object]) -> Row:
    """Return a row. One without a caption, as in a line that is cut off, has an empty one. Raises TypeError."""
    image, split, caption = row
    if not isinstance(image, str) or not isinstance(caption, str | None):
        raise TypeError(f"the photo {image!r:.100} has the caption {caption!r:.100}, and both are to be texts")
    return image, split, caption or ""


def _captions_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise DatasetError(f"no captions at {path}: no such file or folder")
    for pattern in (
        "captions.tsv",
        "labels.tsv",
        "captions_*.json",
        "Flickr8k.token.txt",
        "results*.token",
        "results.csv",
        "captions.txt",
    ):
        files = sorted(path.glob(pattern))
        if files:
            return files[0]
    raise DatasetError(
        f"no captions file in {path}: looked for captions.tsv, labels.tsv, captions_*.json, Flickr8k.token.txt, "
        "results*.token, results.csv and captions.txt"
    )


def _image_folder(path: Path) -> Path:
    for name in ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images"):
        if (path.parent / name).is_dir():
            return path.parent / name
    return path.parent


def _layout(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".json"):
        return "COCO"
    if name.endswith(".tsv"):
        return "TSV"
    if name.endswith((".token.txt", ".token")):
        return "Flickr"
    if name.endswith(".csv"):
        return "Flickr30k CSV"
    return "image,caption"


def _read_coco(path: Path) -> Iterator[Row]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    names = {image["id"]: image["file_name"] for image in content["images"]}
    split = next((s for s in ("train", "val", "test") if s in path.stem), "train")
    for annotation in content["annotations"]:
        yield names[annotation["image_id"]], split, annotation["caption"]


def _read_flickr(path: Path) -> Iterator[Row]:
    splits = {}
    for split, name in (("train", "train"), ("val", "dev"), ("test", "test")):
        listing = path.parent / f"Flickr_8k.{name}Images.txt"
        if listing.exists():
            splits.update(dict.fromkeys(listing.read_text(encoding="utf-8-sig").split(), split))
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line.strip():
            image, caption = line.split("\t", 1)
            name = image.rsplit("#", 1)[0]
            yield name, splits.get(name, "train"), caption


def _read_flickr30k_csv(path: Path) -> Iterator[Row]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    for line in lines[1:]:
        parts = [part.strip() for part in line.split("|")]
        if len(parts) >= 3:
            yield parts[0], "train", parts[2]


def _read_image_caption(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield row["image"], row.get("split") or "train", row["caption"]


def _read_tsv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            caption = _labelled(row["label"]) if "label" in row else row["caption"]
            yield row["image"], row.get("split") or "train", caption


def _labelled(label: str) -> str:
    """Return the least that can be said of a photo of this thing."""
    thing = label.replace("_", " ").strip().lower()
    return f"{'an' if thing[:1] in 'aeiou' else 'a'} {thing}" if thing else ""


_READERS = {
    "COCO": _read_coco,
    "TSV": _read_tsv,
    "Flickr": _read_flickr,
    "Flickr30k CSV": _read_flickr30k_csv,
    "image,caption": _read_image_caption,
}
