"""Vector arithmetic on z."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor

from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.sheets import beside, sheet
from gan_cli.analysis.look import Look
from gan_cli.config.command_schemas import ClassKey, ExploreConfig
from gan_cli.rng import Draws

AROUND = 8  # pictures around the result
ACROSS = 8  # columns of the sheet of samples
COMPARED = 500  # samples at most whose distances are taken


class Arithmetic(Kind):
    """Arithmetic on the mean z of chosen samples, A - B + C (Radford et al. 2016, section 6.3.2 and figure 7).

    The samples are those of `gan sample RUN seed=S count=COUNT`; they are shown with their numbers. The paper's
    layout: one row each for A, B and C with the samples and the image of their mean z, beside the 3 x 3
    neighbourhood: the result at the centre, the same with uniform noise around it; and the sum of the pixels. The
    mean of three z has a third of their variance, and the sum of three such means as much as one z. With three samples
    in each term, the result is as likely under a normal prior as a sample.

    Args:
        a: numbers of the samples of A.
        b: numbers of the samples of B, which is subtracted.
        c: numbers of the samples of C, which is added.
        count: number of samples in the sheet that these numbers refer to.
        noise: largest value that is added to each number of z.
        y: class of the result; None: the class of the first sample of `a`. A mean has the class of its first sample.
    """

    def __init__(
        self,
        a: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0, 1, 2),
        b: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (3, 4, 5),
        c: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (6, 7, 8),
        count: Annotated[int, Field(ge=2)] = 64,
        noise: NonNegativeFloat = 0.25,
        y: ClassKey | None = None,
    ) -> None:
        self.terms = {"a": list(a), "b": list(b), "c": list(c)}
        for name, numbers in self.terms.items():
            if max(numbers) >= count:
                raise ValueError(f"{name}={numbers}: the sheet has samples 0 to {count - 1}; use a larger kind.count")
        self.count, self.noise, self.y = count, noise, y

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return the sum in the paper's layout, and the sheet of the numbered samples."""
        latent = look.state.game.latent
        z, classes = look.z(self.count, config.seed), labels(look, None, self.count)
        x = look.draw(z, classes, config.batch_size)
        means = torch.stack([z[numbers].mean(dim=0) for numbers in self.terms.values()])
        result = means[0] - means[1] + means[2]
        around = result.repeat(AROUND + 1, 1)
        draws = Draws(look.device, config.seed, "explore")
        shift = (draws.uniform("noise", AROUND, latent.size) * 2 - 1) * self.noise
        around[:4, : latent.size] += shift[:4]
        around[5:, : latent.size] += shift[4:]
        y_means, y_around = self._labels(look, classes)
        made = look.draw(means, y_means, config.batch_size, "means")
        near = look.draw(around, y_around, config.batch_size, "results")
        pixels = self._pixel_sum(x)
        numbers = {
            "norm_of_result": float(result.norm()),
            "mean_norm_of_samples": float(z.norm(dim=1).mean()),
            "neighbourhood": _spread(near, x),
        }
        lines = [
            f"A {self.terms['a']} - B {self.terms['b']} + C {self.terms['c']}, with the sample numbers of the sheet",
            f"norm of the resulting z: {numbers['norm_of_result']:.2f}, mean norm of samples: "
            f"{numbers['mean_norm_of_samples']:.2f}",
        ]
        if numbers["neighbourhood"] is not None:
            lines.append(
                f"noise of {self.noise:g} changes the result {numbers['neighbourhood']:.2f} times as much as samples "
                "differ from each other, in pixels"
            )
        pictures = {"": self._picture(x, made, near, pixels), "samples": self._sheet(x)}
        return Found(pictures, numbers, lines)

    def _labels(self, look: Look, classes: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the labels of the means and of the results."""
        if classes is None:
            return None, labels(look, self.y, 1)
        of_means = classes[[numbers[0] for numbers in self.terms.values()]]
        same = of_means[:1].repeat_interleave(AROUND + 1, dim=0)
        return of_means, same if self.y is None else labels(look, self.y, AROUND + 1)

    def _pixel_sum(self, x: Tensor) -> Tensor:
        a, b, c = (x[numbers].mean(dim=0, keepdim=True) for numbers in self.terms.values())
        return a - b + c

    def _picture(self, x: Tensor, means: Tensor, near: Tensor, pixels: Tensor) -> Any:
        """Return the terms with their means, the neighbourhood, the sum of the pixels."""
        widest = max(map(len, self.terms.values()))
        white = torch.ones_like(x[:1])
        rows = [torch.cat([x[ns], white.repeat(widest - len(ns), 1, 1, 1)]) for ns in self.terms.values()]
        terms = sheet(torch.cat(rows), widest, ["A", "- B", "+ C"], ["samples"])
        return beside(
            terms, sheet(means, 1, (), ["mean"]), sheet(near, 3, (), ["= z"]), sheet(pixels, 1, (), ["pixels"])
        )

    def _sheet(self, x: Tensor) -> Any:
        across = min(ACROSS, len(x))
        firsts = [str(i) for i in range(0, len(x), across)]
        return sheet(x, across, firsts, [f"+{i}" if i else "" for i in range(across)])


def _spread(near: Tensor, x: Tensor) -> float | None:
    """Return the distance of the neighbours from the centre, divided by the distance between samples.

    None if all samples are the same.
    """
    centre = near[AROUND // 2]
    others = torch.cat([near[: AROUND // 2], near[AROUND // 2 + 1 :]])
    moved = (others - centre).flatten(1).norm(dim=1).mean()
    apart = torch.pdist(x[:COMPARED].flatten(1)).mean()
    return float(moved / apart) if apart > 0 else None
