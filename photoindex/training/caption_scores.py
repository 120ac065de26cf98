"""How good captions are: BLEU, ROUGE-L and CIDEr against people's, and the captions of a whole split.

The scores are pycocoevalcap's (extra ``train``), the code behind the figures that papers report. Its tokeniser needs
Java; captions are split by :func:`photoindex.captioner.vocabulary.tokenize` instead, references and candidates alike.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from photoindex.captioner.beam import SearchSettings, search
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.grammar import Grammar
from photoindex.captioner.network import CaptionDecoder, PhotoFeatures
from photoindex.captioner.runtime import Runtime
from photoindex.captioner.vocabulary import Vocabulary, tokenize
from photoindex.errors import TrainingError
from photoindex.training.augmentation import load_view
from photoindex.training.datasets import CaptionedPhoto


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """Corpus scores in percent, as papers print them (CIDEr as well: 100 times the CIDEr-D value)."""

    photos: int
    bleu_1: float
    bleu_2: float
    bleu_3: float
    bleu_4: float
    rouge_l: float
    cider: float


def score_captions(captions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """One caption a photo against that photo's reference captions; both lists in the same order.

    CIDEr takes its document frequencies from these references. Raises :class:`TrainingError` without pycocoevalcap.
    """
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError as error:
        raise TrainingError("scores need pycocoevalcap: pip install 'photoindex[train]'") from error
    given = {n: [" ".join(tokenize(caption))] for n, caption in enumerate(captions)}
    people = {n: [" ".join(tokenize(text)) for text in texts] for n, texts in enumerate(references)}
    with contextlib.redirect_stdout(io.StringIO()):  # the scorers print as they go
        bleu, _ = Bleu(4).compute_score(people, given)
        rouge, _ = Rouge().compute_score(people, given)
        cider, _ = Cider().compute_score(people, given)
    b1, b2, b3, b4 = (100 * float(value) for value in bleu)
    return CaptionScores(len(captions), b1, b2, b3, b4, 100 * float(rouge), 100 * float(cider))


def caption_split(
    decoder: CaptionDecoder,
    vocabulary: Vocabulary,
    features_of: Callable[[Sequence[int]], PhotoFeatures],
    photos: Sequence[int],
    settings: SearchSettings,
    *,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Return the best caption of each of these photos, in order; ``features_of`` gives the features of some of them."""
    decoder.eval()
    grammar = Grammar.of(vocabulary.words)
    captions: list[str] = []
    for start in range(0, len(photos), batch):
        with torch.inference_mode():
            features = features_of(photos[start : start + batch])
            for hypotheses in search(decoder, features, settings, grammar):
                captions.append(vocabulary.decode(hypotheses[0].words))
        if progress:
            progress(len(captions), len(photos))
    return captions


def caption_photos(
    checkpoint: Checkpoint,
    photos: Sequence[CaptionedPhoto],
    beam_widths: Sequence[int],
    device: torch.device,
    *,
    engine: str = "auto",
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[str]]:
    """Run a whole model over photos, without a feature cache: for each beam width the best caption of each photo."""
    runtime = Runtime(checkpoint, device, engine=engine, threads=threads)
    size = checkpoint.encoder.preprocessing.size
    captions: list[list[str]] = [[] for _ in beam_widths]
    for start in range(0, len(photos), runtime.batch_size):
        views = [load_view(photo.path, size) for photo in photos[start : start + runtime.batch_size]]
        with torch.inference_mode():
            feature_map = runtime.encode(np.ascontiguousarray(np.stack(views).transpose(0, 2, 3, 1)))
        for collected, width in zip(captions, beam_widths, strict=True):
            settings = dataclasses.replace(checkpoint.search, beam_width=width)
            generated = runtime.generate(*runtime.features_of(feature_map), settings)
            collected += [checkpoint.vocabulary.decode(hypotheses[0].words) for hypotheses in generated]
        if progress:
            progress(min(start + runtime.batch_size, len(photos)), len(photos))
    return captions
