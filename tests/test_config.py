"""The config file: explained, changed without losing comments, and refused in one line."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from photoindex.cli import config_file
from photoindex.config import Settings, load_settings, resolve_settings, strange_variables
from photoindex.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path("photoindex.toml")


def test_the_template_explains_every_setting_and_sets_none() -> None:
    assert tomllib.loads(config_file.template()) == {}
    for field in dataclasses.fields(Settings):
        assert config_file.DESCRIPTIONS.get(field.name), f"{field.name} has no description in cli/config_file.py"
        assert f"# {field.name} = " in config_file.template()


def test_the_template_with_all_its_settings_is_the_defaults() -> None:
    lines = [line.removeprefix("# ") if " = " in line else line for line in config_file.template().splitlines()]
    content = {name: value for name, value in tomllib.loads("\n".join(lines[3:])).items() if name != "data_dir"}
    defaults = {field.name: field.default for field in dataclasses.fields(Settings) if field.name != "data_dir"}
    assert content == defaults


def test_a_setting_is_changed_in_the_place_of_its_comment() -> None:
    text = config_file.template()
    changed = config_file.change(text, "beam_width", "5", FILE)
    differing = [(a, b) for a, b in zip(text.splitlines(), changed.splitlines(), strict=True) if a != b]
    assert differing == [("# beam_width = 3", "beam_width = 5")]


def test_comments_and_order_stay_when_a_setting_is_changed_again() -> None:
    text = "# mine\nbeam_width = 2  # two\n\nmodel = 'a \\ b' # odd\n"
    assert config_file.change(text, "beam_width", "7", FILE) == text.replace("= 2", "= 7")
    assert config_file.change(text, "hidden_files", "yes", FILE) == text + "hidden_files = true\n"


@pytest.mark.parametrize("value", ['say "hi"', "C:\\new\\table", "naïve ☃ 写真", "a'b"])
def test_any_text_comes_back_as_it_was_written(value: str, tmp_path: Path) -> None:
    text = config_file.change(config_file.template(), "model", value, FILE)
    config_file.write_text(tmp_path / "new" / "c.toml", text)
    assert load_settings(tmp_path / "new" / "c.toml", {}).model == value


def test_a_comment_within_a_text_of_several_lines_is_left_alone() -> None:
    text = 'model = """\n# threads = 3\n"""\n'
    changed = config_file.change(text, "threads", "4", FILE)
    assert tomllib.loads(changed) == {"model": "# threads = 3\n", "threads": 4}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("beam_widht = 3", "unknown setting beam_widht in {file}; did you mean beam_width?"),
        ("xyz = 3", "unknown setting xyz in {file}; known are data_dir, model"),
        ("beam_width = 2.5", "beam_width in {file} is 2.5; it must be a whole number"),
        ("beam_width = true", "beam_width in {file} is True; it must be a whole number"),
        ("poll_seconds = nan", "poll_seconds in {file} is nan; it must be a number"),
        ("model = 3", "model in {file} is 3; it must be text"),
        ("hidden_files = 'perhaps'", "hidden_files in {file} is 'perhaps'; it must be true or false"),
        ("beam_width = 99", "beam_width is 99 ({file}); choose 1 to 20"),
        ("device = 'cudas'", "device is 'cudas' ({file}); choose auto, cpu, cuda, mps; did you mean cuda?"),
        ("mounts = 3", "mounts in {file} is 3; it must be names with absolute paths"),
        ("mounts = {a = 'b'}", "mounts in {file}: 'b' is no absolute path for the name 'a'"),
        ("max_pixels = 0", "max_pixels is 0 ({file}); it must be above zero"),
        ("[captioner]\nbeam_width = 3", "unknown setting captioner in {file}"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file_and_the_key(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(line + "\n")
    with pytest.raises(ConfigError) as raised:
        load_settings(file, {})
    assert str(raised.value).startswith(message.format(file=file))
    assert "\n" not in str(raised.value)


def test_every_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "photoindex.toml"
    file.write_text("beam_width = 5\nthreads = 1\npoll_seconds = 4\n")
    environment = {"PHOTOINDEX_THREADS": "2", "PHOTOINDEX_POLL_SECONDS": "5"}
    settings, origins = resolve_settings(None, environment, data_dir=tmp_path, poll_seconds=6)
    assert (settings.beam_width, settings.threads, settings.poll_seconds) == (5, 2, 6.0)
    assert origins["beam_width"] == ("file", str(file))
    assert origins["threads"] == ("environment", "PHOTOINDEX_THREADS")
    assert origins["poll_seconds"] == ("flag", "--poll-seconds")
    assert origins["model"] == ("default", "")


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Settings)])
def test_every_setting_is_read_from_the_environment(name: str, tmp_path: Path) -> None:
    value = {
        "data_dir": str(tmp_path),
        "catalogue": "postgresql+psycopg://archive/photos",
        "device": "cpu",
        "engine": "torch",
        "decode_on_gpu": "true",
        "hidden_files": "true",
        "model": "mine",
        "mounts": "archive=/mnt/archive;/photos=/mnt/photos",
        "read_text": "always",
        "watch_mode": "polling",
        "suspend_share": "0.7",
    }.get(name, "7")
    settings = load_settings(None, {"PHOTOINDEX_DATA_DIR": str(tmp_path), f"PHOTOINDEX_{name.upper()}": value})
    assert str(getattr(settings, name)).lower().startswith(value.lower())


def test_a_misspelt_variable_is_noticed_and_a_stranger_is_not() -> None:
    found = strange_variables({"PHOTOINDEX_BEAM_WIDHT": "3", "PHOTOINDEX_SHARED": "/x", "PHOTOINDEX_THREADS": "1"})
    assert found == [("PHOTOINDEX_BEAM_WIDHT", "PHOTOINDEX_BEAM_WIDTH")]


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "{a=" * 100_000, "beam_width = " + "9" * 6000, "\0", "a" * 2_000_000, "=", "[[["],
)
def test_no_config_file_ends_in_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert "c.toml" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_config_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match="cannot read the config file"):
        load_settings(tmp_path / "c.toml", {})


def test_mounts_are_a_table_that_is_changed_like_other_settings(tmp_path: Path) -> None:
    text = config_file.change(config_file.template(), "mounts", "archive=/mnt/a;/photos/new=/fast", FILE)
    assert 'mounts = {archive = "/mnt/a", "/photos/new" = "/fast"}' in text
    file = tmp_path / "c.toml"
    file.write_text(config_file.change(text, "mounts", "archive=/mnt/b", FILE))
    assert load_settings(file, {}).mounts == {"archive": "/mnt/b"}


def test_mounts_are_set_as_they_are_shown(tmp_path: Path) -> None:
    table = '{archive = "/mnt/a b", "/photos/new" = "/fast;x"}'
    text = config_file.change(config_file.template(), "mounts", table, FILE)
    assert f"mounts = {table}" in text
    mounts = load_settings(None, {"PHOTOINDEX_DATA_DIR": str(tmp_path), "PHOTOINDEX_MOUNTS": f" {table}"}).mounts
    assert mounts == {"archive": "/mnt/a b", "/photos/new": "/fast;x"}
    assert config_file.toml_value(mounts) == table


@pytest.mark.parametrize("table", ["{", '{a="/x"', '{a="/x"}\nthreads = 3', "{a = 3}", "{" * 5000, '{a.b = "/x"}'])
def test_what_is_no_table_of_mounts_is_one_line(tmp_path: Path, table: str) -> None:
    with pytest.raises(ConfigError, match="it must be names with absolute paths") as refused:
        load_settings(None, {"PHOTOINDEX_DATA_DIR": str(tmp_path), "PHOTOINDEX_MOUNTS": table})
    assert "\n" not in str(refused.value)


def test_beside_a_gpu_there_are_as_many_decoders_as_cores_and_memory_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path)
    for cores, gigabytes, usual, beside_gpu in [
        (2, 24, 2, 2), (16, 128, 4, 16), (64, 512, 4, 16), (16, 16, 4, 8), (16, 4, 4, 4), (1, 64, 1, 1)
    ]:  # fmt: skip
        values = {"SC_PHYS_PAGES": gigabytes * 2**18, "SC_PAGE_SIZE": 4096}
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr(os, "sysconf", lambda name, values=values: values[name])
        assert (settings.decoders, settings.decoders_beside_gpu) == (usual, beside_gpu)
    assert Settings(tmp_path, decode_workers=3).decoders_beside_gpu == 3
