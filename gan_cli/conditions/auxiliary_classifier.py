"""The auxiliary classifier: a critic that also classifies samples."""

from __future__ import annotations

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_cli.conditions.by_class import By, ByClass
from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput


class AuxiliaryClassifier(ByClass):
    """Auxiliary classifier (Odena et al. 2017, equations 2 and 3): the critic also predicts the class.

    The cross-entropy of the class is added to both players' objectives, which keep their own game on the score. The
    paper's critic learns the classes from fake samples too. Whatever the generator draws for a class is then
    an example of it, and classes settle on the wrong images; so the critic learns them from real samples alone here.

    Args:
        n_classes: labels are in [0, n_classes).
        generator: as for `ByClass`.
        weight: weight of the cross-entropy; 1 in the paper.
        learn_from_fake: the critic learns the classes from fake samples too, as in the paper.
    """

    logged = (
        Curve("critic/class_accuracy_real", "share", "higher", "share of real samples whose class the critic predicts"),
        Curve("critic/class_accuracy_fake", "share", "higher", "share of fakes whose class the critic predicts"),
    )

    def __init__(
        self,
        n_classes: int = 0,
        generator: By = "auto",
        weight: PositiveFloat = 1.0,
        learn_from_fake: bool = False,
    ) -> None:
        super().__init__(n_classes, generator)
        self.weight = weight
        self.learn_from_fake = learn_from_fake

    @property
    def critic_heads(self) -> dict[str, int]:
        """The size of the classifier's head."""
        return {"class": self.n_classes}

    def critic_term(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return the weighted cross-entropy of the classes of real samples, and of fakes with `learn_from_fake`."""
        taught = _class_loss(real) + _class_loss(fake) if self.learn_from_fake else _class_loss(real)
        return self.weight * taught

    def generator_term(self, fake: CriticOutput) -> Tensor:
        """Return the weighted cross-entropy of the requested classes of fakes."""
        return self.weight * _class_loss(fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the shares of real and of fake samples whose class the critic predicts."""
        return {
            f"class_accuracy_{kind}": (output.heads["class"].argmax(dim=1) == output.y).float().mean()
            for kind, output in (("real", real), ("fake", fake))
        }


def _class_loss(output: CriticOutput) -> Tensor:
    return cross_entropy(output.heads["class"], output.y)
