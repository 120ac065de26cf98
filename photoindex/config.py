"""Settings, resolved once and then frozen: defaults < config file < environment < command-line flags."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_type_hints

from photoindex.errors import ConfigError
from photoindex.system.mount_names import NO_MOUNTS, Mounts, mounts_in
from photoindex.system.regular_files import is_there, read_regular
from photoindex.system.urls import without_password

ENVIRONMENT_PREFIX = "PHOTOINDEX_"
CONFIG_FILE = "photoindex.toml"
CATALOGUE_FILE, INDEX_FOLDER, THUMBNAILS_FOLDER = "catalogue.sqlite3", "fulltext", "thumbnails"  # in the data folder
INDEX_STAMP = "current.json"  # in the folder of the index, which a library has wherever its catalogue is
LARGEST_FILE = 1_000_000  # bytes of a config file
MAX_PIXELS = 300_000_000
LOWEST_RATE = 0.01  # photos a second; slower than this, a job's lease would run out while it waits
LONGEST_LEASE = 7200  # seconds; see catalogue/jobs.py: one that ends much later is of a wrong clock
MOST_DECODERS = 4  # of themselves: each may need a gigabyte for the largest photos
MOST_BESIDE_A_GPU = 16  # where captions take nothing of the processor; and in all no more gigabytes than half of memory
_KINDS = {
    int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path",
    Mounts: 'names with absolute paths, as {archive = "/mnt/nfs/archive"} or archive=/mnt/nfs/archive',
}  # fmt: skip
DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("auto", "float", "torch", "graphs")
READ_TEXT = ("auto", "always", "never")
CATALOGUE_URLS = ("postgresql+psycopg://", "postgresql://")
WATCH_MODES = ("auto", "events", "polling")


def default_data_dir() -> Path:
    """The platform's folder for user data, e.g. ``~/.local/share/photoindex`` on Linux.

    Raises :class:`ConfigError` where nothing says which folder is the user's, as for a user of a container alone.
    """
    import platformdirs

    try:
        folder = Path(platformdirs.user_data_dir("photoindex", appauthor=False))
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():  # older versions leave the ~ in it
        variable = ENVIRONMENT_PREFIX + "DATA_DIR"
        raise ConfigError(f"your home folder is not known (HOME): name a data folder with --data-dir or {variable}")
    return folder


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run can be told. Times are seconds, sizes are pixels unless the name says otherwise."""

    data_dir: Path
    model: str = "default"  # a name under models/, or the path of a checkpoint folder
    catalogue: str = ""  # the URL of a database of PostgreSQL; empty: a file in the data folder
    mounts: Mounts = NO_MOUNTS  # where folders lie on this machine that the catalogue knows by a name or another path
    device: str = "auto"
    engine: str = "auto"  # auto: the fastest way there is; others: captioner/runtime.py
    beam_width: int = 3
    batch_size: int = 0  # 0: 32 to 64, by the cores, or on an NVIDIA GPU what its memory holds, 512 at most
    claim: int = 0  # photos taken from the queue at once; 0: 64
    threads: int = 0  # 0: the engine decides
    settle_seconds: float = 2.0  # a file is taken when it has been quiet for this long
    unload_seconds: float = 60.0  # a watcher lets go of the model after this long without work
    reconcile_seconds: float = 3600.0  # full comparison of each watched folder, whatever its events say
    poll_seconds: float = 10.0  # where events do not arrive
    watch_mode: str = "auto"  # events, polling, or auto: polling where events cannot be relied on
    suspend_share: float = 0.5  # of a folder's photos; when more vanish at once, they are kept until they are back,
    suspend_photos: int = 50  # if they are at least so many
    lease_seconds: float = 600.0  # after which others may take what a worker claimed and gave no sign of since
    backup_days: float = 1.0  # between two backups of the catalogue; 0: none but before upgrades
    decode_workers: int = 0  # processes; 0: one a core, four at most, or sixteen beside a GPU
    decode_on_gpu: bool = False  # JPEGs on the NVIDIA GPU that captions, beside the processes
    decode_seconds: float = 60.0  # a decoder that takes longer is killed
    caption_seconds: float = 60.0  # a watch's model that takes longer for one photo is killed
    max_pixels: int = MAX_PIXELS  # larger photos are refused
    hidden_files: bool = False
    nice: int = 0  # priority of index, watch and reindex below other programs: 0 = normal, 19 = lowest
    max_rate: float = 0.0  # photos captioned a second, at most; 0: no limit
    thumbnail_megabytes: int = 200  # at most so many are kept; 0: none
    # Text in photos: auto reads it where a glance shows some, if what reads it is installed; always reads every photo.
    read_text: str = "auto"

    @property
    def decoders(self) -> int:
        """How many processes decode photos."""
        return self.decode_workers or min(MOST_DECODERS, os.cpu_count() or 1)

    @property
    def decoders_beside_gpu(self) -> int:
        """The same where a GPU captions, which waits for them."""
        if self.decode_workers:
            return self.decode_workers
        try:
            gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        except (AttributeError, ValueError, OSError):  # not on Windows
            return self.decoders
        return max(self.decoders, min(MOST_BESIDE_A_GPU, os.cpu_count() or 1, int(gigabytes / 2)))

    @property
    def catalogue_path(self) -> Path:
        return self.data_dir / CATALOGUE_FILE

    @property
    def catalogue_place(self) -> Path | str:
        """The path of the catalogue's file, or the URL of the database that holds it."""
        return self.catalogue or self.catalogue_path

    @property
    def index_path(self) -> Path:
        return self.data_dir / INDEX_FOLDER

    @property
    def terms_path(self) -> Path:
        return self.data_dir / "terms"

    @property
    def thumbnails_path(self) -> Path:
        return self.data_dir / THUMBNAILS_FOLDER

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """Where no photos are looked for: each that is captioned puts a thumbnail there. The second counts where photos
        lie in the data folder itself."""
        return self.data_dir, self.thumbnails_path


class Origin(NamedTuple):
    """Where a setting's value comes from; ``where`` names the file, variable or flag, and is empty for a default."""

    kind: Literal["default", "file", "environment", "flag"]
    where: str


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
    return resolve_settings(config_file, environment, **flags)[0]


def resolve_settings(
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **flags: Any,
) -> tuple[Settings, dict[str, Origin]]:
    """As :func:`load_settings`, and where each value comes from."""
    environment = os.environ if environment is None else environment
    origins = {name: Origin("default", "") for name in _types()}
    values: dict[str, Any] = {}
    path = config_path(config_file, environment, flags.get("data_dir"))
    if config_file is not None or _has_config(path):
        for name, value in read_config(path).items():
            values[name], origins[name] = value, Origin("file", str(path))
    for name in _types():
        variable = ENVIRONMENT_PREFIX + name.upper()
        if environment.get(variable):
            values[name] = convert(name, environment[variable], variable)
            origins[name] = Origin("environment", variable)
    for name, value in flags.items():
        if value is not None:
            flag = "--" + name.replace("_", "-")
            values[name], origins[name] = convert(name, value, flag), Origin("flag", flag)
    if "data_dir" not in values:
        values["data_dir"] = default_data_dir()
    settings = Settings(**values)
    check(settings, {name: origin.where for name, origin in origins.items()})
    return settings, origins


def config_path(
    config_file: Path | None = None, environment: Mapping[str, str] | None = None, data_dir: Path | str | None = None
) -> Path:
    """The config file that is read, if it is there: the one named, or that of the data folder."""
    if config_file is not None:
        return config_file
    environment = os.environ if environment is None else environment
    variable = ENVIRONMENT_PREFIX + "DATA_DIR"
    if data_dir:
        folder = _folder(data_dir, "--data-dir")
    elif environment.get(variable):
        folder = _folder(environment[variable], variable)
    else:
        folder = default_data_dir()
    return folder / CONFIG_FILE


def _has_config(path: Path) -> bool:
    """Whether the data folder has a config file. Raises :class:`ConfigError` where nobody can tell."""
    try:
        return is_there(path) and path.is_file()
    except OSError as error:
        reason = f"cannot look into the data folder {path.parent}: {error.strerror or error}"
        raise ConfigError(f"{reason}: give yourself the right to, or name another --data-dir") from error


def _folder(path: Path | str, where: str) -> Path:
    """A path with the home folder in the place of ``~``, absolute. Raises :class:`ConfigError` for what is no path, and
    for a user who has no home folder, as it would be a folder called ``~`` where the program happens to run."""
    if not isinstance(path, str | os.PathLike):
        raise ConfigError(f"{where} is {path!r}; it must be a path")
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ConfigError(f"{where} is {os.fspath(path)!r}, and there is no such home folder: give the whole path")
    return Path(expanded).absolute()


def strange_variables(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variables that look like a misspelt setting, each with the variable that was probably meant."""
    import difflib

    known = {name.upper() for name in _types()}
    names = [
        name.removeprefix(ENVIRONMENT_PREFIX) for name in sorted(environment) if name.startswith(ENVIRONMENT_PREFIX)
    ]
    near = {name: difflib.get_close_matches(name, known, 1, 0.8) for name in names if name not in known}
    return [(ENVIRONMENT_PREFIX + name, ENVIRONMENT_PREFIX + meant[0]) for name, meant in near.items() if meant]


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Settings)


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a config file. Raises :class:`ConfigError` with the file and the key at fault."""
    try:
        text = read_regular(path, LARGEST_FILE).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the config file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the config file {path} is not valid TOML: {error}") from error
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> dict[str, Any]:
    """The settings in the text of a config file; ``path`` is for the error. Raises :class:`ConfigError`."""
    try:
        content = _toml(text)
    except RecursionError:
        raise ConfigError(f"the config file {path} is nested too deep") from None
    except ValueError as error:  # also for a number of thousands of digits
        raise ConfigError(f"the config file {path} is not valid TOML: {error}") from error
    return {name: convert(name, value, f"{name} in {path}") for name, value in content.items()}


def convert(name: str, value: Any, where: str) -> Any:
    """A setting's value in its type. Raises :class:`ConfigError`, which begins with ``where``."""
    kind = _types().get(name)
    if kind is None:
        raise ConfigError(f"unknown setting {where}{near_spelling(name, _types())}")
    try:
        if kind is bool:
            if isinstance(value, bool):
                return value
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[str(value).lower()]
        if isinstance(value, bool) or (kind in (str, Path) and not isinstance(value, str | Path)):
            raise TypeError
        if kind is Path:
            if value == "":  # it would be the folder that the program runs in
                raise ValueError
            return _folder(value, where)
        if kind is Mounts:
            return _mounts(value, where)
        converted = kind(value)
        if kind is not str and (not math.isfinite(converted) or (isinstance(value, float) and converted != value)):
            raise ValueError
        return converted
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ConfigError(f"{where} is {value!r}; it must be {_KINDS[kind]}") from error


def _toml(text: str) -> dict[str, Any]:
    """Return what a text in TOML says. Raises ValueError, and RecursionError for one that is nested too deep."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    content: dict[str, Any] = tomllib.loads(text)
    return content


def _mounts(value: Any, where: str) -> Mounts:
    """Return the mounts that a table says, or text; text may be a table as a config file has it."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            [value] = _toml(f"mounts = {value}").values()
        except (ValueError, RecursionError):
            raise ConfigError(f"{where} is {value!r}; it must be {_KINDS[Mounts]}") from None
    if not isinstance(value, str) and not (
        isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair)
    ):
        raise TypeError
    try:
        return mounts_in(value) if isinstance(value, str) else Mounts(value)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; write {_KINDS[Mounts]}") from error


def near_spelling(name: str, known: Iterable[str]) -> str:
    """What to say to who wrote a name that is not known: the one that was probably meant, or all there are."""
    import difflib

    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(names)}"


def check(settings: Settings, where: Mapping[str, str] | None = None) -> None:
    """Raises :class:`ConfigError` for a value out of range; ``where`` it was set is named."""
    for name, choices in (
        ("device", DEVICES),
        ("engine", ENGINES),
        ("watch_mode", WATCH_MODES),
        ("read_text", READ_TEXT),
    ):
        value = getattr(settings, name)
        if value not in choices:
            raise _refused(name, value, f"choose {', '.join(choices)}{_or_near(value, choices)}", where)
    if settings.catalogue and not settings.catalogue.startswith(CATALOGUE_URLS):
        shown = f"begin it with {CATALOGUE_URLS[0]}, or leave it empty for a catalogue in the data folder"
        raise _refused("catalogue", settings.catalogue, shown, where)
    if settings.beam_width < 1 or settings.beam_width > 20:
        raise _refused("beam_width", settings.beam_width, "choose 1 to 20", where)
    if not 0 <= settings.nice <= 19:
        raise _refused("nice", settings.nice, "choose 0 to 19", where)
    if settings.max_rate and not settings.max_rate >= LOWEST_RATE:
        raise _refused("max_rate", settings.max_rate, f"choose 0 for no limit, or at least {LOWEST_RATE}", where)
    if settings.lease_seconds > LONGEST_LEASE:
        raise _refused("lease_seconds", settings.lease_seconds, f"choose {LONGEST_LEASE:,} at most", where)
    if not 0 <= settings.suspend_share <= 1:
        raise _refused("suspend_share", settings.suspend_share, "choose 0 to 1", where)
    for name in (
        "batch_size", "claim", "threads", "settle_seconds", "decode_workers", "backup_days", "thumbnail_megabytes",
    ):  # fmt: skip
        if getattr(settings, name) < 0:
            raise _refused(name, getattr(settings, name), "it cannot be negative", where)
    for name in (
        "unload_seconds",
        "reconcile_seconds",
        "poll_seconds",
        "decode_seconds",
        "caption_seconds",
        "max_pixels",
        "suspend_photos",
        "lease_seconds",
    ):
        if getattr(settings, name) <= 0:
            raise _refused(name, getattr(settings, name), "it must be above zero", where)


def _refused(name: str, value: object, what: str, where: Mapping[str, str] | None) -> ConfigError:
    if isinstance(value, str):
        value = without_password(value)
    place = (where or {}).get(name)
    return ConfigError(f"{name} is {value!r}{f' ({place})' if place else ''}; {what}")


def _or_near(value: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(value, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
