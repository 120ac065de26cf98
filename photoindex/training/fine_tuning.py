"""Fine-tuning the decoder on a person's own captions, so that it speaks of their photos more as they do.

The person's captions are few, and a network that learns them alone forgets the rest. So each step also looks at as many
of the library's other photos, and is held to what the unchanged decoder says of them, word by word with its
probabilities: "Learning without Forgetting" (Li and Hoiem 2016, arXiv:1606.09282) with the soft targets of "Distilling
the Knowledge in a Neural Network" (Hinton et al. 2015, arXiv:1503.02531). Words that the person uses again and again
and the model does not have, such as names, are added to its vocabulary.

Only the decoder changes: what photos are found by besides captions, the labels and learned terms, stays as it was.
Which captions are kept to measure by is decided by the photos' content, so that it stays so when more are added.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from photoindex.captioner.model_files import CARD_FILE, WEIGHTS_FILE
from photoindex.captioner.network import CaptionDecoder, build_decoder
from photoindex.captioner.runtime import Runtime
from photoindex.captioner.vocabulary import Vocabulary, tokenize
from photoindex.catalogue import corrections as store
from photoindex.catalogue.database import Database
from photoindex.errors import PhotoError, TrainingError
from photoindex.media.decode import decode_photo
from photoindex.system.atomic import replace_file
from photoindex.training.caption_scores import caption_split, score_captions
from photoindex.training.captions import FeatureCache, padded
from photoindex.training.features import View, ViewCache
from photoindex.training.loop import Loop, Report, Schedule, TrainingProgress
from photoindex.training.output_folder import check_nothing_is_replaced

FEWEST = 20  # captions; fewer say more of chance than of the person
HELD_OUT = 5  # one photo in so many is measured by and not learned from
LEAST_KNOWN = 30.0  # percent of the words that the base says of other photos
RUN_FILE = "personal.run.safetensors"


@dataclass(frozen=True, slots=True)
class PersonalRecipe:
    """Everything that decides the outcome, besides the library and the model it begins with."""

    epochs: int = 8
    learning_rate: float = 1e-4
    warmup_steps: int = 5
    batch_photos: int = 8  # with a person's caption, and as many without
    most_replayed: int = 500  # photos without a person's caption
    distillation: float = 1.0  # how much what the model knew counts beside what the person says
    label_smoothing: float = 0.1
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    threshold: int = 3  # captions that a new word must be in
    max_words: int = 22  # longer captions are cut
    seed: int = 1


@dataclass(frozen=True, slots=True)
class PersonalPhoto:
    """A photo to learn from: where it is, its content's hash, and the person's caption, if there is one."""

    path: Path
    content_hash: str
    caption: str | None

    @property
    def held_out(self) -> bool:
        return int(self.content_hash[:8], 16) % HELD_OUT == 0


def training_photos(database: Database, most_replayed: int) -> list[PersonalPhoto]:
    """Return the library's photos with a caption by the person, and ``most_replayed`` of the others.

    Raises :class:`TrainingError` when there are too few of the first to learn from, or to measure by.
    """
    with database.read() as connection:
        found = [PersonalPhoto(*row) for row in store.captioned_files(connection)]
    mine = [each for each in found if each.caption is not None]
    if len(mine) < FEWEST:
        raise TrainingError(
            f"{len(mine)} photos with a caption of yours are too few to learn from: at least {FEWEST} are needed; "
            "write some with `photoindex edit FILE --caption TEXT`"
        )
    if not any(each.held_out for each in mine):
        raise TrainingError("no caption of yours falls among those to measure by: write a few more")
    others = sorted((each for each in found if each.caption is None), key=lambda each: each.content_hash)
    return sorted(mine, key=lambda each: each.content_hash) + others[:most_replayed]


def train_personal(
    database: Database,
    base: Path,
    output: Path,
    recipe: PersonalRecipe,
    *,
    device: torch.device,
    max_pixels: int,
    resume: bool = False,
    notice: Callable[[str], None] = lambda _: None,
    progress: Report = lambda _: None,
) -> dict[str, Any]:
    """Fine-tune the model in the folder ``base`` on the library's corrections and write it to ``output``.

    Returns the record, with ``before`` and ``after``: figures of the base and of the result on the same captions and
    photos, which were not learned from; and ``worse``, as :func:`worse_figures` has it. The result is better than its
    base when that is empty.
    Raises :class:`TrainingError`, :class:`photoindex.errors.ModelError` or :class:`photoindex.errors.CatalogueError`.
    """
    _check_output(output, resume)
    photos = training_photos(database, recipe.most_replayed)
    checkpoint = load_checkpoint(base)
    torch.manual_seed(recipe.seed)
    photos, cache = _encode(checkpoint, photos, device, max_pixels, notice, progress)
    stage, captions, vocabulary = _stage_of(checkpoint, photos, cache, recipe, device)
    measured = _Measure(stage, captions, vocabulary, checkpoint.search)
    before = measured.figures(stage.decoder, generator=stage.teacher, vocabulary=checkpoint.vocabulary)
    loop = Loop(
        stage,
        Schedule(recipe.epochs, recipe.batch_photos, recipe.warmup_steps, recipe.clip_norm, recipe.seed),
        output / RUN_FILE,
        {**asdict(recipe), "base": checkpoint.identity, "photos": [each.content_hash for each in photos]},
        report=progress,
    )
    history = loop.run()
    after = measured.figures(stage.decoder.eval())
    record = {
        "recipe": asdict(recipe),
        "base": checkpoint.identity,
        "captions": {"learned": len(stage.learned), "held_out": len(stage.held_out)},
        "replayed": len(stage.replayed) + len(stage.held_out_others),
        "new_words": list(vocabulary.words[len(checkpoint.vocabulary.words) :]),
        "before": before,
        "after": after,
        "worse": worse_figures(before, after),
        **history,
    }
    _write(checkpoint, stage.decoder.to("cpu"), vocabulary, record, base, output)
    (output / RUN_FILE).unlink()  # several times as large as the model
    return record


def _stage_of(
    checkpoint: Checkpoint,
    photos: Sequence[PersonalPhoto],
    cache: FeatureCache,
    recipe: PersonalRecipe,
    device: torch.device,
) -> tuple[PersonalStage, dict[int, str], Vocabulary]:
    """Return what is to be learned, the caption of each photo by its number, and the vocabulary with the new words.

    A photo without a caption by the person has the one that the checkpoint's decoder gives it. Raises
    :class:`TrainingError` when too few photos with one are left.
    """
    mine = [n for n, each in enumerate(photos) if each.caption is not None]
    learned = [n for n in mine if not photos[n].held_out]
    if len(mine) < FEWEST or not learned or len(learned) == len(mine):
        raise TrainingError(f"only {len(mine)} photos with a caption of yours can be read now: too few to learn from")
    others = [n for n, each in enumerate(photos) if each.caption is None]
    words = new_words([photos[n].caption or "" for n in learned], checkpoint.vocabulary, recipe.threshold)
    vocabulary = Vocabulary((*checkpoint.vocabulary.words, *words))
    teacher = checkpoint.decoder.to(device).eval()
    decoder = with_vocabulary(teacher, len(vocabulary)).to(device)
    generated = caption_split(teacher, checkpoint.vocabulary, cache.plain, others, SearchSettings(beam_width=1))
    captions = {n: photos[n].caption or "" for n in mine} | dict(zip(others, generated, strict=True))
    stage = PersonalStage(
        cache,
        {n: vocabulary.encode(text)[: recipe.max_words + 2] for n, text in captions.items()},
        learned,
        [n for n in others if not photos[n].held_out],
        [n for n in mine if photos[n].held_out],
        [n for n in others if photos[n].held_out],
        decoder,
        teacher,
        recipe,
    )
    return stage, captions, vocabulary


def _check_output(output: Path, resume: bool) -> None:
    if (output / WEIGHTS_FILE).exists():
        raise TrainingError(f"{output} already holds a model: name another --output")
    if (output / RUN_FILE).exists() != resume:
        doing = "already holds a training run: go on with --resume" if not resume else "holds no run to resume: begin"
        raise TrainingError(f"{output} {doing}, or name another --output")
    if not resume:
        check_nothing_is_replaced(output)


def worse_figures(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    """Return the figures that speak against a model: of the person's captions those that are not better than before.

    The words in common (``word_f1``) must be more, and what else was measured of these captions not worse; a figure
    that is no number is worse. Of photos without a caption (``known_*``) the base says what it says itself, so that
    nothing can be better there: a model is only against it when it says hardly any of it any more.
    """
    worse = []
    for name, old in before.items():
        new = after.get(name, math.nan)
        if name == "word_f1":
            fine = new > old
        elif name == "known_word_f1":
            fine = new >= LEAST_KNOWN
        elif name.startswith("known_"):
            continue
        else:
            fine = new <= old if name == "perplexity" else new >= old
        if not fine:
            worse.append(name)
    return worse


def new_words(captions: Sequence[str], vocabulary: Vocabulary, threshold: int) -> tuple[str, ...]:
    """Return words that at least ``threshold`` of the captions use and the vocabulary lacks, the most used first."""
    known = set(vocabulary.words)
    counts = Counter(word for caption in captions for word in set(tokenize(caption)) - known)
    return tuple(sorted((word for word, n in counts.items() if n >= threshold), key=lambda w: (-counts[w], w)))


def with_vocabulary(decoder: CaptionDecoder, size: int) -> CaptionDecoder:
    """Return a copy of a decoder with room for more words, which begin as the mean of its own, a little apart."""
    old = decoder.config.vocabulary_size
    wider = build_decoder(dataclasses.replace(decoder.config, vocabulary_size=size))
    state = {}
    for key, value in decoder.state_dict().items():
        if size > old and value.ndim and value.shape[0] == old != wider.state_dict()[key].shape[0]:
            mean = value.mean(0, keepdim=True)
            rows = mean.expand(size - old, *value.shape[1:])
            noise = torch.randn(rows.shape, device="cpu").to(value) * value.std() * 0.1
            state[key] = torch.cat((value, rows + noise))
        else:
            state[key] = value.clone()
    wider.load_state_dict(state)
    return wider


class PersonalStage:
    """A stage of :class:`.loop.Loop`: people's captions, and what the ``teacher`` says of other photos."""

    name = "personal"

    def __init__(
        self,
        cache: FeatureCache,
        encoded: dict[int, list[int]],
        learned: Sequence[int],
        replayed: Sequence[int],
        held_out: Sequence[int],
        held_out_others: Sequence[int],
        decoder: CaptionDecoder,
        teacher: CaptionDecoder,
        recipe: PersonalRecipe,
    ) -> None:
        self.cache, self.encoded, self.decoder, self.teacher, self.recipe = cache, encoded, decoder, teacher, recipe
        self.learned, self.replayed = learned, replayed
        self.held_out, self.held_out_others = held_out, held_out_others

    def modules(self) -> dict[str, nn.Module]:
        return {"decoder": self.decoder}

    def members(self, epoch: int) -> Sequence[int]:
        return self.learned

    def groups(self) -> list[dict[str, Any]]:
        recipe = self.recipe
        return [
            {"params": [*self.decoder.parameters()], "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
        ]

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        logits, targets = self._teacher_forced(self.decoder, photos)
        loss = F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
        shown = float(loss.detach())
        if self.replayed and self.recipe.distillation > 0:
            others = chance.sample(list(self.replayed), min(len(photos), len(self.replayed)))
            loss = loss + self.recipe.distillation * self._distillation(others)
        return loss, shown

    def _distillation(self, photos: Sequence[int]) -> Tensor:
        """Cross entropy of the words' probabilities against the teacher's; the words it lacks have none."""
        with torch.no_grad():
            taught = self._teacher_forced(self.teacher, photos)[0].softmax(1)
        logits = self._teacher_forced(self.decoder, photos)[0].log_softmax(1)
        return -(taught * logits[:, : taught.shape[1]]).sum(1).mean()

    def _teacher_forced(self, decoder: CaptionDecoder, photos: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Teacher forcing on the captions of these photos: return the logits of each of their W words, (W, vocabulary),
        and the words, (W,)."""
        features = self.cache.plain(photos)
        owners, words, lengths, _ = padded([(place, self.encoded[n]) for place, n in enumerate(photos)])
        device = features.regions.device
        logits, targets = decoder(features, owners.to(device), words.to(device), lengths)
        return logits.float(), targets

    @torch.no_grad()
    def cross_entropy(self, decoder: CaptionDecoder, photos: Sequence[int]) -> float:
        """Return the mean negative log-probability of a word of these photos' captions, in nats."""
        total, count = 0.0, 0
        for start in range(0, len(photos), 32):
            logits, targets = self._teacher_forced(decoder, photos[start : start + 32])
            total += float(F.cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
        return total / max(1, count)

    def evaluate(self) -> dict[str, float]:
        """Return figures of the held-out captions. The epoch with the highest ``score`` is kept: that with the least
        cross entropy of both kinds together."""
        mine = self.cross_entropy(self.decoder, self.held_out)
        others = self.cross_entropy(self.decoder, self.held_out_others) if self.held_out_others else 0.0
        found = {"perplexity": round(math.exp(mine), 2), "score": -(mine + self.recipe.distillation * others)}
        if self.held_out_others:
            found["perplexity_known"] = round(math.exp(others), 2)
        return found


class _Measure:
    """The figures before and after, on photos that were not learned from."""

    def __init__(
        self, stage: PersonalStage, captions: dict[int, str], vocabulary: Vocabulary, search: SearchSettings
    ) -> None:
        self._stage, self._captions, self._vocabulary, self._search = stage, captions, vocabulary, search

    def figures(
        self, decoder: CaptionDecoder, *, generator: CaptionDecoder | None = None, vocabulary: Vocabulary | None = None
    ) -> dict[str, float]:
        """Of the person's captions: perplexity, the share of words in common (F1, percent), and CIDEr where
        pycocoevalcap is installed. ``known_*``: the same of other photos, against what the model said of them. The
        captions are those that ``generator`` makes, if given, with its own vocabulary."""
        stage, found = self._stage, dict[str, float]()
        for prefix, photos in (("", stage.held_out), ("known_", stage.held_out_others)):
            if not photos:
                continue
            texts = [self._captions[n] for n in photos]
            settings = dataclasses.replace(self._search, beam_width=1)
            used = vocabulary or self._vocabulary
            generated = caption_split(generator or decoder, used, stage.cache.plain, photos, settings)
            found[prefix + "perplexity"] = round(math.exp(stage.cross_entropy(decoder, photos)), 2)
            found[prefix + "word_f1"] = round(100 * sum(map(word_f1, generated, texts)) / len(texts), 1)
            try:
                found[prefix + "cider"] = round(score_captions(generated, [[text] for text in texts]).cider, 1)
            except TrainingError:  # it is not installed; the rest says enough
                continue
        return found


def word_f1(generated: str, wanted: str) -> float:
    """Return the harmonic mean of the shares of words that two captions have in common, 0 to 1."""
    one, other = Counter(tokenize(generated)), Counter(tokenize(wanted))
    return 2 * (one & other).total() / max(1, one.total() + other.total())


def _encode(
    checkpoint: Checkpoint,
    photos: Sequence[PersonalPhoto],
    device: torch.device,
    max_pixels: int,
    notice: Callable[[str], None],
    progress: Report,
) -> tuple[list[PersonalPhoto], FeatureCache]:
    """Return the photos that can be read, with their features for the decoder, in memory: 0.1 MB each."""
    runtime = Runtime(checkpoint, device)
    size, at_once = checkpoint.encoder.preprocessing.size, runtime.batch_size
    kept: list[PersonalPhoto] = []
    rows: list[NDArray[np.float16]] = []
    shape = (0, 0)
    for start in range(0, len(photos), at_once):
        pixels = []
        for each in photos[start : start + at_once]:
            try:
                pixels.append(decode_photo(each.path, size, max_pixels).pixels)
                kept.append(each)
            except PhotoError as error:
                notice(f"left out: {error}")
        if pixels:
            with torch.inference_mode():
                features = checkpoint.features_of(runtime.encode(np.stack(pixels)))
            shape = (features.regions.shape[1], features.regions.shape[2])
            rows += list(torch.cat((features.regions.flatten(1), features.summary), 1).cpu().numpy().astype(np.float16))
        progress(TrainingProgress("looking", 0, 0, min(start + at_once, len(photos)), len(photos)))
    values = np.stack(rows) if rows else np.zeros((0, 0), np.float16)
    cache = ViewCache([View(each.path) for each in kept], values)
    return kept, FeatureCache(cache, shape, [[n] for n in range(len(kept))], device)


def _write(
    base: Checkpoint,
    decoder: CaptionDecoder,
    vocabulary: Vocabulary,
    record: dict[str, Any],
    folder: Path,
    output: Path,
) -> None:
    tuned = dataclasses.replace(
        base,
        name=output.name,
        decoder=decoder.eval(),
        vocabulary=vocabulary,
        training={**base.training, "personal": record},
        calibration=None,  # it was that of another decoder
        encoder=base.encoder.to("cpu"),
        term_head=None if base.term_head is None else base.term_head.to("cpu"),
    )
    save_checkpoint(tuned, output)
    card = folder / CARD_FILE
    known = card.read_text(encoding="utf-8") if card.is_file() else ""
    figures = "\n".join(
        f"| {name} | {record['before'][name]} | {record['after'].get(name, '')} |" for name in record["before"]
    )
    verdict = f"It is no better than {base.identity} ({', '.join(record['worse'])}).\n\n" if record["worse"] else ""
    replace_file(
        output / CARD_FILE,
        f"# {output.name}\n\n{base.identity}, its decoder fine-tuned on {record['captions']['learned']} captions by "
        f"the owner of a photo library. Measured on {record['captions']['held_out']} captions, and on photos without "
        f"one (known), that it did not learn from:\n\n| | before | after |\n|---|---|---|\n{figures}\n\n{verdict}"
        f"It may say of other photos what is said of these, names included: think before you pass it on.\n\n{known}",
    )
