"""Modules that are imported late, and imports without the garbage collector."""

from __future__ import annotations

import gc
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from photoindex.system.lazy_imports import importing, lazily
from tests.support import REPOSITORY


def test_a_module_is_imported_when_something_of_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "made_for_a_test.py").write_text("print('imported')\nanswer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = lazily("made_for_a_test")
    assert "made_for_a_test" not in sys.modules
    assert (module.answer, module.answer) == (42, 42)
    assert capsys.readouterr().out == "imported\n"
    with pytest.raises(AttributeError):
        _ = module.nothing
    del sys.modules["made_for_a_test"]


def test_names_that_are_imported_late_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "late_home.py").write_text("answer = 42\n")
    (tmp_path / "late.py").write_text(
        "from photoindex.system.lazy_imports import names_of\n"
        "at_once = 1\n"
        "__getattr__, __dir__ = names_of(__name__, {'answer': 'late_home'})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    late = import_module("late")
    assert {"answer", "at_once"} <= set(dir(late))
    assert "late_home" not in sys.modules
    assert late.answer == 42
    with pytest.raises(AttributeError, match=r"^module 'late' has no attribute 'nothing'$"):
        _ = late.nothing
    del sys.modules["late"], sys.modules["late_home"]


def test_type_checkers_do_not_take_every_name_for_one_of_a_package() -> None:
    late = [path for path in (REPOSITORY / "photoindex").rglob("*.py") if "= names_of(" in path.read_text("utf-8")]
    assert REPOSITORY / "photoindex" / "__init__.py" in late
    for path in late:
        assert re.search(r"\nif not TYPE_CHECKING:\n    __getattr__, __dir__ = names_of\(", path.read_text("utf-8")), (
            path
        )


def test_collection_goes_on_after_imports_whatever_happens() -> None:
    with pytest.raises(ImportError), importing():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
