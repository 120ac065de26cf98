"""Training a model from photos with captions, in stages that each survive a kill.

1. words     the encoder's tail and the term head learn which words people use for a photo (terms.py); or, in its place,
   joint     the whole encoder, the term head and a decoder learn together (joint.py)
2. language  the decoder learns to speak, from captions without photos (captions.py, text_only.py); left out by default
3. captions  the decoder learns to say what people say of photos (captions.py)
4. reward    the decoder learns to agree with people as a whole (reward.py); left out by default

The trunk's maps of all views are computed before ``words`` or after ``joint``, and before the second stage the regions
of the tuned encoder (encoded_views.py). ``output`` gets the model after each later stage;
``output/<stage>.run.safetensors`` holds the run of a stage. The recipes are in recipes.py.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from photoindex.captioner.checkpoint import Checkpoint, save_checkpoint
from photoindex.captioner.encoders import ENCODERS, build_encoder, fold_batch_norm, unfold_batch_norm
from photoindex.captioner.model_files import CARD_FILE
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
    CaptionRecipe,
    CaptionStage,
    FeatureCache,
    LanguageRecipe,
    LanguageStage,
    StageInputs,
    Texts,
    encoded_captions,
    plain_captions,
)
from photoindex.training.cleaning import is_plain
from photoindex.training.cooccurrence import read_texts, term_embeddings
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.encoded_views import TAIL_BATCH, EncodedViews
from photoindex.training.features import View, ViewCache, pixel_cache
from photoindex.training.growing import grown_decoder
from photoindex.training.joint import PIXELS, JointInputs, JointRecipe, JointStage, Networks, plain_members
from photoindex.training.loop import AVERAGING, Loop, Report, Schedule, Stage, TrainingProgress
from photoindex.training.output_folder import check_nothing_is_replaced
from photoindex.training.persons import fit_somebody, persons_in
from photoindex.training.photo_sets import PhotoSets
from photoindex.training.pretrained import imagenet_labels, load_pretrained
from photoindex.training.recipes import Recipe
from photoindex.training.reward import RewardRecipe, RewardStage
from photoindex.training.sentences import Meanings, SentenceEncoder
from photoindex.training.terms import TermRecipe, TermStage, TermVocabularyBuilder
from photoindex.training.text_only import FeatureRegression

LICENCE = f"weights Apache-2.0; see {CARD_FILE} for the licences of the training data"
RUN_SUFFIX = ".run.safetensors"


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
    already holds a run when ``resume`` is not given, or a run made with another recipe or other data when it is, and
    :class:`DatasetError` for ``texts`` that cannot be read.
    """
    if recipe.encoder not in ENCODERS:
        raise TrainingError(f"unknown encoder {recipe.encoder!r}: choose {', '.join(ENCODERS)}")
    sets = PhotoSets.gathered(photos, noisy, labelled)
    if not sets.by_people():
        raise TrainingError("no photos of the split `train` in the data")
    runs = sorted(output.glob(f"*{RUN_SUFFIX}"))
    if runs and not resume:
        raise TrainingError(f"{output} already holds a training run: go on with --resume, or name another --output")
    if not resume:
        check_nothing_is_replaced(output)
    if resume and not runs:
        raise TrainingError(f"nothing to resume in {output}: there is no *{RUN_SUFFIX}")
    for _ in read_texts(texts):  # they are needed hours later: one that cannot be read is said now
        pass
    run = _Training(sets, recipe, output, name, device)
    run.start = start
    run.record["data"]["sources"] = list(sources)
    run.texts = texts
    run.checkpoint_seconds, run.report = checkpoint_seconds, progress
    run.cache_folder = cache_folder or output / "features"
    return run.run(encoder_weights)


class _Training:
    """One run of all stages."""

    def __init__(self, sets: PhotoSets, recipe: Recipe, output: Path, name: str, device: torch.device) -> None:
        self.sets, self.photos, self.recipe = sets, sets.photos, recipe
        self.output, self.name, self.device = output, name, device
        self.cache_folder = output
        self.texts: Sequence[Path] = ()
        self.checkpoint_seconds = 300.0
        self.report: Report = lambda _: None
        self.start: Checkpoint | None = None
        self.record: dict[str, Any] = {"recipe": asdict(recipe), "data": sets.record(), "stages": {}}

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
        tuned = self.origin
        jointly = self.recipe.joint.epochs > 0 and self.start is None
        if jointly:
            tuned = self._learn_jointly()
        # What computes from here on is folded; what is saved keeps the form of the released weights.
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
        maps = encoded.trunk_maps(tuned)
        if self.recipe.words.epochs and self.start is None and not jointly:
            tuned = self._learn_words(maps, encoded.places)
        members = [n for n, photo in enumerate(self.photos) if photo.split in ("train", "val")]
        self._learn_captions(encoded.features(maps, members, tuned, self.head))
        return self.record

    def _views(self, number: int) -> int:
        if self.photos[number].split != "train":
            return 1
        less = number in self.sets.noisy or number in self.sets.labelled
        return min(self.recipe.noisy_views, self.recipe.views) if less else self.recipe.views

    # ---- stages ----------------------------------------------------------------------------------

    def _learn_jointly(self) -> str:
        """Train the encoder, a term head and a decoder that is left behind; return the identity of the weights."""
        recipe, sets = self.recipe.joint, self.sets
        terms = self._begin_terms(recipe, sets.trained(), somebody=True)
        assert self.head is not None
        vocabulary = self._vocabulary(())
        decoder = self._decoder(vocabulary, self.encoder.feature_dim, recipe.hidden_size).to(self.device)
        self.encoder.to(self.device).to(memory_format=torch.channels_last)
        trained, plain = sets.trained(), plain_members(sets)
        inputs = JointInputs(
            sets,
            terms,
            self._pixels(trained, PIXELS),
            trained,
            self._pixels(plain, self.encoder.preprocessing.size),
            plain,
            Meanings.of(sets.captions(trained), self.cache_folder, self.device, self._reporting("reading captions")),
            encoded_captions(
                self.photos, [*sets.by_people(), *sets.labelled], sets.noisy, vocabulary, self.recipe.captions
            ),
        )
        stage = JointStage(inputs, Networks(self.encoder, self.head, decoder), recipe, self.device)
        self._loop(stage, recipe, decoder=asdict(decoder.config))
        self._end_terms(stage)
        self.encoder.to("cpu")
        return _identity([self.encoder, self.head])

    def _pixels(self, numbers: Sequence[int], size: int) -> ViewCache:
        views = [View(self.photos[n].path) for n in numbers]
        return pixel_cache(views, size, self.cache_folder, self._reporting("reading photos"))

    def _reporting(self, stage: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report(TrainingProgress(stage, 0, 0, done, total))

    def _begin_terms(
        self, recipe: TermRecipe | JointRecipe, numbers: Sequence[int], *, somebody: bool = False
    ) -> TermVocabularyBuilder:
        """Choose the terms that the captions of these photos teach, and make a term head for them."""
        vocabulary = self.sets.terms(numbers, recipe.threshold, recipe.pair_threshold)
        if not len(vocabulary):
            raise TrainingError(f"no word occurs in {recipe.threshold} captions: too little data to learn terms from")
        self.terms = vocabulary.terms
        config = TermHeadConfig(
            len(vocabulary), self.encoder.feature_dim, recipe.hidden_size, recipe.dropout, somebody=somebody
        )
        self.head = TermHead(config).to(self.device)
        if self.texts:
            captions = [vocabulary.encode(c) for c in self.sets.captions(numbers)]
            captions += [vocabulary.encode(c) for c in read_texts(self.texts)]
            self.head.begin_at(term_embeddings(captions, len(vocabulary), recipe.hidden_size, recipe.seed))
        return vocabulary

    def _end_terms(self, stage: TermStage | JointStage) -> None:
        """Have the strongest impact met set the steps of the stored ones."""
        assert self.head is not None
        # The loop leaves modules as they are where a run was finished before.
        for module in stage.modules().values():
            module.eval()
        self.head.config = dataclasses.replace(self.head.config, scale=stage.greatest_impact() / 255)

    def _learn_words(self, maps: ViewCache, places: Sequence[Sequence[int]]) -> str:
        """Train the tail and the term head; returns the identity of the tuned weights."""
        recipe = self.recipe.words
        vocabulary = self._begin_terms(recipe, self.sets.captioned())
        assert self.head is not None
        known = [photo if n not in self.sets.labelled else dataclasses.replace(photo, captions=())
                 for n, photo in enumerate(self.photos)]  # a label is no caption: it is not asked for  # fmt: skip
        stage = TermStage(
            known, self.sets.repeats, self.sets.noisy, places, maps, self.folded, self.head, vocabulary, recipe,
            self.device,
        )  # fmt: skip
        self._loop(stage, recipe)
        self._end_terms(stage)
        unfold_batch_norm(self.folded.to("cpu"), self.encoder)
        self.folded.to(self.device)
        return _identity(stage.modules().values())

    def _learn_captions(self, cache: FeatureCache) -> None:
        recipe = self.recipe.captions
        texts = list(read_texts(self.texts)) if self.head is not None else []
        vocabulary = self._vocabulary(texts)
        torch.manual_seed(recipe.seed)
        decoder = self._decoder(vocabulary, cache.channels, cache.summary_dim).to(self.device)
        sets = self.sets
        inputs = StageInputs(self.photos, sets.repeats, cache, decoder, vocabulary, self.device)
        texts_alone = None
        if texts and (recipe.text_captions or self.recipe.language.epochs):
            texts_alone = self._texts(texts, vocabulary, cache)
        if texts_alone is not None and self.recipe.language.epochs:
            self._loop(LanguageStage(inputs, texts_alone, self.recipe.language), self.recipe.language)
        texts_beside = texts_alone if recipe.text_captions else None
        self._in_runs(
            lambda run: CaptionStage(inputs, run, noisy=sets.noisy, labelled=sets.labelled, texts=texts_beside),
            decoder,
        )
        self._learn_persons(cache)
        self._write(decoder, vocabulary)
        if self.recipe.reward.epochs:
            noisy = plain_captions(self.photos, sets.noisy, vocabulary, recipe)
            self._loop(RewardStage(inputs, self.recipe.reward, noisy), self.recipe.reward)
            self._write(decoder, vocabulary)

    def _learn_persons(self, cache: FeatureCache) -> None:
        """Have the term head tell photos with a human being; a labelled photo counts as one without."""
        with_persons = {n: persons_in(self.photos[n].captions) for n in self.sets.trained()}
        numbers = [n for n, present in with_persons.items() if present is not None]
        if self.head is None or len({with_persons[n] for n in numbers}) < 2:
            return
        summaries = torch.cat(
            [cache.plain(numbers[n : n + TAIL_BATCH]).summary.cpu() for n in range(0, len(numbers), TAIL_BATCH)]
        )
        weights = torch.tensor([float(max(1, self.sets.repeats[n])) for n in numbers])
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
        sets = self.sets
        chosen = Vocabulary.from_captions(
            sets.captions(sets.by_people(), repeated=True), recipe.threshold, texts, self.recipe.language.threshold
        ).words
        plain = (c for c in sets.captions(sorted(sets.noisy)) if is_plain(c))
        if recipe.noisy_share:
            chosen += Vocabulary.from_captions(plain, recipe.noisy_threshold).words
        if recipe.labelled_share:
            chosen += Vocabulary.from_captions(sets.captions(sorted(sets.labelled)), recipe.threshold).words
        if self.start is not None:
            chosen = self.start.vocabulary.words + chosen
        return Vocabulary(list(dict.fromkeys(chosen)))

    def _decoder(self, vocabulary: Vocabulary, channels: int, summary_dim: int) -> CaptionDecoder:
        """The decoder that learning captions begins with."""
        recipe = self.recipe.captions
        if self.start is not None:
            return grown_decoder(
                self.start.decoder, self.start.vocabulary, vocabulary, SentenceEncoder.load(), recipe.dropout
            )
        return build_decoder(
            DecoderConfig(
                recipe.decoder, len(vocabulary), channels, summary_dim, recipe.hidden_size, recipe.heads,
                recipe.grid, recipe.dropout,
            )
        )  # fmt: skip

    def _texts(self, texts: Sequence[str], vocabulary: Vocabulary, cache: FeatureCache) -> Texts:
        """Return the texts, and the regression that gives features for them, fitted on plain views of photos."""
        builder = TermVocabularyBuilder(self.terms)
        trained = self.sets.captioned()
        means, summaries = [], []
        for start in range(0, len(trained), TAIL_BATCH):
            part = cache.plain(trained[start : start + TAIL_BATCH])
            means.append(part.regions.mean(1, keepdim=True).cpu())
            summaries.append(part.summary.cpu())
        captions = [(place, builder.encode(c)) for place, n in enumerate(trained) for c in self.photos[n].captions]
        regression = FeatureRegression(
            [(place, terms) for place, terms in captions if terms],
            PhotoFeatures(torch.cat(means), torch.cat(summaries)),
            len(builder),
        )
        encoded = [(vocabulary.encode(text), terms) for text in texts if (terms := builder.encode(text))]
        return Texts(encoded, regression)

    def _loop(
        self,
        stage: Stage,
        recipe: TermRecipe | JointRecipe | LanguageRecipe | CaptionRecipe | RewardRecipe,
        **more: Any,
    ) -> None:
        """Run a stage. ``more`` decides its outcome besides the recipe."""
        schedule = Schedule(
            recipe.epochs,
            recipe.batch_captions if isinstance(recipe, LanguageRecipe) else recipe.batch_photos,
            recipe.warmup_steps,
            recipe.clip_norm,
            recipe.seed,
            constant=isinstance(recipe, CaptionRecipe) and recipe.constant_rate,
            average=not isinstance(recipe, CaptionRecipe) or recipe.averaging,
            keep=recipe.average_keep if isinstance(recipe, CaptionRecipe | RewardRecipe) else AVERAGING,
        )
        settings = {**asdict(recipe), "encoder": self.recipe.encoder, "views": self.recipe.views, **more}
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
        encoder = copy.copy(self.encoder)  # with the same weights
        if self.recipe.pixels is not None:
            encoder.preprocessing = replace(encoder.preprocessing, size=self.recipe.pixels)
        save_checkpoint(
            Checkpoint(
                self.name,
                self.recipe.encoder,
                encoder,
                decoder,
                vocabulary,
                self.recipe.search,
                LICENCE,
                imagenet_labels(),
                self.record,
                term_head=self.head,
                terms=self.terms,
            ),
            self.output,
        )


def _identity(modules: Iterable[nn.Module]) -> str:
    """The first digits of the weights' SHA-256."""
    digest = hashlib.sha256()
    for module in modules:
        for value in module.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
