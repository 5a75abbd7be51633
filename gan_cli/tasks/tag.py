"""Tags for images: the generator reads an image's features and returns the vector of a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import mse_loss, normalize

from gan_cli.core.text import show
from gan_cli.data.caches import FEATURES
from gan_cli.data.digest import digest
from gan_cli.data.fixed_set import fixed_order
from gan_cli.data.kept import kept
from gan_cli.data.loader import Order
from gan_cli.data.source import Batch, Dataset, RealData, Tags
from gan_cli.data.tag_words import Images, TagWords
from gan_cli.data.word_vectors import VectorFile, cooccurrence_vectors
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws
from gan_cli.tasks.base import Generate, Term
from gan_cli.tasks.restore import Paired

_IMAGES = 16  # that an extractor reads at a time
_MAX_WORDS = 2**20  # of a vocabulary


class Tag(Generate):
    """The conditional GAN that generates tags (Mirza and Osindero 2014, section 4.2).

    A real sample is the vector of one of an image's tags, and its source the image's features in those of `extractor`.
    The words of an image are found by a vote: of several vectors that are drawn for it each names its nearest words.
    The paper's training set has an image once for each of its tags; here an epoch has it once, with a new random tag.
    Features are standardised, and the vectors have the length sqrt(D), because only their direction is read.

    Args:
        vectors: a text file of word vectors as GloVe or word2vec write it; None: they are made of the tags that the
            training images have in common.
        vector_size: D of the vectors that are made; a file has its own.
        skip_missing: leave out words that have no vector.
        content_weight: of the mean squared difference from `content_target`, a further term of the generator's
            objective; the paper has none.
        content_target: the vector of the `drawn` tag; or the `mean` of the vectors of all tags of the image, stretched
            to the same length, a gradient of less variance.
        adversarial_weight: of the game in that objective.
        draws: vectors that are drawn for an image, 100 in the paper.
        nearest: words that each of them names, by the cosine, 20 in the paper.

    Attributes:
        vocabulary: the words, once the data are open or a checkpoint is read.
    """

    reads = "vector"
    needs_extractor = True
    logged = Paired.logged

    def __init__(
        self,
        vectors: str | None = None,
        vector_size: PositiveInt = 200,
        skip_missing: bool = False,
        content_weight: NonNegativeFloat = 0.0,
        content_target: Literal["drawn", "mean"] = "drawn",
        adversarial_weight: NonNegativeFloat = 1.0,
        draws: PositiveInt = 100,
        nearest: PositiveInt = 20,
    ) -> None:
        super().__init__()
        if not content_weight and not adversarial_weight:
            raise ValueError("content_weight=0 and adversarial_weight=0: the generator would have nothing to minimise")
        self.path, self.vector_size, self.skip_missing = vectors, vector_size, skip_missing
        self.content_weight, self.content_target = content_weight, content_target
        self.adversarial_weight = adversarial_weight
        self.draws, self.nearest = draws, nearest
        self.vocabulary: tuple[str, ...] = ()
        self._made: dict[str, Tensor] = {}
        self._extractor: list[Extractor] = []  # not a module of the game

    @property
    def has_terms(self) -> bool:
        """Whether there is a content term."""
        return self.content_weight > 0

    def expected_shapes(self, dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the shapes of a vector and of the features; an extractor alone knows how many they are: here (1,).

        Raises:
            UserError: the dataset has no tags, or there is no such file of vectors.
        """
        if not getattr(dataset, "tagged", False):
            raise UserError("task=tag: learns from images with tags: dataset=tagged_folder")
        dataset.expected_shape()
        return (self.vector_size if self.path is None else self._file().size,), (1,)

    def expected_classes(self, dataset: Dataset) -> int | None:
        """Return 0: the tags are no classes."""
        return 0

    def use(self, extractor: Extractor) -> None:
        """Take the loaded extractor that reads the images."""
        self._extractor = [extractor]

    def samples_of(self, data: RealData, batch_size: int, seed: int, device: torch.device) -> RealData:
        """Return the images' tags as samples, by their numbers, and the images' features as their sources.

        Raises:
            UserError: words without a vector, or fewer images than a batch.
        """
        tags, vectors = self._with_vectors(data.tags)
        vectors = normalize(torch.from_numpy(vectors)).mul_(vectors.shape[1] ** 0.5).to(device)
        used = {name: [i for i, words in enumerate(getattr(tags, name)) if words] for name in ("train", "heldout")}
        if len(used["train"]) < batch_size or not used["heldout"]:
            raise UserError(
                f"task.skip_missing=true: {len(used['train'])} training and {len(used['heldout'])} held-out images "
                f"have a word with a vector; {batch_size} (train.batch_size) and 1 are needed"
            )
        extractor = self._extractor.pop()  # no copy of the task has to hold its weights
        raw = {
            name: _features(extractor, getattr(data, name), torch.tensor(rows), f"{data.fingerprint} {name}", device)
            for name, rows in used.items()
        }
        std, mean = torch.std_mean(raw["train"], dim=0)
        self.vocabulary = tags.vocabulary
        self._made = {"vectors": vectors, "feature_mean": mean, "feature_std": std.clamp_min(1e-6)}
        streams = {
            name: TagWords(
                getattr(data, name),
                torch.tensor(rows),
                [getattr(tags, name)[row] for row in rows],
                (raw[name] - mean) / self._made["feature_std"],
                Order(len(rows), min(batch_size, len(rows)), seed, f"tag {name}", device),
                seed,
                name,
            )
            for name, rows in used.items()
        }
        return RealData(
            shape=tuple(vectors.shape[1:]),
            class_names=None,
            fingerprint=digest(data.fingerprint, tags, _named(extractor)),
            fixed=lambda n: streams["train"].at(fixed_order(n, len(used["train"]))),
            source_shape=tuple(mean.shape),
            tags=tags,
            notes=data.notes,
            unused=data.unused,
            **streams,
        )

    def meta(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"vocabulary": list(self.vocabulary)}

    def recall(self, meta: Mapping[str, Any]) -> None:
        """Take the vocabulary.

        Raises:
            ValueError: it is not a list of words.
        """
        found = meta.get("vocabulary")
        if not isinstance(found, list) or len(found) > _MAX_WORDS or not all(isinstance(w, str) for w in found):
            raise ValueError("its vocabulary is not a list of words")
        self.vocabulary = tuple(found)

    def build(self, sample_shape: tuple[int, ...], source_shape: tuple[int, ...] | None) -> None:
        """Make the buffers of the words' vectors (V, D), and of the mean and the deviation of the features (F,)."""
        shapes = {"vectors": (len(self.vocabulary), *sample_shape)}
        shapes |= dict.fromkeys(("feature_mean", "feature_std"), source_shape)
        for name, shape in shapes.items():
            self.register_buffer(name, self._made[name].clone() if self._made else torch.zeros(shape))

    def with_source(self, batch: Batch, draws: Draws) -> Batch:
        """Return the batch with the vectors of the words that its numbers stand for; vectors stay as they are.

        With `content_target=mean` its labels, which no network reads, are the means over each image's tags.
        """
        if batch.x.is_floating_point():
            return batch
        y = self._means(batch.x[:, 1:]) if self.content_target == "mean" else None
        return batch._replace(x=self.vectors.index_select(0, batch.x[:, 0]), y=y)

    def generator_input(self, source: Tensor | None, z: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Return z and the features as one vector, and the rest."""
        return (torch.cat([z, source], dim=1), *others)

    def critic_shape(self, sample_shape: tuple[int, ...], source_shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the shape of `critic_input`."""
        return (*map(sum, zip(sample_shape, source_shape, strict=True)),)

    def critic_input(self, x: Tensor, source: Tensor | None) -> Tensor:
        """Return a word's vector and the features as one vector."""
        return torch.cat([x, source], dim=1)

    def generator_terms(self, fake: Batch, real: Batch, again: Callable[[Tensor], Tensor]) -> dict[str, Term]:
        """Return the content term."""
        if not self.content_weight:
            return {}
        target = real.y if self.content_target == "mean" else real.x
        return {"content": Term(mse_loss(fake.x, target), self.content_weight)}

    def source_of(self, extractor: Extractor, images: Tensor) -> Tensor:
        """Return the standardised features (N, F) of images (N, C, H, W) in [-1, 1]."""
        return (extractor(images).x - self.feature_mean) / self.feature_std

    def cosines(self, x: Tensor) -> Tensor:
        """Return the cosines (N, V) of vectors x (N, D) with the words'."""
        return normalize(x) @ normalize(self.vectors).T

    def _means(self, words: Tensor) -> Tensor:
        """Return the mean vectors (N, D) of words (N, M), -1 for none, stretched to the length of a word's vector."""
        vectors = self.vectors[words.clamp_min(0)] * (words >= 0).unsqueeze(2)
        return normalize(vectors.sum(dim=1)) * vectors.shape[2] ** 0.5

    def _file(self) -> VectorFile:
        try:
            return VectorFile(self.path)
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def _with_vectors(self, tags: Tags) -> tuple[Tags, np.ndarray]:
        """Return the tags that have a vector, and the vectors (V, D).

        Raises:
            UserError: a word has none and is not to be left out, or none has.
        """
        words = tags.vocabulary
        try:
            if self.path is None:
                vectors = cooccurrence_vectors(tags.train, len(words), self.vector_size)
            else:
                vectors = self._file().read(words)
        except (OSError, ValueError) as error:
            raise self._unusable(error, len(words)) from error
        known = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
        if known.all():
            return tags, vectors
        lost = [word for word, has in zip(words, known, strict=True) if not has]
        if not self.skip_missing or len(lost) == len(words):
            named = f"task.vectors={self.path}" if self.path else f"task.vector_size={self.vector_size}"
            fix = "" if len(lost) == len(words) else ": task.skip_missing=true leaves them out"
            fix += "" if self.path else f", task.vector_size={2 * self.vector_size} keeps more"
            raise UserError(f"{named}: {len(lost)} of {len(words)} words have no vector ({show(', '.join(lost))}){fix}")
        number = {int(old): new for new, old in enumerate(np.flatnonzero(known))}
        kept = {
            name: [[number[word] for word in image if word in number] for image in getattr(tags, name)]
            for name in ("train", "heldout")
        }
        return Tags(tuple(words[old] for old in number), **kept), vectors[known]

    def _unusable(self, error: Exception, n_words: int = 0) -> UserError:
        reason = error.strerror if isinstance(error, OSError) else error
        if self.path is None:
            return UserError(f"task.vector_size={self.vector_size}: {reason}: task.vector_size={(n_words + 1) // 2}")
        return UserError(f"task.vectors={self.path}: {reason}")


def _features(extractor: Extractor, images: Images, rows: Tensor, data: str, device: torch.device) -> Tensor:
    """Return the features (N, F) of images; those of an earlier run, where they are equal bit for bit."""

    def make() -> np.ndarray:
        return torch.cat([extractor(images.at(part).x).x for part in rows.split(_IMAGES)]).cpu().numpy()

    key = digest(data, rows.numpy(), _named(extractor), torch.__version__, torch.get_num_threads(), device.type)
    found = make() if extractor.sha256 is None else kept(FEATURES, key, make)
    return torch.from_numpy(found).to(device)


def _named(extractor: Extractor) -> tuple[str | None, ...]:
    """Return what distinguishes an extractor from others."""
    return extractor.name, extractor.resize, extractor.sha256
