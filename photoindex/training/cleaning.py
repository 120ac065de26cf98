"""Which captions found beside pictures say what a person would see in them."""

from __future__ import annotations

import re

from photoindex.captioner.vocabulary import tokenize

FEWEST_WORDS = 4
# Words of agencies and shops, and numbers (years, models, prices): nobody sees them in a photo. Pictures that were no
# photos are left out with them: vectors, illustrations, screenshots.
_UNSEEN = re.compile(
    r"\b(stock|royalty|vectors?|illustrations?|for sale|photo(graph|graphy)?s?|images? of|images|pictures? of|"
    r"shutterstock|getty|alamy|thumbnail|logos?|wallpaper|video|clip ?art|screenshots?|lyrics|pdf)\b|\d{2,}"
)


def is_plain(caption: str) -> bool:
    """Whether a caption is a sentence about what is seen, and about nothing else."""
    text = caption.lower()
    return len(tokenize(text)) >= FEWEST_WORDS and not _UNSEEN.search(text)
