"""On photos with captions by people, where they are at hand."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from photoindex.training.datasets import load_dataset


def test_giraffes_in_grass_puts_giraffes_first(shared_dir: Path, tmp_path: Path) -> None:
    photos = load_dataset(shared_dir / "data" / "coco")
    giraffes = [photo for photo in photos if "giraffe" in " ".join(photo.captions).lower()]
    others = [photo for photo in photos if photo not in giraffes]
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in giraffes[:12] + others[:60]:
        shutil.copy(photo.path, folder)
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(tmp_path / "data")]
    subprocess.run([*command, "index", folder], check=True, capture_output=True)
    found = subprocess.run(
        [*command, "search", "giraffes in grass", "-n", "3", "--json"], check=True, capture_output=True, text=True
    )
    names = [Path(hit["path"]).name for hit in json.loads(found.stdout)]
    assert len(names) == 3
    assert set(names) <= {photo.path.name for photo in giraffes}
