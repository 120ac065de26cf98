"""The version of the reader of metadata. Photos that an older one read are read again, without being captioned."""

from typing import Final

# Raise it when more is read of a photo, a sidecar or a name than before, or otherwise.
READER_VERSION: Final = 5
