"""The config file as text: a template that explains every setting, and changing one without losing the comments."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from photoindex.config import LARGEST_FILE, Settings, check, convert, default_data_dir, parse_config
from photoindex.errors import ConfigError
from photoindex.system.atomic import replace_file
from photoindex.system.regular_files import read_regular

WIDTH = 100

# What each setting does, as the template says it.
DESCRIPTIONS = {
    "data_dir": "Where the catalogue, the search index and this file are kept. A path on Windows in single quotes.",
    "model": "The captioning model: a shipped model's name (photoindex models list), or the folder of one of yours.",
    "catalogue": "For many machines: the URL of a PostgreSQL database. Empty: a file in the data folder.",
    "mounts": "For many machines: where folders lie on this one, by their names or paths in the catalogue.",
    "device": "Where the model runs: auto (a GPU when there is one), cpu, cuda, mps.",
    "engine": "How to run the model: auto (the fastest way), float (the fastest in 32 bits), torch, graphs.",
    "beam_width": "Captions considered at each word, 1 to 20; 1 is fastest, 3 is as good as more.",
    "batch_size": "Photos captioned at once; 0 chooses by the device.",
    "claim": "Photos taken from the queue at once; 0: 64.",
    "threads": "CPU threads the model may use; 0: as many as the engine thinks best.",
    "settle_seconds": "A file is taken when it has not changed for this long, so that none is read half-written.",
    "unload_seconds": "A watch lets go of the model after this long without work.",
    "reconcile_seconds": "A watch compares its folders as a whole this often, whatever changes were reported.",
    "poll_seconds": "How often a watch looks where the system reports no changes, as on network drives.",
    "watch_mode": "How a watch learns of changes: events, polling, or auto: polling where events do not arrive.",
    "suspend_share": "When more than this share of a folder's photos vanishes at once (0 to 1), they are kept as away,",
    "suspend_photos": "if they are at least so many.",
    "lease_seconds": "Seconds without a sign of a worker after which others may take the photos that it claimed.",
    "backup_days": "Days between two backups of the catalogue; 0: none but before upgrades.",
    "decode_workers": "Processes that decode photos; 0: one a core, four at most, or sixteen beside a GPU.",
    "decode_on_gpu": "JPEGs are decoded on the NVIDIA GPU that captions, too; not measured yet.",
    "decode_seconds": "A photo that takes longer to decode is given up.",
    "caption_seconds": "A watch starts its model again when one photo takes longer to caption; a batch has more time.",
    "max_pixels": "Photos with more pixels are refused.",
    "nice": "Priority of index, watch and reindex below other programs: 0 is normal, 19 the lowest.",
    "max_rate": "Photos captioned a second, at most, to spare the fan or the battery; 0: no limit.",
    "thumbnail_megabytes": "Small pictures of photos that were shown are kept in the data folder, up to this size.",
    "read_text": "Where text in photos is read: auto (where a glance shows some), always (in every photo), never.",
    "hidden_files": "Whether files and folders whose names begin with a dot are taken.",
}


def template() -> str:
    """A config file in which every setting is explained and none is set."""
    lines = [
        "# Settings of photoindex. Take the # away from a line that has an = to change that setting.",
        "# An environment variable (PHOTOINDEX_BEAM_WIDTH) or a flag (--beam-width, --set beam_width=5) goes before.",
        "# `photoindex config show` lists what is in force, and where it comes from.",
    ]
    for field in dataclasses.fields(Settings):
        default = _usual_data_dir() if field.name == "data_dir" else field.default
        described = textwrap.wrap(DESCRIPTIONS.get(field.name, ""), WIDTH - 2)
        lines += ["", *(f"# {line}" for line in described), f"# {field.name} = {toml_value(default)}"]
    return "\n".join(lines) + "\n"


def _usual_data_dir() -> Path | str:
    """The data folder of who names none, empty where the home folder is not known."""
    try:
        return default_data_dir()
    except ConfigError:
        return ""


def toml_value(value: Any) -> str:
    """A setting's value as TOML writes it."""
    import tomlkit

    if isinstance(value, Mapping):
        return str(_toml_table(value).as_string())
    return str(tomlkit.item(str(value) if isinstance(value, Path) else value).as_string())


def _toml_table(value: Mapping[str, str]) -> Any:
    """A setting that is a table, in one line."""
    import tomlkit

    table = tomlkit.inline_table()
    table.update(value)
    return table


def change(text: str, name: str, value: Any, path: Path) -> str:
    """The text of the config file at ``path`` with one setting changed; all else stays as it is.

    A setting that the template's comment shows is set in that comment's place. Raises :class:`ConfigError` when the
    value is none for that setting, or the text is not valid.
    """
    import tomlkit

    before = parse_config(text, path)
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name}: {str(value)!r} is no text, and the config file holds text alone") from error
    after = {**before, name: convert(name, value, name)}
    check(Settings(**{"data_dir": path.parent, **after}), {name: str(path)})
    written = after[name]
    if name not in before:
        line = f"{name} = {toml_value(written)}"
        changed = re.sub(rf"^#[ \t]*{name}[ \t]*=.*$", lambda _: line, text, count=1, flags=re.MULTILINE)
        if changed != text and _holds(changed, after, path):
            return changed
    document = tomlkit.parse(text)
    if isinstance(written, Mapping):
        written = _toml_table(written)
    document[name] = str(written) if isinstance(written, Path) else written
    return tomlkit.dumps(document)


def _holds(text: str, wanted: dict[str, Any], path: Path) -> bool:
    try:
        return parse_config(text, path) == wanted
    except ConfigError:  # the comment was part of a text of several lines
        return False


def read_text(path: Path) -> str | None:
    """What a config file holds; ``None`` when there is none. Raises :class:`ConfigError`."""
    try:
        return read_regular(path, LARGEST_FILE).decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read the config file {path}: {reason}") from error


def write_text(path: Path, text: str) -> None:
    """Replace a config file as a whole, so that nobody reads half of it. Raises :class:`ConfigError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise ConfigError(f"cannot write the config file {path}: {error.strerror or error}") from error
