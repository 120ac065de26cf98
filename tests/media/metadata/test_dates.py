"""Dates in metadata and in names; and what is no date."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.media.metadata import dates
from photoindex.media.metadata.dates import Moment

NOW = datetime(2024, 5, 1, 12)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "time"),
        [
            ("IMG_20190704_123456.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("IMG_20190704_123456789.jpg", datetime(2019, 7, 4, 12, 34, 56, 789_000)),
            ("MVIMG_20190704_123456.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("Screenshot_2020-01-02-12-34-56.png", datetime(2020, 1, 2, 12, 34, 56)),
            ("Screenshot_20200102-123456_Maps.jpg", datetime(2020, 1, 2, 12, 34, 56)),
            ("Screenshot 2020-01-02 at 12.34.56.png", datetime(2020, 1, 2, 12, 34, 56)),
            ("IMG-20190704-WA0001.jpg", datetime(2019, 7, 4)),
            ("WhatsApp Image 2019-07-04 at 12.34.56.jpeg", datetime(2019, 7, 4, 12, 34, 56)),
            ("2019-07-04 12.34.56.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("2019-07-04T12:34:56.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("signal-2019-07-04-123456.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("signal-2019-07-04-12-34-56-789.jpg", datetime(2019, 7, 4, 12, 34, 56, 789_000)),
            ("BURST20190704123456789_COVER.jpg", datetime(2019, 7, 4, 12, 34, 56, 789_000)),
            ("20190704_123456.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("1935-08-20 Oma.jpg", datetime(1935, 8, 20)),
            ("IMG_20190704_256199.jpg", datetime(2019, 7, 4)),  # no such time: the day alone
        ],
    )
    def test_names_of_cameras_and_messengers_hold_dates(self, name: str, time: datetime) -> None:
        assert dates.from_name(name) == Moment(time)

    def test_a_pixel_phone_names_its_photos_by_utc(self) -> None:
        assert dates.from_name("PXL_20210704_123456789.jpg") == Moment(datetime(2021, 7, 4, 12, 34, 56, 789_000), 0)

    @pytest.mark.parametrize(
        "name",
        ["DSC01234.jpg", "IMG_1234.jpg", "20191304_123456.jpg", "IMG_20190230_101010.jpg", "120190704.jpg",
         "COCO_val2014_000000123456.jpg", "957682378_46c3b07bcd.webp", "19350820.jpg", "photo.jpg", "2019-07.jpg", ""],
    )  # fmt: skip
    def test_other_numbers_are_no_dates(self, name: str) -> None:
        assert dates.from_name(name) is None

    @given(st.text(max_size=60))
    def test_no_name_raises(self, name: str) -> None:
        dates.from_name(name)

    @given(st.text(alphabet="0123456789-_:. TZ+", max_size=40), st.text(alphabet="0123456789:+-Z ", max_size=10))
    def test_no_date_raises(self, text: str, more: str) -> None:
        for moment in (
            dates.from_exif(text, more, more), dates.from_iso(text), dates.from_iptc(text, more), dates.from_name(text)
        ):  # fmt: skip
            dates.believable(moment, NOW, clock=True)


class TestExif:
    def test_subseconds_and_the_offset_are_kept(self) -> None:
        moment = dates.from_exif("2008:05:25 19:31:26", "46", "-03:30")

        assert moment == Moment(datetime(2008, 5, 25, 19, 31, 26, 460_000), -210)

    @pytest.mark.parametrize("offset", ["   :  ", "+25:00", "+02:75", "local", ""])
    def test_a_broken_offset_is_none(self, offset: str) -> None:
        assert dates.from_exif("2008:05:25 19:31:26", "x", offset) == Moment(datetime(2008, 5, 25, 19, 31, 26))

    @pytest.mark.parametrize("minutes", [0, 60, -210, 345, 840])
    def test_an_offset_survives_being_written(self, minutes: int) -> None:
        assert dates.offset_minutes(dates.offset_text(minutes)) == minutes


class TestOtherForms:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2003", Moment(datetime(2003, 1, 1))),
            ("2003-08", Moment(datetime(2003, 8, 1))),
            ("2003-08-06", Moment(datetime(2003, 8, 6))),
            ("2003-08-06T18:04", Moment(datetime(2003, 8, 6, 18, 4))),
            ("2003-08-06T18:04:34.61-05:00", Moment(datetime(2003, 8, 6, 18, 4, 34, 610_000), -300)),
            ("2003-08-06T18:04:34Z", Moment(datetime(2003, 8, 6, 18, 4, 34), 0)),
            ("2003:08:06 18:04:34", Moment(datetime(2003, 8, 6, 18, 4, 34))),
            ("06.08.2003", None),
            ("", None),
        ],
    )
    def test_xmp(self, text: str, moment: Moment | None) -> None:
        assert dates.from_iso(text) == moment

    def test_iptc(self) -> None:
        assert dates.from_iptc("20030806", "180434-0500") == Moment(datetime(2003, 8, 6, 18, 4, 34), -300)
        assert dates.from_iptc("20030806", None) == Moment(datetime(2003, 8, 6))
        assert dates.from_iptc("00000000", "000000+0000") is None


class TestBelievable:
    @pytest.mark.parametrize(
        "time",
        [
            datetime(1970, 1, 1), datetime(1980, 1, 1), datetime(1904, 1, 1), datetime(1998, 1, 1),
            datetime(2000, 1, 1), datetime(1601, 1, 1), NOW + timedelta(days=2), datetime(2063, 4, 5),
        ],
    )  # fmt: skip
    def test_a_clock_that_was_never_set_or_is_ahead_says_no_date(self, time: datetime) -> None:
        assert dates.believable(Moment(time), NOW, clock=True) is None

    @pytest.mark.parametrize(
        "time", [datetime(1950, 1, 1), datetime(2000, 1, 1, 0, 3, 12), datetime(1839, 8, 19), NOW + timedelta(hours=20)]
    )
    def test_old_prints_and_other_time_zones_are_believed(self, time: datetime) -> None:
        assert dates.believable(Moment(time), NOW, clock=True) == Moment(time)

    def test_a_year_that_somebody_wrote_is_no_clock(self) -> None:
        assert dates.believable(Moment(datetime(2000, 1, 1)), NOW) == Moment(datetime(2000, 1, 1))
