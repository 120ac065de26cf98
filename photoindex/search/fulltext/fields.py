"""The names of the fields of a full-text index that are not among the weighed ones (:mod:`..ranking.weights`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PHOTO_FIELD: Final = "photo"  # the photo's number
FORMS_FIELD: Final = "forms"  # every word of a photo before stemming: what prefixes and fuzzy words are looked up in
HAS_FIELD: Final = "has"  # the facts a photo carries
PATHS_FIELD: Final = "paths"  # the keys of the paths that a photo lies at or below
FILES_FIELD: Final = "files"  # the keys of its files' names, with and without suffix
TAKEN_FIELD: Final = "taken"  # the day, as date.toordinal() counts
PERSON_FIELD: Final = "person"  # what people wrote about a photo
READ_FIELDS: Final = ("text", "unsure_text")  # what was read in a photo
# Fields whose values are compared as they were written: no stems, no synonyms, no stop words left out.
VALUE_FIELDS: Final[Mapping[str, str]] = {
    "tags": "tags_as_written",
    "people": "people_as_written",
    "place": "place_as_written",
    "title": "title_as_written",
}
# The same for fields that are compared as prose, of their values with common words in them, which prose leaves out.
COMMON_FIELDS: Final[Mapping[str, str]] = {
    "names": "names_as_written",
    "camera": "camera_as_written",
    "lens": "lens_as_written",
}
WRITTEN_FIELDS: Final[Mapping[str, str]] = {**VALUE_FIELDS, **COMMON_FIELDS}
BETWEEN: Final = "\x1f"  # the word before the first value of such a field, between two and after the last
