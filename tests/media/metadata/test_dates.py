"""Dates in metadata and in names; and what is no date."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import PurePosixPath

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

    @pytest.mark.parametrize(
        ("name", "time"),
        [
            ("Screenshot 2020-01-02 at 11.04.05 PM.png", datetime(2020, 1, 2, 23, 4, 5)),
            ("Screen Shot 2020-01-02 at 9.05.03 AM (2).png", datetime(2020, 1, 2, 9, 5, 3)),
            ("Screenshot 2020-01-02 at 12.00.01 AM.png", datetime(2020, 1, 2, 0, 0, 1)),
            ("Screenshot 2020-01-02 at 12.00.01 PM.png", datetime(2020, 1, 2, 12, 0, 1)),
            ("Screenshot 2024-08-19 at 6.48.53\u202fPM.png", datetime(2024, 8, 19, 18, 48, 53)),
            ("Screenshot 2020-01-02 18.48.53 pm.png", datetime(2020, 1, 2, 18, 48, 53)),
            ("Screenshot from 2020-01-02 12-34-56.png", datetime(2020, 1, 2, 12, 34, 56)),
            ("Screenshot 2020-01-02 123456.png", datetime(2020, 1, 2, 12, 34, 56)),
            ("2020-01-02 9.05.03.jpg", datetime(2020, 1, 2, 9, 5, 3)),
            ("2020-01-02_9-05-03.jpg", datetime(2020, 1, 2, 9, 5, 3)),
            ("20240819_184853.jpg", datetime(2024, 8, 19, 18, 48, 53)),
            ("20240819184853.jpg", datetime(2024, 8, 19, 18, 48, 53)),
            ("20240819_184853(0).jpg", datetime(2024, 8, 19, 18, 48, 53)),
            ("photo_2021-08-19_18-48-53.jpg", datetime(2021, 8, 19, 18, 48, 53)),
            ("WhatsApp Image 2021-08-19 at 6.48.53 PM.jpeg", datetime(2021, 8, 19, 18, 48, 53)),
            ("WhatsApp Bild 2021-08-19 um 18.48.53.jpeg", datetime(2021, 8, 19, 18, 48, 53)),
            ("Bildschirmfoto 2021-08-19 um 18.48.53.png", datetime(2021, 8, 19, 18, 48, 53)),
            ("Capture d’écran 2021-08-19 à 18.48.53.png", datetime(2021, 8, 19, 18, 48, 53)),
            ("Capture d’écran 2021-08-19 a\u0300 18.48.53.png", datetime(2021, 8, 19, 18, 48, 53)),
            ("Captura de pantalla 2021-08-19 a las 6.48.53 p. m..png", datetime(2021, 8, 19, 18, 48, 53)),
            ("Schermata 2021-08-19 alle 18.48.53.png", datetime(2021, 8, 19, 18, 48, 53)),
            ("Schermafbeelding 2021-08-19 om 18.48.53.png", datetime(2021, 8, 19, 18, 48, 53)),
            ("Captura de Ecrã 2021-08-19 às 18.48.53.png", datetime(2021, 8, 19, 18, 48, 53)),
            ("2021-08-19 18h48m53.jpg", datetime(2021, 8, 19, 18, 48, 53)),
            ("2021-08-19 Oma 12.10.05.jpg", datetime(2021, 8, 19)),  # no clock behind any word
            ("2021-08-19 at 25.00.00.jpg", datetime(2021, 8, 19)),
            ("20190704_123456 Amalia.jpg", datetime(2019, 7, 4, 12, 34, 56)),  # no AM
        ],
    )
    def test_names_of_screenshots_and_of_clocks_with_two_halves(self, name: str, time: datetime) -> None:
        assert dates.from_name(name) == Moment(time)

    @pytest.mark.parametrize(
        ("name", "time"),
        [
            ("スクリーンショット 2019-07-04 午後9.05.03.png", datetime(2019, 7, 4, 21, 5, 3)),
            ("スクリーンショット 2019-07-04 午前9.05.03.png", datetime(2019, 7, 4, 9, 5, 3)),
            ("截屏2019-07-04 下午9.05.03.png", datetime(2019, 7, 4, 21, 5, 3)),
            ("截屏2019-07-04 上午12.05.03.png", datetime(2019, 7, 4, 0, 5, 3)),
            ("스크린샷 2019-07-04 오후 9.05.03.png", datetime(2019, 7, 4, 21, 5, 3)),
            ("2019年07月04日.jpg", datetime(2019, 7, 4)),
            ("2019年7月4日 12時34分56秒.jpg", datetime(2019, 7, 4, 12, 34, 56)),
            ("2019年07月04日 下午9.05.03.png", datetime(2019, 7, 4, 21, 5, 3)),
            ("2019년 7월 4일.jpg", datetime(2019, 7, 4)),
            ("1935年8月20日.jpg", datetime(1935, 8, 20)),
        ],
    )
    def test_names_in_east_asian_languages(self, name: str, time: datetime) -> None:
        assert dates.from_name(name) == Moment(time)

    @pytest.mark.parametrize(
        ("name", "time"),
        [
            ("Screenshot 2019-07-04 at 9.05 PM.png", datetime(2019, 7, 4, 21, 5)),
            ("WhatsApp Image 2019-07-04 at 18.48 (1).jpeg", datetime(2019, 7, 4, 18, 48)),
            ("IMG_20190704_1234.jpg", datetime(2019, 7, 4, 12, 34)),
            ("20190704_1234-edited.jpg", datetime(2019, 7, 4, 12, 34)),
            ("20190704 0905pm.jpg", datetime(2019, 7, 4, 21, 5)),
            ("20190704 09-05", datetime(2019, 7, 4, 9, 5)),
            ("2019-07-04 09.05 (2).jpg", datetime(2019, 7, 4, 9, 5)),
            ("IMG_201907041234.jpg", datetime(2019, 7, 4, 12, 34)),
            ("2019-07-04 12.50 Rewe.jpg", datetime(2019, 7, 4)),  # a price
            ("2019-07-04 10-12-2021.jpg", datetime(2019, 7, 4)),  # another day
            ("2019-07-04_0112.jpg", datetime(2019, 7, 4)),  # the number of a photo
            ("20190704_0012.jpg", datetime(2019, 7, 4)),
            ("20190704_1920x1080.jpg", datetime(2019, 7, 4)),
            ("20190704_1080p.jpg", datetime(2019, 7, 4)),
            ("IMG_20190704_9999.jpg", datetime(2019, 7, 4)),
        ],
    )
    def test_names_with_hours_and_minutes_alone(self, name: str, time: datetime) -> None:
        assert dates.from_name(name) == Moment(time)

    def test_a_pixel_phone_names_its_photos_by_utc(self) -> None:
        assert dates.from_name("PXL_20210704_123456789.jpg") == Moment(datetime(2021, 7, 4, 12, 34, 56, 789_000), 0)

    @pytest.mark.parametrize(
        "name",
        ["DSC01234.jpg", "IMG_1234.jpg", "20191304_123456.jpg", "IMG_20190230_101010.jpg", "120190704.jpg",
         "COCO_val2014_000000123456.jpg", "957682378_46c3b07bcd.webp", "19350820.jpg", "photo.jpg", "2019-07.jpg", "",
         "IMG_201907049999.jpg", "2019年13月4日.jpg"],
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

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2008:05:25 24:08:19", Moment(datetime(2008, 5, 25))),
            ("2008:05:25 25:61:61", Moment(datetime(2008, 5, 25))),
            ("2008:05:25 19:60:00", Moment(datetime(2008, 5, 25))),
            ("2008:05:25 19:31:60", Moment(datetime(2008, 5, 25, 19, 31, 59))),
            ("2008:05:25 19:31:61", Moment(datetime(2008, 5, 25, 19, 31, 59))),
            ("2008:05:25 19:31:99", Moment(datetime(2008, 5, 25, 19, 31))),
            ("2008:05:25 19:31", Moment(datetime(2008, 5, 25, 19, 31))),
            ("2008:05:25   :  :  ", Moment(datetime(2008, 5, 25))),
            ("2008:05:25", Moment(datetime(2008, 5, 25))),
            ("2008:05:00 00:00:00", Moment(datetime(2008, 5, 1))),
            ("2008:05:     :  :  ", Moment(datetime(2008, 5, 1))),
            ("2008:00:00 00:00:00", Moment(datetime(2008, 1, 1))),
            ("2008:  :     :  :  ", Moment(datetime(2008, 1, 1))),
            ("2021:08:19 18:48:53Z", Moment(datetime(2021, 8, 19, 18, 48, 53), 0)),
            ("2021:08:19 18:48:53+02:00", Moment(datetime(2021, 8, 19, 18, 48, 53), 120)),
            ("2021:08:19 18:48:53-0330", Moment(datetime(2021, 8, 19, 18, 48, 53), -210)),
            ("2021:08:19 18:48:53.25 +02", Moment(datetime(2021, 8, 19, 18, 48, 53, 250_000), 120)),
            ("2021:08:19 06:48:53 PM", Moment(datetime(2021, 8, 19, 18, 48, 53))),
            ("1850:01:02 03:04:05", Moment(datetime(1850, 1, 2, 3, 4, 5))),
            ("2021-08-19T18:48-05:00", Moment(datetime(2021, 8, 19, 18, 48), -300)),
            ("20210819T184853Z", Moment(datetime(2021, 8, 19, 18, 48, 53), 0)),
            ("2021-08-19 18:48:53 UTC", Moment(datetime(2021, 8, 19, 18, 48, 53), 0)),
            ("2019: 7: 4 12:34:56", Moment(datetime(2019, 7, 4, 12, 34, 56))),
            ("2019:07: 4  9:05:03", Moment(datetime(2019, 7, 4, 9, 5, 3))),
            ("2019 07 04 12:34:56", Moment(datetime(2019, 7, 4, 12, 34, 56))),
            ("2019 7 4", Moment(datetime(2019, 7, 4))),
            ("2019 12:34:56", Moment(datetime(2019, 1, 1))),
            ("2019-07 12:34:56", Moment(datetime(2019, 7, 1))),
            ("20190704123456", Moment(datetime(2019, 7, 4, 12, 34, 56))),
            ("2019:07:04 下午 9:05:03", Moment(datetime(2019, 7, 4, 21, 5, 3))),
            ("2019:07:04 上午 12:05:03", Moment(datetime(2019, 7, 4, 0, 5, 3))),
            ("2019:07:04 午後9:05:03", Moment(datetime(2019, 7, 4, 21, 5, 3))),
            ("2019:07:04 오후 9:05:03", Moment(datetime(2019, 7, 4, 21, 5, 3))),
            ("2019年7月4日 下午 1:02:03", Moment(datetime(2019, 7, 4, 13, 2, 3))),
            ("2008:13:01 10:00:00", None),
            ("2008:02:30 10:00:00", None),
            ("0000:05:25 10:00:00", None),
        ],
    )
    def test_what_is_known_of_a_date_is_kept(self, text: str, moment: Moment | None) -> None:
        assert dates.from_exif(text) == moment

    @pytest.mark.parametrize("text", ["2008:00:00 00:00:00", "2008:01:00 00:00:00", "2008:  :     :  :  "])
    def test_a_date_without_a_day_is_no_clock_that_was_never_set(self, text: str) -> None:
        assert dates.believable(dates.from_exif(text), NOW, clock=True) == Moment(datetime(2008, 1, 1))

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
        midnight = dates.from_iptc("20030806", "000000")
        assert midnight is not None
        assert midnight.known is dates.Known.DAY
        assert dates.from_iptc("00000000", "000000+0000") is None


class TestFolders:
    @pytest.mark.parametrize(
        ("folder", "time"),
        [
            ("2019/08", datetime(2019, 8, 1)),
            ("2019/08/14", datetime(2019, 8, 14)),
            ("2019/08 August", datetime(2019, 8, 1)),
            ("2019/08-August/14 Lisbon", datetime(2019, 8, 14)),
            ("2019/August", datetime(2019, 8, 1)),
            ("2019/aug", datetime(2019, 8, 1)),
            ("2019-08 Portugal", datetime(2019, 8, 1)),
            ("2019_08", datetime(2019, 8, 1)),
            ("2019.08/best", datetime(2019, 8, 1)),
            ("2019/2019-08-14 Lisbon", datetime(2019, 8, 14)),
            ("2019/2018-12-31", datetime(2018, 12, 31)),
            ("20190814", datetime(2019, 8, 14)),
            ("2019", datetime(2019, 1, 1)),
            ("2019/Summer", datetime(2019, 1, 1)),
            ("1931/05", datetime(1931, 5, 1)),
            ("2019/13", datetime(2019, 1, 1)),  # no month: the year alone
            ("2019/06/31 x", datetime(2019, 6, 1)),  # no day: the month alone
            ("2019/02/30 birthday", datetime(2019, 2, 1)),
            ("2019-02/30 birthday", datetime(2019, 2, 1)),
            ("2019/06/99", datetime(2019, 6, 1)),
        ],
    )
    def test_years_months_and_days(self, folder: str, time: datetime) -> None:
        assert dates.from_folders(PurePosixPath("/home/ana/photos") / folder) == Moment(time)

    @pytest.mark.parametrize(
        "folder",
        ["", "best", "08", "August", "1920x1080", "2019 backup", "100CANON", "12345678", "2019-13 x", "20190230",
         "2019/a/b/c", "IMG_2019"],
    )  # fmt: skip
    def test_other_names_date_nothing(self, folder: str) -> None:
        assert dates.from_folders(PurePosixPath("/home/ana/photos") / folder) is None

    @given(st.lists(st.text(alphabet="0123456789-_. abAugust", max_size=12), max_size=5))
    def test_no_name_raises(self, names: list[str]) -> None:
        dates.from_folders(PurePosixPath(*names))


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
