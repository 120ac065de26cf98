"""``train`` as it is typed, up to the point where it would begin to compute."""

from pathlib import Path

import pytest
import torch
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


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU here")
@pytest.mark.parametrize(
    "command",
    [
        ["train", "--output", "model"],
        ["evaluate", "captions"],
        ["evaluate", "confidence"],
        ["evaluate", "eight-bits"],
        ["evaluate", "text-gate", "--readings", "readings.json"],
    ],
    ids=["train", "captions", "confidence", "eight-bits", "text-gate"],
)
def test_the_device_that_is_set_is_used(command: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--set", "device=mps", *command, "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "no Apple GPU (mps) on this machine" in result.stderr
