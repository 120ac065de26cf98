"""A trained model on disk: a folder that says everything about itself.

    config.json          format version, name, encoder, decoder sizes, search settings, licence; and how likely captions
                         are right (``confidence``), for a model that knows it
    model.safetensors    encoder.*, decoder.* and term_head.*, usually half precision; integers (batch norm's counters)
                         left out
    vocabulary.txt       one word a line
    terms.txt            the term head's terms, one a line; only for a model that has one
    labels.txt           the names of the encoder's object classes, one a line
    encoder_8bit.safetensors  the encoder in 8 bits (:mod:`.eight_bits`); only for a model that has it
    training.json        data, recipe, seed, figures epoch by epoch
    MODEL_CARD.md        the same for people

Weights are safetensors, which hold numbers and nothing else. A pickle (.pt, .pth, .bin, .ckpt, .pkl) can run any code
when it is loaded and is refused by name.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.confidence import Calibration
from photoindex.captioner.eight_bits import (
    EightBitWeights,
    digest_of,
    load_eight_bits,
    save_eight_bits,
)
from photoindex.captioner.encoders import ENCODERS, Encoder, build_encoder
from photoindex.captioner.model_files import (
    CONFIG_FILE,
    EIGHT_BITS_FILE,
    FORMAT,
    LABELS_FILE,
    TERMS_FILE,
    TRAINING_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    check_vocabulary,
    identity_of,
    pixels_of,
    read_config,
    read_labels,
    read_terms,
    refuse_pickles,
)
from photoindex.captioner.network import (
    DECODERS,
    CaptionDecoder,
    DecoderConfig,
    PhotoFeatures,
    TermHead,
    TermHeadConfig,
    build_decoder,
    regions_of,
)
from photoindex.captioner.tensor_file import tensor_file
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.errors import CheckpointError
from photoindex.system.atomic import replace_file
from photoindex.system.error_lines import reason_of
from photoindex.system.file_state import sha256_of
from photoindex.system.json_files import read_json


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model in memory. ``identity`` is its name, the first digits of its weights' SHA-256 and the size of the
    pictures it sees where that is not its encoder's: a caption records it, so that captions of an older model can be
    told and renewed. ``terms`` name the outputs of ``term_head``."""

    name: str
    encoder_name: str
    encoder: Encoder
    decoder: CaptionDecoder
    vocabulary: Vocabulary
    search: SearchSettings = field(default_factory=SearchSettings)
    licence: str = ""
    labels: tuple[str, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    identity: str = ""
    term_head: TermHead | None = None
    terms: tuple[str, ...] = ()
    calibration: Calibration | None = None
    eight_bits: EightBitWeights | None = None  # of an encoder that may have learned on since: see save_checkpoint

    def parts(self) -> dict[str, nn.Module]:
        """The networks it is made of, by the names their weights have in the file."""
        modules: dict[str, nn.Module] = {"encoder": self.encoder, "decoder": self.decoder}
        if self.term_head is not None:
            modules["term_head"] = self.term_head
        return modules

    def features_of(self, feature_map: Tensor) -> PhotoFeatures:
        """Feature map (N, C, h, w) -> what the decoder is given of these photos."""
        return features_of(feature_map, self.decoder.config.grid, self.term_head)


def features_of(feature_map: Tensor, grid: int, term_head: TermHead | None) -> PhotoFeatures:
    """Feature map (N, C, h, w) -> its regions and, where there is a term head, its summary."""
    regions = regions_of(feature_map, grid)
    if term_head is None:
        return PhotoFeatures(regions, regions.new_zeros(len(regions), 0))
    return PhotoFeatures(regions, term_head.summary(feature_map))


def save_checkpoint(checkpoint: Checkpoint, folder: Path, *, half: bool = True) -> None:
    """Write the folder; each file is replaced whole, the weights last. ``half`` stores float16.

    The encoder in 8 bits is left out, and one that is there deleted, where the encoder is no longer the one that it was
    made for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EIGHT_BITS_FILE).unlink(missing_ok=True)
    tensors = {}
    for part, module in checkpoint.parts().items():
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                stored = value.detach().to("cpu", torch.float16 if half else torch.float32)
                tensors[f"{part}.{key}"] = stored.contiguous().clone()
    config = {
        "format": FORMAT,
        "name": checkpoint.name,
        "encoder": checkpoint.encoder_name,
        "decoder": asdict(checkpoint.decoder.config),
        "term_head": asdict(checkpoint.term_head.config) if checkpoint.term_head is not None else None,
        "search": asdict(checkpoint.search),
        "licence": checkpoint.licence,
    }
    pixels = checkpoint.encoder.preprocessing.size
    if pixels != type(checkpoint.encoder).preprocessing.size:
        config["pixels"] = pixels
    if checkpoint.calibration is not None:
        config["confidence"] = checkpoint.calibration.to_config()
    replace_file(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")
    replace_file(folder / TRAINING_FILE, json.dumps(checkpoint.training, indent=2) + "\n")
    replace_file(folder / VOCABULARY_FILE, "\n".join(checkpoint.vocabulary.words) + "\n")
    if checkpoint.terms:
        replace_file(folder / TERMS_FILE, "\n".join(checkpoint.terms) + "\n")
    if checkpoint.labels:
        replace_file(folder / LABELS_FILE, "\n".join(checkpoint.labels) + "\n")
    replace_file(folder / WEIGHTS_FILE, tensor_file(tensors, {"format": "pt", "name": checkpoint.name}))
    if checkpoint.eight_bits is not None and checkpoint.eight_bits.digest == digest_of(checkpoint.encoder):
        save_eight_bits(checkpoint.eight_bits, folder)


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Put how likely captions are right into the config.json of a model; its identity, that of the weights, stays."""
    config = read_config(folder) | {"confidence": calibration.to_config()}
    replace_file(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")


def load_checkpoint(folder: Path) -> Checkpoint:
    """Load a checkpoint folder in evaluation mode, float32, on the CPU.

    Raises :class:`PickleRefused` for a pickle, :class:`CheckpointError` when a file is missing, was made by a newer
    photoindex, or its weights do not fit its own config.
    """
    refuse_pickles(folder)
    config = read_config(folder)
    vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
    try:
        encoder_name = config["encoder"]
        if encoder_name not in ENCODERS or config["decoder"]["kind"] not in DECODERS:
            raise CheckpointError(f"{folder} needs an encoder or decoder this photoindex does not have; upgrade it")
        decoder = build_decoder(DecoderConfig(**config["decoder"]))
        encoder = build_encoder(encoder_name)
        if (pixels := pixels_of(config)) is not None:
            encoder.preprocessing = replace(encoder.preprocessing, size=pixels)
        settings = SearchSettings(**config.get("search", {}))
        sizes = config.get("term_head")
        term_head = TermHead(TermHeadConfig(**sizes)) if sizes else None
        calibration = Calibration.from_config(config.get("confidence"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / CONFIG_FILE} lacks or misspells a setting: {error}") from error
    check_vocabulary(folder, len(vocabulary), decoder.config.vocabulary_size)
    terms = read_terms(folder / TERMS_FILE, term_head.config.terms) if term_head is not None else ()
    if decoder.config.summary_dim != (term_head.config.hidden_size if term_head is not None else 0):
        raise CheckpointError(f"{folder / CONFIG_FILE}: the decoder and the term head are not of one model")
    weights = folder / WEIGHTS_FILE
    tensors, digest = _read_weights(weights)
    _fill(encoder, tensors, "encoder.", weights)
    _fill(decoder, tensors, "decoder.", weights)
    if term_head is not None:
        _fill(term_head.eval(), tensors, "term_head.", weights)
    training = folder / TRAINING_FILE
    return Checkpoint(
        name=config["name"],
        encoder_name=encoder_name,
        encoder=encoder.eval(),
        decoder=decoder.eval(),
        vocabulary=vocabulary,
        search=settings,
        licence=config.get("licence", ""),
        labels=read_labels(folder / LABELS_FILE),
        training=_read_training(training),
        identity=identity_of(config, digest),
        term_head=term_head,
        terms=terms,
        calibration=calibration,
        eight_bits=load_eight_bits(folder, encoder),
    )


def _read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a file by their names, and the file's SHA-256."""
    try:
        return load_file(path), sha256_of(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; the model folder is incomplete") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged or is not safetensors: {reason_of(error)}") from error


def _read_training(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {reason_of(error)}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is not a record of training")
    return found


def _fill(module: nn.Module, tensors: dict[str, Tensor], prefix: str, path: Path) -> None:
    """Copy the tensors under ``prefix`` into ``module``; all must be there, of the right shape and finite."""
    wanted = {key: value for key, value in module.state_dict().items() if value.is_floating_point()}
    given = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
    missing = sorted(wanted.keys() - given.keys())
    extra = sorted(given.keys() - wanted.keys())
    if missing or extra:
        what = f"lacks {prefix}{missing[0]}" if missing else f"has an unknown {prefix}{extra[0]}"
        raise CheckpointError(f"{path} does not fit its {CONFIG_FILE}: it {what}")
    for key, value in given.items():
        if value.shape != wanted[key].shape:
            raise CheckpointError(
                f"{path} does not fit its {CONFIG_FILE}: {prefix}{key} has shape {tuple(value.shape)}, "
                f"expected {tuple(wanted[key].shape)}"
            )
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path} is damaged: {prefix}{key} holds numbers that are not finite")
    module.load_state_dict({key: value.float() for key, value in given.items()}, strict=False)
