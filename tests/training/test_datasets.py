"""The layouts in which photos with captions are published."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from photoindex.captioner.model_files import read_config, read_labels, read_terms
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.errors import CheckpointError, DatasetError
from photoindex.training.augmentation import load_view
from photoindex.training.cooccurrence import read_texts
from photoindex.training.datasets import CaptionedPhoto, hold_out, load_dataset, load_kinds


def photos(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"photo")
    return folder


def test_tsv(tmp_path: Path) -> None:
    images = photos(tmp_path / "images", "a.jpg", "b.jpg")
    (tmp_path / "captions.tsv").write_text(
        'image\tsplit\tcaption\na.jpg\tval\tA "dog" .\na.jpg\tval\tone dog\nb.jpg\t\ta cat\n'
    )
    assert load_dataset(tmp_path) == [
        CaptionedPhoto(images / "a.jpg", "val", ('A "dog" .', "one dog")),
        CaptionedPhoto(images / "b.jpg", "train", ("a cat",)),
    ]


def test_coco_takes_its_split_from_the_file_name_and_its_photos_from_the_folder_named(tmp_path: Path) -> None:
    images = photos(tmp_path / "val2017", "000001.jpg")
    content = {
        "images": [{"id": 7, "file_name": "000001.jpg"}],
        "annotations": [{"image_id": 7, "caption": "A giraffe\n"}, {"image_id": 7, "caption": "Tall animal"}],
    }
    (tmp_path / "captions_val2017.json").write_text(json.dumps(content))
    assert load_dataset(tmp_path / "captions_val2017.json", images) == [
        CaptionedPhoto(images / "000001.jpg", "val", ("A giraffe", "Tall animal"))
    ]


def test_flickr8k_with_its_split_lists(tmp_path: Path) -> None:
    images = photos(tmp_path / "Flicker8k_Dataset", "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "Flickr8k.token.txt").write_text(
        "a.jpg#0\tA dog .\na.jpg#1\tDogs .\nb.jpg#0\tA cat .\nc.jpg#0\tA cow .\n"
    )
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("a.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("b.jpg\n")
    (tmp_path / "Flickr_8k.testImages.txt").write_text("c.jpg\n")
    found = load_dataset(tmp_path)
    assert [(p.path.name, p.split, p.captions) for p in found] == [
        ("a.jpg", "train", ("A dog .", "Dogs .")),
        ("b.jpg", "val", ("A cat .",)),
        ("c.jpg", "test", ("A cow .",)),
    ]
    assert found[0].path.parent == images


def test_flickr30k_token_and_csv(tmp_path: Path) -> None:
    photos(tmp_path / "flickr30k_images", "1.jpg")
    (tmp_path / "results_20130124.token").write_text("1.jpg#0\tTwo men talk .\n1.jpg#1\tTwo people .\n")
    (tmp_path / "results.csv").write_text(
        "image_name| comment_number| comment\n1.jpg| 0| Two men talk .\n1.jpg| 1| Two people .\n"
    )
    for name in ("results_20130124.token", "results.csv"):
        [photo] = load_dataset(tmp_path / name)
        assert photo.captions == ("Two men talk .", "Two people .")


def test_the_image_caption_list_flickr8k_is_passed_on_as(tmp_path: Path) -> None:
    photos(tmp_path / "Images", "a.jpg")
    (tmp_path / "captions.txt").write_text('image,caption\na.jpg,"A dog , a cat ."\na.jpg,A dog .\n')
    [photo] = load_dataset(tmp_path)
    assert photo.captions == ("A dog , a cat .", "A dog .")


def test_photos_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    photos(tmp_path / "images", "a.jpg")
    (tmp_path / "captions.tsv").write_text("image\tsplit\tcaption\na.jpg\ttrain\ta dog\ngone.jpg\ttrain\ta cat\n")
    assert [photo.path.name for photo in load_dataset(tmp_path)] == ["a.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.tsv", "image\tsplit\tcaption\ngone.jpg\ttrain\ta cat\n", "none of the 1 photos"),
        ("captions.tsv", "image\tsplit\tcaption\n", "no captions"),
        ("captions.tsv", "file\ttext\na\tb\n", "not a TSV captions file"),
        ("captions_val.json", "{]", "not a COCO captions file"),
        ("captions_val.json", '{"images": []}', "not a COCO captions file"),
        ("Flickr8k.token.txt", "no tab here\n", "not a Flickr captions file"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained_in_one_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_captions_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"captions\.tsv"):
        load_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no such file"):
        load_dataset(tmp_path / "nothing")


def test_photos_are_held_out_by_their_names_whatever_their_order() -> None:
    whole = [CaptionedPhoto(Path(f"{n}.jpg"), "train", ("a photo",)) for n in range(20)]
    held = {photo.path for photo in hold_out(whole, 5) if photo.split == "val"}
    assert len(held) == 5
    assert {photo.path for photo in hold_out(whole[::-1], 5) if photo.split == "val"} == held
    assert [photo.path for photo in hold_out(whole, 5)] == [photo.path for photo in whole]
    assert held < {photo.path for photo in hold_out(whole, 6) if photo.split == "val"}


def test_nothing_is_held_out_of_a_data_set_that_has_validation_photos() -> None:
    whole = [CaptionedPhoto(Path(f"{n}.jpg"), "val" if n == 0 else "train", ("a photo",)) for n in range(9)]
    assert hold_out(whole, 5) == whole


def test_kinds_are_read_by_file_name(tmp_path: Path) -> None:
    file = tmp_path / "kinds.tsv"
    file.write_text("image\tkind\na.jpg\tfood\na.jpg\tindoor\nb.jpg\tfood\n")
    assert load_kinds(file) == {"a.jpg": ["food", "indoor"], "b.jpg": ["food"]}
    file.write_text("image\tlabel\na.jpg\tfood\n")
    with pytest.raises(DatasetError, match="no column 'kind'"):
        load_kinds(file)


def test_a_label_is_the_least_that_can_be_said_of_a_photo(tmp_path: Path) -> None:
    folder = photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "labels.tsv").write_text("image\tsplit\tlabel\na.jpg\ttrain\tgrand_piano\nb.jpg\tval\tibis\n")
    assert [(photo.split, photo.captions) for photo in load_dataset(tmp_path, folder)] == [
        ("train", ("a grand piano",)),
        ("val", ("an ibis",)),
    ]


COCO_IMAGES = [{"id": 1, "file_name": "a.jpg"}]
ODD_COCO: list[object] = [
    [], None, "text", 3, {}, {"images": COCO_IMAGES}, {"annotations": []}, {"images": [1], "annotations": []},
    {"images": {"id": 1}, "annotations": []}, {"images": COCO_IMAGES, "annotations": [{"image_id": 2, "caption": "x"}]},
    {"images": COCO_IMAGES, "annotations": [{"image_id": 1, "caption": 3}]},
    {"images": COCO_IMAGES, "annotations": [{"image_id": 1, "caption": ["x"]}]},
    {"images": [{"id": 1, "file_name": 7}], "annotations": [{"image_id": 1, "caption": "x"}]},
    {"images": [{"id": [], "file_name": "a.jpg"}], "annotations": []},
]  # fmt: skip


@pytest.mark.parametrize("content", [*map(json.dumps, ODD_COCO), "[" * 100_000, "{", ""], ids=range(len(ODD_COCO) + 3))
def test_odd_json_is_one_line_that_names_the_file_once(tmp_path: Path, content: str) -> None:
    images, path = photos(tmp_path / "images", "a.jpg"), tmp_path / "captions_train.json"
    path.write_text(content)
    with pytest.raises(DatasetError) as error:
        load_dataset(path, images)
    assert (str(error.value).count(str(path)), "\n" in str(error.value)) == (1, False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.tsv", "image\tsplit\tcaption\nb.jpg\na.jpg\ttrain\tone dog\nb.jpg\ttrain\n\n"),
        ("captions.tsv", "\ufeffimage\tsplit\tcaption\na.jpg\ttrain\tone dog\n"),
        ("captions.txt", "\ufeffimage,caption\nb.jpg\na.jpg,one dog\nb.jpg,\n"),
        ("captions.txt", f"image,caption\n{'x' * 300}.jpg,a cat\na.jpg,one dog\n"),
        ("captions.txt", "image,caption\nb\0.jpg,a cat\na.jpg,one dog\n"),
        ("captions_train.json", json.dumps({
            "images": [*COCO_IMAGES, {"id": 2, "file_name": "b.jpg"}, {"id": 3, "file_name": "\ud800"}],
            "annotations": [
                {"image_id": 2, "caption": None}, {"image_id": 1, "caption": "one dog"}, {"image_id": 3, "caption": "x"}
            ],
        })),
    ],
    ids=["cut off", "with a mark of its encoding", "both", "a name too long", "a name with a NUL", "no caption"],
)  # fmt: skip
def test_a_line_without_a_caption_or_without_a_photo_costs_itself_alone(tmp_path: Path, name: str, text: str) -> None:
    images = photos(tmp_path / "images", "a.jpg", "b.jpg")
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_dataset(tmp_path) == [CaptionedPhoto(images / "a.jpg", "train", ("one dog",))]


@pytest.fixture
def usual_cells() -> Iterator[None]:
    """Cells of CSV may be as long as Python has it: reverse_geocode, which other tests import, takes longer ones."""
    before = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("usual_cells")
def test_a_cell_of_a_million_letters_is_one_line(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg")
    (tmp_path / "captions.txt").write_text(f"image,caption\na.jpg,{'x' * 1_000_000}\n")
    with pytest.raises(DatasetError, match="captions file: field larger"):
        load_dataset(tmp_path)


READING: list[Callable[[Path], object]] = [
    load_kinds, lambda path: list(read_texts([path])), lambda path: load_view(path, 8), Vocabulary.load, read_labels,
    lambda path: read_terms(path, 3), lambda path: read_config(path.parent),
]  # fmt: skip


@pytest.mark.parametrize("read", READING, ids=range(len(READING)))
def test_a_file_that_cannot_be_read_is_named_once(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "config.json"
    path.mkdir()
    with pytest.raises((DatasetError, CheckpointError)) as error:
        read(path)
    assert str(error.value).count(str(path)) == 1
    assert "Errno" not in str(error.value)


def test_a_training_photo_that_is_none_is_named_once(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg")
    with pytest.raises(DatasetError, match=r"a\.jpg: no image that can be read") as error:
        load_view(tmp_path / "a.jpg", 8)
    assert str(error.value).count("a.jpg") == 1
