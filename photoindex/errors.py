"""Every error photoindex raises on purpose.

Each carries one line for the person at the terminal: what failed, which file, what to do next. The command line prints
that line and exits with status 1; a program catches the class it can do something about.

    PhotoindexError
    ├── ConfigError                a setting is missing, misspelt or out of range
    ├── CatalogueError             the catalogue cannot be opened or used
    │   ├── LibraryNotFound        there is no library in that data folder
    │   ├── CatalogueTooNew        a newer photoindex wrote it
    │   ├── CatalogueOutdated      it was upgraded while it was open; or, on a server, it is empty or older
    │   ├── CatalogueDamaged       its file is damaged, no database, or lost
    │   ├── CatalogueReadOnly      it can be read, and may not be written
    │   ├── CatalogueReplaced      its file was deleted, moved or replaced while it was open
    │   └── CatalogueUnavailable   not now: its disk is full or fails, or another program keeps it locked
    ├── FullTextError              the full-text index cannot be used, or another process writes to it
    ├── QueryError                 the query asks for nothing that can be searched
    │   └── InvalidSearch          a limit, an order or another argument of a search is none
    ├── ResultSetGone              the results of a search are no longer kept
    ├── BatchError                 there is no such batch of jobs, or it has ended
    ├── ServiceError               the system does not take the watch as a service
    ├── FolderError                a folder or file the user named cannot be used
    ├── AlbumError                 there is no such album, or one of this name already
    ├── CorrectionError            a caption or a tag cannot be taken, or there is none to lock or to undo
    ├── ExchangeError              an export cannot be read or written
    ├── DecoderUnavailable         no process can be started to decode photos; may pass
    ├── TextReaderUnavailable      text in photos cannot be read: the library for it is missing or does not start
    ├── PhotoError                 this photo cannot be captioned (``.kind`` says why; the rest goes on)
    │   ├── UnreadablePhoto        no permission, or an input/output error; worth another try
    │   │   └── PhotoOutOfReach    the store that holds it gives no answer
    │   ├── EmptyPhoto             the file has no bytes
    │   ├── NotAPhoto              the bytes are no image format that can be read
    │   │   └── UnsupportedPhoto   a photo, in a variant of its format that cannot be read here
    │   │       └── MissingPlugin  a plugin that is not installed reads it
    │   ├── DamagedPhoto           an image, but truncated or corrupt
    │   ├── OversizedPhoto         more pixels than the limit
    │   ├── DecoderCrashed         the decoder died or ran out of time on this file
    │   └── CaptionerFailed        the captioning process died or hung on this photo alone
    ├── ModelError                 the captioning model cannot be used
    │   ├── CheckpointError        files missing, wrong shape, or a different format
    │   │   └── PickleRefused      the weights are a pickle, which can run code; never loaded
    │   ├── DeviceUnavailable      the device asked for is not on this machine
    │   └── CaptionerCrashed       the captioning process died
    │       └── CaptionerHung      the captioning process gave no answer in time
    └── TrainingError              training or evaluation cannot go on
        └── DatasetError           the annotations or photos to train on cannot be read
"""

from __future__ import annotations


class PhotoindexError(Exception):
    """Base of all errors that photoindex raises on purpose; ``str()`` is one line fit to print."""


class ConfigError(PhotoindexError):
    """A setting is missing, misspelt or out of range."""


class CatalogueError(PhotoindexError):
    """The catalogue cannot be opened or used."""


class LibraryNotFound(CatalogueError):
    """There is no library in the data folder that was named."""


class CatalogueTooNew(CatalogueError):
    """A newer photoindex wrote this catalogue; this version must not touch it."""


class CatalogueOutdated(CatalogueError):
    """The catalogue was upgraded while it was open; or, on a server, it is empty or of an older version, and nothing
    upgrades it by itself."""


class CatalogueDamaged(CatalogueError):
    """The catalogue's file is damaged, or is no database at all, or it is gone and its backup is there."""


class CatalogueReadOnly(CatalogueError):
    """The catalogue can be read, but its folder or its disk may not be written."""


class CatalogueReplaced(CatalogueError):
    """The catalogue's file was deleted, moved or replaced while it was open."""


class CatalogueUnavailable(CatalogueError):
    """The catalogue cannot be read or written for now: its disk is full or fails, or another program has it locked.

    What was being written is undone as a whole; the same may work later.
    """


class FullTextError(PhotoindexError):
    """The full-text index cannot be used, or another process is writing to it."""


class QueryError(PhotoindexError):
    """The query asks for nothing that can be searched."""


class InvalidSearch(QueryError, ValueError):
    """An argument of a search is not valid: a negative limit, an order that there is not."""


class ResultSetGone(PhotoindexError):
    """The results of a search are no longer kept: search again."""


class BatchError(PhotoindexError):
    """There is no such batch of jobs, or it has ended."""


class ServiceError(PhotoindexError):
    """The system does not take the watch as a service."""


class FolderError(PhotoindexError):
    """A folder or file that the user named cannot be used."""


class AlbumError(PhotoindexError):
    """There is no such album, or one of this name already."""


class CorrectionError(PhotoindexError):
    """A caption or a tag cannot be taken, or there is none to lock or to undo."""


class ExchangeError(PhotoindexError):
    """An export, or a sidecar, cannot be read or written."""


class DecoderUnavailable(PhotoindexError):
    """No process can be started to decode photos: too little memory, too many processes. The same may work later."""


class TextReaderUnavailable(PhotoindexError):
    """Text in photos cannot be read: the library that reads it is not installed, or does not start."""


class PhotoError(PhotoindexError):
    """One photo cannot be captioned; the others go on.

    ``kind`` is the stable word the failure ledger stores; ``retryable`` says whether the same bytes may work later,
    ``of_machine`` whether they may work on another machine.
    """

    kind = "photo"
    retryable = False
    of_machine = False


class UnreadablePhoto(PhotoError):
    """No permission, or an input/output error: worth another try."""

    kind = "unreadable"
    retryable = True
    of_machine = True


class PhotoOutOfReach(UnreadablePhoto):
    """The store that holds it gives no answer, for a ``reason``: nothing is known of the photo itself, which waits."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class EmptyPhoto(PhotoError):
    """The file has no bytes."""

    kind = "empty"


class NotAPhoto(PhotoError):
    """The bytes are no image format that can be read here."""

    kind = "not-a-photo"


class UnsupportedPhoto(NotAPhoto):
    """A photo as far as is known, in a variant of its format that nothing here reads. It is not damaged."""

    kind = "unsupported"


class MissingPlugin(UnsupportedPhoto):
    """A photo that a plugin reads which is not installed."""

    kind = "missing-plugin"
    of_machine = True


class DamagedPhoto(PhotoError):
    """An image, but truncated or corrupt."""

    kind = "damaged"


class OversizedPhoto(PhotoError):
    """More pixels than the limit allows."""

    kind = "oversized"


class DecoderCrashed(PhotoError):
    """The decoder died or ran out of time on this file."""

    kind = "decoder-crashed"
    retryable = True


class CaptionerFailed(PhotoError):
    """The captioning process died or gave no answer in time when it had this photo alone."""

    kind = "captioner-failed"
    retryable = True


class ModelError(PhotoindexError):
    """The captioning model cannot be used."""


class CheckpointError(ModelError):
    """A checkpoint has files missing, weights of a wrong shape, or another format."""


class PickleRefused(CheckpointError):
    """The weights are a pickle, which can run code when loaded; photoindex reads safetensors only."""


class DeviceUnavailable(ModelError):
    """The device asked for is not on this machine."""


class CaptionerCrashed(ModelError):
    """The captioning process died; what it was working on is tried again."""


class CaptionerHung(CaptionerCrashed):
    """The captioning process gave no answer in time and was ended."""


class TrainingError(PhotoindexError):
    """Training or evaluation cannot go on."""


class DatasetError(TrainingError):
    """The annotations or photos to train on cannot be read."""
