"""Where the terms of a photo come from: what :attr:`.hit.Term.source` may be."""

from __future__ import annotations

from typing import Final

TAG_SOURCE: Final = "tag"  # said by the user
KEYWORD_SOURCE: Final = "keyword"  # this and the next three: read with the photo
PERSON_SOURCE: Final = "person"
PLACE_SOURCE: Final = "place"
TITLE_SOURCE: Final = "title"
LABEL_SOURCE: Final = "label"  # an object that the encoder recognised, and the kinds that it belongs to
KIND_SOURCE: Final = "kind"
LEARNED_SOURCE: Final = "model"  # predicted by the term head
WRITTEN_SOURCES: Final = (TAG_SOURCE, KEYWORD_SOURCE)  # what people call tags, whoever wrote them
