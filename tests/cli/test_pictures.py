"""Pictures on terminals, read back as the protocols say."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from photoindex.cli.main import main
from photoindex.cli.pictures import CHUNK, protocol_of, sequence
from photoindex.library import Library
from tests.support import make_photo

ON_BOTH = True


@pytest.fixture
def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(buffer, "JPEG")  # so that it takes several chunks
    return buffer.getvalue()


def test_kitty_gets_a_png_in_chunks_that_say_whether_more_follow(jpeg: bytes) -> None:
    chunks = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sequence(jpeg, "kitty"))
    assert b"".join(b"\x1b_G" + keys + b";" + data + b"\x1b\\" for keys, data in chunks) == sequence(jpeg, "kitty")
    assert len(chunks) > 2
    assert chunks[0][0] == b"a=T,f=100,q=2,r=8,m=1"
    assert [keys for keys, _ in chunks[1:]] == [b"m=1"] * (len(chunks) - 2) + [b"m=0"]
    assert max(len(data) for _, data in chunks) <= CHUNK
    image = Image.open(io.BytesIO(base64.b64decode(b"".join(data for _, data in chunks))))
    assert (image.format, image.size) == ("PNG", (300, 200))


def test_iterm2_gets_the_jpeg_with_its_size(jpeg: bytes) -> None:
    found = re.fullmatch(rb"\x1b\]1337;File=inline=1;size=(\d+);height=8;[^:]*:(.*)\a", sequence(jpeg, "iterm2"))
    assert found is not None
    assert int(found[1]) == len(jpeg)
    assert base64.b64decode(found[2]) == jpeg


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm", "TERM": "xterm-256color"}, "iterm2"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color"}, None),
        ({"KITTY_WINDOW_ID": "1", "TMUX": "/tmp/tmux"}, None),
        ({}, None),
    ],
)
def test_a_terminal_is_known_by_its_variables(environment: dict[str, str], protocol: str | None) -> None:
    assert protocol_of(environment) == protocol


def test_pictures_are_shown_only_when_asked_for(library: Library, album: Path) -> None:
    make_photo(album / "one.jpg", "red")
    library.index(album)
    library.close()

    def search(*options: str) -> str:
        arguments = ["--data-dir", str(library.settings.data_dir), "search", "red", *options]
        return CliRunner().invoke(main, arguments, env={"KITTY_WINDOW_ID": "1"}).output

    assert "\x1b_G" not in search()
    assert search("--pictures", "kitty").startswith("\x1b_Ga=T")
    assert "\x1b_G" not in search("--pictures", "auto")  # this is no terminal
    assert "--html FILE" in search("--pictures", "auto")
