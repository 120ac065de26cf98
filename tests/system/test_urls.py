"""URLs as they may be shown."""

from __future__ import annotations

import pytest

from photoindex.system.urls import passwords_in, without_password


@pytest.mark.parametrize("password", ["secret", "se:cret", "se/cret", "se@cret", "se?c#ret", "a:b/c@d"])
def test_no_part_of_a_password_is_shown(password: str) -> None:
    url = f"postgresql://me:{password}@host:5432/photos"
    assert without_password(url) == "postgresql://me:***@host:5432/photos"
    assert passwords_in(url) == [password]
    assert without_password(f'no "{url}" there') == 'no "postgresql://me:***@host:5432/photos" there'


@pytest.mark.parametrize("url", ["postgresql://me@host:5432/photos", "postgresql://host:5432/photos", "/photos"])
def test_a_url_without_one_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url
    assert passwords_in(url) == []


def test_a_password_among_the_parameters_is_not_shown() -> None:
    assert (
        without_password("postgresql:///photos?password=secret&user=me") == "postgresql:///photos?password=***&user=me"
    )
