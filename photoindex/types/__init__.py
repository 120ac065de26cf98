"""Value objects that cross package borders. No behaviour beyond what follows from the fields.

The names are imported when first used: a search needs few of them, and making the classes of all takes longer than
asking a library of some thousand photos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.types.files import FileEvent, FileStat, ScannedFile
    from photoindex.types.hit import CaptionSource, Hit, Match, Matched, PhotoFacts, Place, SortKey, TakenSource, Term
    from photoindex.types.photo import (
        Caption,
        Companion,
        Correction,
        CorrectionKind,
        DecodedPhoto,
        Duplicate,
        Photo,
        SidecarStyle,
        Unexported,
        Written,
    )
    from photoindex.types.prediction import Candidate, CaptionerInfo, Label, Prediction
    from photoindex.types.reports import Failure, Finding, ForgetPlan, IndexReport, Progress, Tally
    from photoindex.types.terms import TermVector, TermVocabulary, VectorBatch
    from photoindex.types.text import PhotoText, TextLine

__all__ = [
    "Candidate",
    "Caption",
    "CaptionSource",
    "CaptionerInfo",
    "Companion",
    "Correction",
    "CorrectionKind",
    "DecodedPhoto",
    "Duplicate",
    "Failure",
    "FileEvent",
    "FileStat",
    "Finding",
    "ForgetPlan",
    "Hit",
    "IndexReport",
    "Label",
    "Match",
    "Matched",
    "Photo",
    "PhotoFacts",
    "PhotoText",
    "Place",
    "Prediction",
    "Progress",
    "ScannedFile",
    "SidecarStyle",
    "SortKey",
    "TakenSource",
    "Tally",
    "Term",
    "TermVector",
    "TermVocabulary",
    "TextLine",
    "Unexported",
    "VectorBatch",
    "Written",
]

_HOMES = {
    "photoindex.types.files": ("FileEvent", "FileStat", "ScannedFile"),
    "photoindex.types.hit": (
        "CaptionSource",
        "Hit",
        "Match",
        "Matched",
        "PhotoFacts",
        "Place",
        "SortKey",
        "TakenSource",
        "Term",
    ),
    "photoindex.types.photo": (
        "Caption",
        "Companion",
        "Correction",
        "CorrectionKind",
        "DecodedPhoto",
        "Duplicate",
        "Photo",
        "SidecarStyle",
        "Unexported",
        "Written",
    ),
    "photoindex.types.prediction": ("Candidate", "CaptionerInfo", "Label", "Prediction"),
    "photoindex.types.reports": ("Failure", "Finding", "ForgetPlan", "IndexReport", "Progress", "Tally"),
    "photoindex.types.terms": ("TermVector", "TermVocabulary", "VectorBatch"),
    "photoindex.types.text": ("PhotoText", "TextLine"),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(__name__, {name: home for home, names in _HOMES.items() for name in names})
