"""The settings as a page shows them: each with its value, and what it is."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import NamedTuple

from photoindex.config import ENVIRONMENT_PREFIX, Settings
from photoindex.system.paths import printable
from photoindex.system.urls import without_password


class SettingRow(NamedTuple):
    """A setting: its name, its value in words, where it comes from."""

    name: str
    value: str
    source: str


def setting_rows(settings: Settings) -> list[SettingRow]:
    """Return all settings in the order of :class:`photoindex.config.Settings`."""
    rows = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name == "catalogue":
            value = without_password(value)
        text = (
            printable(value)
            if isinstance(value, Path)
            else str(value).lower()
            if value in (True, False) and isinstance(value, bool)
            else str(value)
        )
        variable = ENVIRONMENT_PREFIX + field.name.upper()
        if os.environ.get(variable):
            source = variable
        elif field.default is not dataclasses.MISSING and value == field.default:
            source = "default"
        else:
            source = "config file or flag"
        rows.append(SettingRow(field.name, text, source))
    return rows
