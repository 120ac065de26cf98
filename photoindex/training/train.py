"""Training a model from photos with captions, in stages that each survive a kill.

1. words     the encoder's tail and the term head learn which words people use for a photo (terms.py)
2. language  the decoder learns to speak, from captions without photos (captions.py, text_only.py); left out by default
3. captions  the decoder learns to say what people say of photos (captions.py)
4. reward    the decoder learns to agree with people as a whole (captions.py); left out by default

Before the first, the trunk's maps of all views are computed, before the second the regions of the tuned encoder
(encoded_views.py). ``output`` gets the model after each later stage; ``output/<stage>.run.safetensors`` holds the run
of a stage.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.checkpoint import Checkpoint, save_checkpoint
from photoindex.captioner.encoders import ENCODERS, build_encoder, fold_batch_norm, unfold_batch_norm
from photoindex.captioner.network import (
    CaptionDecoder,
    DecoderConfig,
    PhotoFeatures,
    TermHead,
    TermHeadConfig,
    build_decoder,
)
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.errors import TrainingError
from photoindex.training.captions import (
    FURTHER,
    TUTORIAL,
    CaptionRecipe,
    CaptionStage,
    FeatureCache,
    LanguageRecipe,
    LanguageStage,
    RewardRecipe,
    RewardStage,
    StageInputs,
    Texts,
)
from photoindex.training.cleaning import is_plain
from photoindex.training.cooccurrence import read_texts, term_embeddings
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.encoded_views import TAIL_BATCH, EncodedViews
from photoindex.training.features import ViewCache
from photoindex.training.growing import grown_decoder
from photoindex.training.loop import AVERAGING, Loop, Report, Schedule, Stage
from photoindex.training.output_folder import check_nothing_is_replaced
from photoindex.training.persons import fit_somebody, persons_in
from photoindex.training.pretrained import imagenet_labels, load_pretrained
from photoindex.training.sentences import SentenceEncoder
from photoindex.training.terms import TermRecipe, TermStage, TermVocabularyBuilder
from photoindex.training.text_only import Imagination

LICENCE = "weights Apache-2.0; see MODEL_CARD.md for the licences of the training data"
RUN_SUFFIX = ".run.safetensors"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a run, besides the data. Recorded in the checkpoint.

    A stage of 0 epochs is left out: without ``words`` the encoder stays as released and the model has no term head.
    """

    encoder: str = "efficientnet_lite2"
    views: int = 4  # of each training photo: the plain one and varied ones
    words: TermRecipe = field(default_factory=TermRecipe)
    language: LanguageRecipe = field(default_factory=LanguageRecipe)
    captions: CaptionRecipe = field(default_factory=CaptionRecipe)
    reward: RewardRecipe = field(default_factory=RewardRecipe)


RECIPES = {
    "attention": Recipe(),
    "pooled": Recipe(
        views=1,
        words=dataclasses.replace(TermRecipe(), epochs=0),
        captions=TUTORIAL,
        reward=dataclasses.replace(RewardRecipe(), epochs=0),
    ),
    "further": Recipe(views=1, words=dataclasses.replace(TermRecipe(), epochs=0), captions=FURTHER),
}
# Chosen on the validation photos of all data sets together; the model card has the figures.
SEARCH = SearchSettings(doubt=0.6, doubt_below=-1.0, doubt_persons_below=1.0)


def train(
    photos: Sequence[CaptionedPhoto],
    recipe: Recipe,
    output: Path,
    *,
    name: str,
    device: torch.device,
    cache_folder: Path | None = None,
    encoder_weights: Path | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 300.0,
    noisy: Sequence[CaptionedPhoto] = (),
    labelled: Sequence[CaptionedPhoto] = (),
    texts: Sequence[Path] = (),
    start: Checkpoint | None = None,
    sources: Sequence[str] = (),
    progress: Report = lambda _: None,
) -> dict[str, Any]:
    """Train on the photos whose split is ``train``, choose epochs on those of ``val``; write to ``output``.

    A photo that is listed N times is seen N times an epoch. ``noisy`` are further photos whose captions were made by
    machines or found beside them, ``labelled`` ones with a label in the place of a caption: a share of them is seen in
    each epoch; ``labelled`` ones teach captions only. ``texts`` are files of captions without photos, a line each: the
    terms' first embeddings and the decoder's language are learnt from them. ``start`` is a model whose encoder and
    terms stay as they are and whose decoder goes on learning, with further words.
    Without validation photos the last epochs are kept.
    ``checkpoint_seconds`` is the most work a kill can cost.
    Returns the training record. Raises :class:`TrainingError` for an unknown encoder, no training photos, a folder that
    already holds a run when ``resume`` is not given, or a run made with another recipe or other data when it is.
    """
    if recipe.encoder not in ENCODERS:
        raise TrainingError(f"unknown encoder {recipe.encoder!r}: choose {', '.join(ENCODERS)}")
    # A data set named several times is trained on as often: its features are computed once all the same.
    counted = Counter(photo.path for photo in photos)
    photos = list({photo.path: photo for photo in photos}.values())
    extra = [photo for photo in noisy if photo.split in ("train", "val") and photo.path not in counted]
    things = [photo for photo in labelled if photo.split == "train" and photo.path not in counted]
    if not any(photo.split == "train" for photo in photos):
        raise TrainingError("no photos of the split `train` in the data")
    runs = sorted(output.glob(f"*{RUN_SUFFIX}"))
    if runs and not resume:
        raise TrainingError(f"{output} already holds a training run: go on with --resume, or name another --output")
    if not resume:
        check_nothing_is_replaced(output)
    if resume and not runs:
        raise TrainingError(f"nothing to resume in {output}: there is no *{RUN_SUFFIX}")
    repeats = [counted[photo.path] for photo in photos]
    everything = [*photos, *extra, *things]
    noisy_numbers = frozenset(n for n in range(len(photos), len(photos) + len(extra)) if everything[n].split == "train")
    run = _Training(
        everything,
        [*repeats, *[0] * (len(extra) + len(things))],
        noisy_numbers,
        frozenset(range(len(photos) + len(extra), len(everything))),
        recipe,
        output,
        name,
        device,
    )
    run.start = start
    run.record["data"]["sources"] = list(sources)
    run.texts = texts
    run.checkpoint_seconds, run.report = checkpoint_seconds, progress
    run.cache_folder = cache_folder or output / "features"
    return run.run(encoder_weights)


class _Training:
    """One run of all stages."""

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        repeats: Sequence[int],
        noisy: frozenset[int],
        labelled: frozenset[int],
        recipe: Recipe,
        output: Path,
        name: str,
        device: torch.device,
    ) -> None:
        self.photos, self.repeats, self.recipe = photos, repeats, recipe
        self.output, self.name, self.device = output, name, device
        self.cache_folder = output
        self.texts: Sequence[Path] = ()
        self.checkpoint_seconds = 300.0
        self.report: Report = lambda _: None
        trained = [(photo, n) for photo, n in zip(photos, repeats, strict=True) if photo.split == "train"]
        self.noisy, self.labelled = noisy, labelled
        self.start: Checkpoint | None = None
        self.record: dict[str, Any] = {
            "recipe": asdict(recipe),
            "data": {
                "photos": sum(n for _, n in trained),
                "captions": sum(n * len(photo.captions) for photo, n in trained),
                "noisy_photos": len(self.noisy),
                "labelled_photos": len(self.labelled),
            },
            "stages": {},
        }

    def run(self, encoder_weights: Path | None) -> dict[str, Any]:
        torch.manual_seed(self.recipe.captions.seed)
        self.head: TermHead | None = None
        self.terms: tuple[str, ...] = ()
        if self.start is None:
            self.encoder = build_encoder(self.recipe.encoder)
            self.origin = load_pretrained(self.encoder, self.recipe.encoder, encoder_weights)
        else:
            self.encoder, self.head, self.terms = self.start.encoder, self.start.term_head, self.start.terms
            self.origin = f"the weights of {self.start.identity}"
        self.record["encoder_weights"] = self.origin
        # What trains and computes is folded; what is saved keeps the form of the released weights.
        self.folded = copy.deepcopy(self.encoder).eval()
        fold_batch_norm(self.folded)
        self.folded.to(self.device).to(memory_format=torch.channels_last)
        encoded = EncodedViews(
            self.photos,
            [self._views(n) for n in range(len(self.photos))],
            self.folded,
            self.recipe.captions.grid,
            self.cache_folder,
            self.device,
            self.report,
        )
        maps = encoded.trunk_maps(self.origin)
        tuned = self.origin
        if self.recipe.words.epochs and self.start is None:
            tuned = self._learn_words(maps, encoded.places)
        members = [n for n, photo in enumerate(self.photos) if photo.split in ("train", "val")]
        self._learn_captions(encoded.features(maps, members, tuned, self.head))
        return self.record

    def _views(self, number: int) -> int:
        if self.photos[number].split != "train":
            return 1
        return min(2, self.recipe.views) if number in self.noisy | self.labelled else self.recipe.views

    # ---- stages ----------------------------------------------------------------------------------

    def _learn_words(self, maps: ViewCache, places: Sequence[Sequence[int]]) -> str:
        """Train the tail and the term head; returns the identity of the tuned weights."""
        recipe = self.recipe.words
        trained = [self.photos[n] for n in self._trained() if n not in self.labelled]
        by_people = [self.photos[n] for n in self._trained() if n not in self.noisy | self.labelled]
        vocabulary = TermVocabularyBuilder.from_captions(
            (c for photo in trained for c in photo.captions),
            (c for photo in by_people for c in photo.captions),
            recipe.threshold,
            recipe.pair_threshold,
        )
        if not len(vocabulary):
            raise TrainingError(f"no word occurs in {recipe.threshold} captions: too little data to learn terms from")
        self.terms = vocabulary.terms
        width = self.encoder.feature_dim
        self.head = TermHead(TermHeadConfig(len(vocabulary), width, recipe.hidden_size, recipe.dropout)).to(self.device)
        if self.texts:
            captions = [vocabulary.encode(c) for photo in trained for c in photo.captions]
            captions += [vocabulary.encode(c) for c in read_texts(self.texts)]
            self.head.begin_at(term_embeddings(captions, len(vocabulary), recipe.hidden_size, recipe.seed))
        known = [photo if n not in self.labelled else dataclasses.replace(photo, captions=())
                 for n, photo in enumerate(self.photos)]  # a label is no caption: it is not asked for  # fmt: skip
        stage = TermStage(
            known, self.repeats, self.noisy, places, maps, self.folded, self.head, vocabulary, recipe, self.device
        )
        self._loop(stage, recipe)
        self.head.eval()
        self.folded.eval()
        # The strongest impact met sets the steps of the stored ones.
        self.head.config = dataclasses.replace(self.head.config, scale=stage.greatest_impact() / 255)
        unfold_batch_norm(self.folded.to("cpu"), self.encoder)
        self.folded.to(self.device)
        digest = hashlib.sha256()
        for module in stage.modules().values():
            for value in module.state_dict().values():
                digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def _trained(self) -> list[int]:
        return [n for n, photo in enumerate(self.photos) if photo.split == "train"]

    def _learn_captions(self, seen: FeatureCache) -> None:
        recipe = self.recipe.captions
        texts = list(read_texts(self.texts)) if self.head is not None else []
        vocabulary = self._vocabulary(texts)
        torch.manual_seed(recipe.seed)
        decoder = self._decoder(vocabulary, seen).to(self.device)
        inputs = StageInputs(self.photos, self.repeats, seen, decoder, vocabulary, self.device)
        imagined = None
        if texts and (recipe.text_captions or self.recipe.language.epochs):
            imagined = self._imagine(texts, vocabulary, seen)
        if imagined is not None and self.recipe.language.epochs:
            self._loop(LanguageStage(inputs, imagined, self.recipe.language), self.recipe.language)
        texts_beside = imagined if recipe.text_captions else None
        self._in_runs(
            lambda run: CaptionStage(inputs, run, noisy=self.noisy, labelled=self.labelled, texts=texts_beside),
            decoder,
        )
        self._learn_persons(seen)
        self._write(decoder, vocabulary)
        if self.recipe.reward.epochs:
            self._loop(RewardStage(inputs, self.recipe.reward), self.recipe.reward)
            self._write(decoder, vocabulary)

    def _learn_persons(self, seen: FeatureCache) -> None:
        """Have the term head tell photos with a human being; a labelled photo counts as one without."""
        with_persons = {n: persons_in(self.photos[n].captions) for n in self._trained()}
        numbers = [n for n, present in with_persons.items() if present is not None]
        if self.head is None or len({with_persons[n] for n in numbers}) < 2:
            return
        summaries = torch.cat(
            [seen.plain(numbers[n : n + TAIL_BATCH]).summary.cpu() for n in range(0, len(numbers), TAIL_BATCH)]
        )
        weights = torch.tensor([float(max(1, self.repeats[n])) for n in numbers])
        present = torch.tensor([with_persons[n] for n in numbers])
        head = TermHead(dataclasses.replace(self.head.config, somebody=True))
        head.load_state_dict(self.head.state_dict(), strict=False)
        head.somebody = fit_somebody(summaries, present, weights)
        self.head = head.eval().to(self.device)

    def _in_runs(self, stage_of: Callable[[CaptionRecipe], CaptionStage], decoder: CaptionDecoder) -> None:
        """Train the decoder several times from where it is, and leave the mean of the runs' weights in it.

        Runs that begin at one point end in one valley, whose middle is better than its slopes ("Model soups", Wortsman
        et al. 2022, arXiv:2203.05482).
        """
        recipe = self.recipe.captions
        begun = {key: value.clone() for key, value in decoder.state_dict().items()}
        total = {key: torch.zeros_like(value) for key, value in begun.items()}
        for number in range(recipe.runs):
            decoder.load_state_dict(begun)
            run = dataclasses.replace(recipe, seed=recipe.seed + number)
            stage = stage_of(run)
            if number:
                stage.name = f"captions-{number + 1}"
            self._loop(stage, run)
            for key, value in decoder.state_dict().items():
                total[key] += value / recipe.runs
        decoder.load_state_dict(total)

    def _vocabulary(self, texts: Sequence[str]) -> Vocabulary:
        """The words of the model to go on from, then those that are frequent enough in captions, labels or texts."""
        recipe = self.recipe.captions
        trained = self._trained()
        people = [n for n in trained if n not in self.noisy | self.labelled]
        chosen = Vocabulary.from_captions(
            (c for n in people for _ in range(self.repeats[n]) for c in self.photos[n].captions),
            recipe.threshold,
            texts,
            self.recipe.language.threshold,
        ).words
        plain = (c for n in sorted(self.noisy) for c in self.photos[n].captions if is_plain(c))
        if recipe.noisy_share:
            chosen += Vocabulary.from_captions(plain, recipe.noisy_threshold).words
        if recipe.labelled_share:
            labels = (c for n in sorted(self.labelled) for c in self.photos[n].captions)
            chosen += Vocabulary.from_captions(labels, recipe.threshold).words
        if self.start is not None:
            chosen = self.start.vocabulary.words + chosen
        return Vocabulary(list(dict.fromkeys(chosen)))

    def _decoder(self, vocabulary: Vocabulary, seen: FeatureCache) -> CaptionDecoder:
        """The decoder that learning captions begins with."""
        recipe = self.recipe.captions
        if self.start is not None:
            return grown_decoder(
                self.start.decoder, self.start.vocabulary, vocabulary, SentenceEncoder.load(), recipe.dropout
            )
        return build_decoder(
            DecoderConfig(
                recipe.decoder, len(vocabulary), seen.channels, seen.summary_dim, recipe.hidden_size, recipe.heads,
                recipe.grid, recipe.dropout,
            )
        )  # fmt: skip

    def _imagine(self, texts: Sequence[str], vocabulary: Vocabulary, seen: FeatureCache) -> Texts:
        """The texts, and photos imagined for them after the plain views of all captioned photos."""
        builder = TermVocabularyBuilder(self.terms)
        trained = [n for n in self._trained() if n not in self.labelled]
        means, summaries = [], []
        for start in range(0, len(trained), TAIL_BATCH):
            part = seen.plain(trained[start : start + TAIL_BATCH])
            means.append(part.regions.mean(1, keepdim=True).cpu())
            summaries.append(part.summary.cpu())
        captions = [(place, builder.encode(c)) for place, n in enumerate(trained) for c in self.photos[n].captions]
        imagination = Imagination(
            [(place, terms) for place, terms in captions if terms],
            PhotoFeatures(torch.cat(means), torch.cat(summaries)),
            len(builder),
        )
        encoded = [(vocabulary.encode(text), terms) for text in texts if (terms := builder.encode(text))]
        return Texts(encoded, imagination)

    def _loop(self, stage: Stage, recipe: TermRecipe | LanguageRecipe | CaptionRecipe | RewardRecipe) -> None:
        schedule = Schedule(
            recipe.epochs,
            recipe.batch_captions if isinstance(recipe, LanguageRecipe) else recipe.batch_photos,
            recipe.warmup_steps,
            recipe.clip_norm,
            recipe.seed,
            constant=isinstance(recipe, CaptionRecipe) and recipe.constant_rate,
            average=not isinstance(recipe, CaptionRecipe) or recipe.averaging,
            keep=recipe.average_keep if isinstance(recipe, CaptionRecipe) else AVERAGING,
        )
        settings = {**asdict(recipe), "encoder": self.recipe.encoder, "views": self.recipe.views}
        settings["data"] = self.record["data"]
        loop = Loop(
            stage,
            schedule,
            self.output / f"{stage.name}{RUN_SUFFIX}",
            settings,
            checkpoint_seconds=self.checkpoint_seconds,
            report=self.report,
        )
        self.record["stages"][stage.name] = loop.run()

    def _write(self, decoder: CaptionDecoder, vocabulary: Vocabulary) -> None:
        save_checkpoint(
            Checkpoint(
                self.name,
                self.recipe.encoder,
                self.encoder,
                decoder,
                vocabulary,
                SEARCH,
                LICENCE,
                imagenet_labels(),
                self.record,
                term_head=self.head,
                terms=self.terms,
            ),
            self.output,
        )
