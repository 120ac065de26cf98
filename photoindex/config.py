"""Settings, resolved once and then frozen: defaults < config file < environment < command-line flags."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs

from photoindex.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT_PREFIX = "PHOTOINDEX_"
MAX_PIXELS = 300_000_000
MOST_DECODERS = 4  # of themselves: each may need a gigabyte for the largest photos
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("auto", "torch")
WATCH_MODES = ("auto", "events", "polling")


def default_data_dir() -> Path:
    """The platform's folder for user data, e.g. ``~/.local/share/photoindex`` on Linux."""
    return Path(platformdirs.user_data_dir("photoindex", appauthor=False))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run can be told. Times are seconds, sizes are pixels unless the name says otherwise."""

    data_dir: Path
    model: str = "default"  # a name under models/, or the path of a checkpoint folder
    device: str = "auto"
    engine: str = "auto"  # on the CPU: auto takes the fastest way installed, torch the reference
    beam_width: int = 3
    batch_size: int = 0  # 0: 32 on the CPU, 64 on a GPU
    threads: int = 0  # 0: the engine decides
    settle_seconds: float = 2.0  # a file is taken when it has been quiet for this long
    unload_seconds: float = 60.0  # a watcher lets go of the model after this long without work
    reconcile_seconds: float = 3600.0  # full comparison of each watched folder, whatever its events say
    poll_seconds: float = 10.0  # where events do not arrive
    watch_mode: str = "auto"  # events, polling, or auto: polling where events cannot be relied on
    suspend_share: float = 0.5  # of a folder's photos; when more vanish at once, they are kept until they are back,
    suspend_photos: int = 50  # if they are at least so many
    backup_days: float = 1.0  # between two backups of the catalogue; 0: none but before upgrades
    decode_workers: int = 0  # processes; 0: one a core, four at most
    decode_seconds: float = 60.0  # a decoder that takes longer is killed
    max_pixels: int = MAX_PIXELS  # larger photos are refused
    hidden_files: bool = False

    @property
    def decoders(self) -> int:
        """How many processes decode photos."""
        return self.decode_workers or min(MOST_DECODERS, os.cpu_count() or 1)

    @property
    def catalogue_path(self) -> Path:
        return self.data_dir / "catalogue.sqlite3"

    @property
    def index_path(self) -> Path:
        return self.data_dir / "fulltext"

    @property
    def terms_path(self) -> Path:
        return self.data_dir / "terms"


def load_settings(
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **flags: Any,
) -> Settings:
    """Resolve the settings; a flag that is ``None`` was not given.

    ``config_file`` (TOML, one ``name = value`` a line) must exist when named; the default one,
    ``photoindex.toml`` in the data folder, may be absent. Raises :class:`ConfigError` with the file or variable at
    fault.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    from_environment = {
        name: _convert(name, environment[ENVIRONMENT_PREFIX + name.upper()], ENVIRONMENT_PREFIX + name.upper())
        for name in _types()
        if environment.get(ENVIRONMENT_PREFIX + name.upper())
    }
    given = {
        name: _convert(name, value, "--" + name.replace("_", "-")) for name, value in flags.items() if value is not None
    }
    data_dir = given.get("data_dir") or from_environment.get("data_dir")
    path = config_file or (data_dir or default_data_dir()) / "photoindex.toml"
    if config_file is not None or path.is_file():
        values.update(_read(path))
    values = {"data_dir": default_data_dir(), **values, **from_environment, **given}
    settings = Settings(**values)
    _check(settings)
    return settings


def _types() -> dict[str, Any]:
    return get_type_hints(Settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the config file {path} is not valid TOML: {error}") from error
    return {name: _convert(name, value, f"{name} in {path}") for name, value in content.items()}


def _convert(name: str, value: Any, where: str) -> Any:
    kind = _types().get(name)
    if kind is None:
        known = ", ".join(field.name for field in dataclasses.fields(Settings))
        raise ConfigError(f"unknown setting {where}; known are {known}")
    try:
        if kind is bool:
            if isinstance(value, bool):
                return value
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[str(value).lower()]
        if kind is Path:
            return Path(value).expanduser().absolute()
        return kind(value)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{where} is {value!r}; it must be {_KINDS[kind]}") from error


def _check(settings: Settings) -> None:
    if settings.device not in DEVICES:
        raise ConfigError(f"device is {settings.device!r}; choose {', '.join(DEVICES)}")
    if settings.engine not in ENGINES:
        raise ConfigError(f"engine is {settings.engine!r}; choose {', '.join(ENGINES)}")
    if settings.beam_width < 1 or settings.beam_width > 20:
        raise ConfigError(f"beam_width is {settings.beam_width}; choose 1 to 20")
    if settings.watch_mode not in WATCH_MODES:
        raise ConfigError(f"watch_mode is {settings.watch_mode!r}; choose {', '.join(WATCH_MODES)}")
    if not 0 <= settings.suspend_share <= 1:
        raise ConfigError(f"suspend_share is {settings.suspend_share}; choose 0 to 1")
    for name in ("batch_size", "threads", "settle_seconds", "decode_workers", "backup_days"):
        if getattr(settings, name) < 0:
            raise ConfigError(f"{name} is {getattr(settings, name)}; it cannot be negative")
    for name in (
        "unload_seconds",
        "reconcile_seconds",
        "poll_seconds",
        "decode_seconds",
        "max_pixels",
        "suspend_photos",
    ):
        if getattr(settings, name) <= 0:
            raise ConfigError(f"{name} is {getattr(settings, name)}; it must be above zero")
