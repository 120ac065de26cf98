"""``train`` as it is typed, up to the point where it would begin to compute."""

from pathlib import Path

from click.testing import CliRunner

from photoindex.cli.main import main
from tests.support import make_photo


def test_it_says_what_it_learns_from_and_what_is_missing_before_it_computes(tmp_path: Path) -> None:
    lines = ["image\tsplit\tcaption"]
    for number, split in enumerate(["train", "train", "val", "test"]):
        make_photo(tmp_path / "images" / f"{number}.jpg", "red")
        lines.append(f"{number}.jpg\t{split}\ta red square")
    (tmp_path / "captions.tsv").write_text("\n".join(lines) + "\n")
    output, missing = tmp_path / "model", tmp_path / "missing.txt"
    result = CliRunner().invoke(
        main, ["train", "--data", str(tmp_path), "--output", str(output), "--device", "cpu", "--texts", str(missing)]
    )
    first, second = result.stderr.splitlines()
    assert first.startswith("training on 2 photos, and choosing by 1 other (CPU")
    assert second.startswith(f"photoindex: cannot read the captions {missing}: ")
    assert (result.exit_code, output.exists()) == (1, False)
