"""Photos to pixels: Pillow and its plugins, kept in worker processes that can be killed without harm.

Nothing here writes to a photo, and nothing here needs torch, the catalogue or the full-text index.
"""

from photoindex.media.decode.photo import (
    decode_photo,
    decode_with_thumbnails,
    describe_photo,
    make_thumbnails,
)
from photoindex.media.decode.readers import list_readers, readable_formats
from photoindex.media.decode.workers import Decoder, Decoding

__all__ = [
    "Decoder",
    "Decoding",
    "decode_photo",
    "decode_with_thumbnails",
    "describe_photo",
    "list_readers",
    "make_thumbnails",
    "readable_formats",
]
