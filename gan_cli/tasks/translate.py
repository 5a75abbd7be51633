"""Translation between images that come in pairs."""

from __future__ import annotations

from pydantic import NonNegativeFloat

from gan_cli.data.source import Dataset
from gan_cli.errors import UserError
from gan_cli.tasks.restore import Content, Paired, Read


class Translate(Paired):
    """pix2pix (Isola et al. 2017, equation 4): the generator reads one image of a pair and writes the other.

    It minimises E -log D(x, G(x)) + 100 E |y - G(x)|, its U-Net's dropout is the only noise, and the critic scores
    patches of both images. Differences from the paper: the critic's objective is not halved, which Adam's step does
    not show, and a batch has train.batch_size=64 pairs. With one, as in the paper, the batch norm of its networks is an
    instance norm: train.batch_size=1 model.generator.norm=instance model.critic.norm=instance. Adam with lr 2e-4 and
    betas (0.5, 0.999) is the paper's.

    Args:
        content: as `Paired`.
        content_weight: as `Paired`, lambda.
        adversarial_weight: as `Paired`.
        critic_reads: as `Paired`.
    """

    def __init__(
        self,
        content: Content = "l1",
        content_weight: NonNegativeFloat = 100.0,
        adversarial_weight: NonNegativeFloat = 1.0,
        critic_reads: Read = "both",
    ) -> None:
        super().__init__(content, content_weight, adversarial_weight, critic_reads)

    def expected_shapes(self, dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the shapes of an image that is written and of one that is read.

        Raises:
            UserError: the dataset has no pairs.
        """
        if not hasattr(dataset, "expected_source_shape"):
            raise UserError(
                f"task=translate reads one image of a pair and writes the other, and dataset={type(dataset).__name__} "
                "has no pairs: dataset=pairs dataset.path=DIRECTORY, or task=restore, which makes them"
            )
        return tuple(dataset.expected_shape()), tuple(dataset.expected_source_shape())
