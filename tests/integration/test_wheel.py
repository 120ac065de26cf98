"""Source distribution and wheel have migrations, models and all modules; the wheel runs where it is unpacked."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from site import getsitepackages

import pytest
import skimage.data

from tests.support import REPOSITORY


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    # From a copy: building leaves folders behind.
    source = folder / "source"
    ignored = shutil.ignore_patterns(".git", "build", "*.egg-info", ".*_cache", ".venv", ".hypothesis", "__pycache__")
    shutil.copytree(REPOSITORY, source, ignore=ignored)
    # Without isolation nothing is downloaded.
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--skip-dependency-check"]
    done = subprocess.run(
        [*command, "--outdir", folder, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the source distribution, as installers do where there is no wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, sdist],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("*.whl")
    return built


def test_the_source_distribution_holds_all_that_builds_tests_and_explains_the_program(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        str(path.relative_to(REPOSITORY))
        for folder in ("photoindex", "migrations", "models", "tests", "docs", "benchmarks")
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE", "pyproject.toml", "setup.cfg"}
    wanted |= {".ci/run", ".pre-commit-config.yaml"}
    assert wanted - held == set()
    assert not [name for name in held if "__pycache__" in name or name.startswith((".git/", "build/"))]


def test_it_holds_every_module_the_migrations_and_the_model(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "photoindex").rglob("*.py")}
    for folder, inside in (("migrations", "_migrations"), ("models", "_models")):
        for path in (REPOSITORY / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wanted.add(f"photoindex/{inside}/{path.relative_to(REPOSITORY / folder)}")
    wanted |= {f"photoindex/language/lexicon/{name}" for name in ("kinds.txt", "synonyms.txt", "WORDNET-LICENSE")}
    assert wanted <= held
    assert not [name for name in held if name.startswith(("tests/", "benchmarks/"))]
    assert any(name.endswith("NOTICE") for name in held)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The Python of an environment in which the wheel is installed, beside the libraries of this one.

    What is installed for editing here is not: its import hook would find modules that the wheel's processes do not.
    """
    venv.create(tmp_path / "environment")
    python = tmp_path / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "libraries.pth").write_text("\n".join(getsitepackages()), encoding="utf-8")
    return python


def test_it_captions_and_finds_a_photo(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(Path(skimage.data.__file__).parent / "chelsea.png", tmp_path / "photos")
    command = [str(installed), "-m", "photoindex", "--data-dir", str(tmp_path / "data")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments in (["index", str(tmp_path / "photos")], ["search", "cat"]):
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "chelsea.png" in done.stdout
