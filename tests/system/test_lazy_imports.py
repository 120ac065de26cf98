"""Modules that are imported late, and imports without the garbage collector."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

from photoindex.system.lazy_imports import importing, lazily


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
