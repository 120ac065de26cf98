"""The settings as a page shows them."""

from __future__ import annotations

from pathlib import Path

from photoindex.config import Settings
from photoindex.web.settings_page import setting_rows


def test_no_password_is_shown() -> None:
    settings = Settings(Path("/data"), catalogue="postgresql://anna:secret@db/photos")
    shown = {row.name: row.value for row in setting_rows(settings)}
    assert shown["catalogue"] == "postgresql://anna:***@db/photos"
