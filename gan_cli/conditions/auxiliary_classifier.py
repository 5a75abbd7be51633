"""The auxiliary classifier: a critic that also predicts the labels of samples."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from gan_cli.conditions.by_class import By, ByClass
from gan_cli.core.curves import Curve
from gan_cli.data.source import LabelKind
from gan_cli.losses.base import CriticOutput


class AuxiliaryClassifier(ByClass):
    """Auxiliary classifier (Odena et al. 2017, equations 2 and 3): the critic also predicts the class.

    The cross-entropy of the class is added to both players' objectives, which keep their own game on the score. The
    paper's critic learns the classes from fake samples too. Whatever the generator draws for a class is then
    an example of it, and classes settle on the wrong images; so the critic learns them from real samples alone here.
    Of labels that are vectors it predicts each number: of 0 and 1 by the cross-entropy of each, else by the squared
    error, their mean over the numbers.

    Args:
        n_classes: as for `ByClass`.
        generator: as for `ByClass`.
        weight: weight of the cross-entropy; 1 in the paper.
        learn_from_fake: the critic learns the classes from fake samples too, as in the paper.
        labels: as for `ByClass`.
    """

    logged = (
        Curve("critic/class_accuracy_real", "share", "higher", "share of real samples whose class the critic predicts"),
        Curve("critic/class_accuracy_fake", "share", "higher", "share of fakes whose class the critic predicts"),
        Curve(
            "critic/label_error_real",
            "label^2",
            "lower",
            "squared error of label vectors that the critic predicts for real samples",
        ),
        Curve(
            "critic/label_error_fake",
            "label^2",
            "lower",
            "squared error of label vectors that the critic predicts for fakes",
        ),
    )

    def __init__(
        self,
        n_classes: int = 0,
        generator: By = "auto",
        weight: PositiveFloat = 1.0,
        learn_from_fake: bool = False,
        labels: LabelKind | Literal["auto"] = "class",
    ) -> None:
        super().__init__(n_classes, generator, labels)
        self.weight = weight
        self.learn_from_fake = learn_from_fake

    @property
    def critic_heads(self) -> dict[str, int]:
        """The size of the classifier's head."""
        return {"class": self.n_classes}

    def critic_term(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return the weighted cross-entropy of the labels of real samples, and of fakes with `learn_from_fake`."""
        taught = self._error(real) + self._error(fake) if self.learn_from_fake else self._error(real)
        return self.weight * taught

    def generator_term(self, fake: CriticOutput) -> Tensor:
        """Return the weighted cross-entropy of the requested labels of fakes."""
        return self.weight * self._error(fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the shares of samples whose class the critic predicts, or the squared errors of label vectors."""
        name = "label_error" if self.reads_vectors else "class_accuracy"
        return {f"{name}_{kind}": self._judged(output) for kind, output in (("real", real), ("fake", fake))}

    def _error(self, output: CriticOutput) -> Tensor:
        """Return what the predictions of the labels minimise."""
        loss = {"binary": binary_cross_entropy_with_logits, "numbers": mse_loss}.get(self.labels, cross_entropy)
        return loss(output.heads["class"], output.y)

    def _judged(self, output: CriticOutput) -> Tensor:
        predicted = output.heads["class"]
        if not self.reads_vectors:
            return (predicted.argmax(dim=1) == output.y).float().mean()
        return mse_loss(predicted.sigmoid() if self.labels == "binary" else predicted, output.y)
