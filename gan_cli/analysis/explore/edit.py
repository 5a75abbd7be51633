"""Image editing: moves z until a classifier predicts another class."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.analysis.editing import Entanglement, Path, Region, direction_of, edit, entanglement, follow
from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.judging import Judge, by_neighbours
from gan_cli.analysis.explore.panels import panels
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import as_stored
from gan_cli.analysis.units import evaluated
from gan_cli.config.command_schemas import ClassKey, ExploreConfig
from gan_cli.rng import Draws

Confidence = Annotated[float, Field(gt=0, lt=1)]


class Edit(Kind):
    """Samples whose z is moved to raise a classifier's log-probability of a class, and the mean direction of all edits.

    The direction is the mean of the edits that reached the class; other z are moved along it. What else
    changes is the entanglement (attribute dependency, Wu et al. 2021). In a run with classes the labels stay.

    Args:
        target: the wanted class, by name or number.
        count: number of samples that are edited, and of others that are moved along the direction.
        steps: number of steps in an edit.
        step_size: length of each step, as a share of the length of z under the prior.
        confidence: a sample stops as soon as the classifier has this confidence.
        length: how far other z are moved along the direction, as a share of the length of z.
        stay: z stay in the region of the prior: their norm, the range of every number, their codes.
        rows: number of samples in a picture.
        columns: number of places along the edit in a picture.
        y: class of every sample, in a run with classes; None: each class in turn.
    """

    data = "needed"

    def __init__(
        self,
        target: NonNegativeInt | str = 8,
        count: Annotated[int, Field(ge=2)] = 64,
        steps: PositiveInt = 40,
        step_size: PositiveFloat = 0.05,
        confidence: Confidence = 0.95,
        length: PositiveFloat = 0.5,
        stay: bool = True,
        rows: PositiveInt = 8,
        columns: Annotated[int, Field(ge=2)] = 9,
        y: ClassKey | None = None,
    ) -> None:
        self.target, self.count, self.steps, self.step_size = target, count, steps, step_size
        self.length = length
        self.confidence, self.stay, self.rows, self.columns, self.y = confidence, stay, rows, columns, y

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return rows of samples along their edits, by the gradient and by the direction."""
        judge = Judge(look, "kind=edit")
        target = judge.number(self.target)
        y = labels(look, self.y, self.count)
        region = Region(look.state.game.latent, Draws(look.device, config.seed, "region"))
        keep = region.inside if self.stay else lambda z: z
        size, far = config.batch_size, self.length * region.scale

        def log_p(z: Tensor) -> Tensor:
            return judge.log_p(look.state.game.generate(z, None if y is None else y[at], look.network))

        z, others = (look.z(2 * self.count, config.seed)[i::2] for i in (0, 1))
        edited, moved = [], []
        rows = [slice(start, start + size) for start in range(0, self.count, size)]
        with evaluated(look.network):
            for at in rows:
                edited.append(
                    edit(z[at], log_p, target, self.steps, self.step_size * region.scale, self.confidence, keep)
                )
            path = _joined(edited)
            try:
                direction, length = direction_of(path, target)
            except ValueError:
                pass  # none arrived: reported below
            else:
                for at in rows:
                    moved.append(follow(others[at], direction, log_p, self.steps, far, keep))
        ways = {"gradient": path} | ({"direction": _joined(moved)} if moved else {})
        images = {key: [as_stored(look.draw(way.z[i], y, size)) for i in (0, -1)] for key, way in ways.items()}
        votes = by_neighbours(torch.cat([x for pair in images.values() for x in pair]), look.data)
        name = judge.names[target]
        numbers: dict[str, Any] = {"target": name, "prior_length": region.scale, "gradient": None, "direction": None}
        lines, pictures = [], {}
        for i, (key, way) in enumerate(ways.items()):
            voted = None if votes is None else votes.unflatten(0, (-1, 2, self.count))[i]
            numbers[key], text = self._measured(judge, way, images[key], voted, target)
            if key == "gradient":
                lines.append(f"{self.count} samples edited, each along its own gradient, towards {name}:")
            else:
                lines.append(f"{self.count} others moved by {far:.2f} along the mean direction of these edits:")
            lines += text
            pictures["" if key == "gradient" else key] = self._picture(look, way, y, name, size)
        if not moved:
            return Found(pictures, numbers, [*lines, "no sample reached the class, so there is no direction"])
        shares = ways["direction"].share(target).tolist()
        mean = round(length / far * self.steps)
        reached = shares[mean] if mean <= self.steps else None
        numbers["direction"] |= {
            "unit_vector": direction.tolist(),
            "mean_edit_length": length,
            "length": far,
            "share_at_mean_edit_length": reached,
            "shares": shares,
        }
        if reached is not None:
            lines.append(f"  {100 * reached:.0f} % are {name} after {length:.2f}, the mean length of an edit")
        return Found(pictures, numbers, lines)

    def _measured(
        self, judge: Judge, path: Path, images: list[Tensor], votes: Tensor | None, target: int
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the effect on the samples, for JSON and as text; votes (2, N) are the classes before and after."""
        name, was = judge.names[target], path.log_p[0].argmax(dim=1) == target
        now = path.log_p[-1].argmax(dim=1) == target
        before, after = float(was.double().mean()), float(now.double().mean())
        changed = float(now[~was].double().mean()) if not was.all() else None
        found = entanglement(path.log_p[0], path.log_p[-1], target)
        shares = None if votes is None else (votes == target).double().mean(dim=1).tolist()
        length = float((path.z[-1] - path.z[0]).norm(dim=1).mean())
        brightness = float((images[1] - images[0]).mean())
        numbers = {
            "share_before": before,
            "share_after": after,
            "share_changed": changed,
            "share_by_neighbours": shares,
            "mean_length": length,
            "brightness_change": brightness,
            **self._entry(found, judge, target),
        }
        lines = [f"  {name}: {100 * before:.0f} % before, {100 * after:.0f} % after; mean move of z {length:.2f}"]
        if shares is not None:
            lines.append(
                f"  by the 5 nearest training images: {100 * shares[0]:.0f} % before, {100 * shares[1]:.0f} % after"
            )
        if found.ratio is not None:
            lines.append(
                f"  entanglement {found.ratio:.2f}: other classes' logits move by {float(found.others.mean()):.2f} "
                f"of their standard deviations, the logit of {name} by {found.target:.2f}"
            )
        return numbers, lines

    def _entry(self, found: Entanglement, judge: Judge, target: int) -> dict[str, Any]:
        others = [name for i, name in enumerate(judge.names) if i != target]
        return {
            "entanglement": found.ratio,
            "target_moved_deviations": found.target,
            "others_moved_deviations": dict(zip(others, found.others.tolist(), strict=True)),
        }

    def _picture(self, look: Look, path: Path, y: Tensor | None, name: str, batch_size: int) -> Any:
        """Return one row for each sample, from the unchanged sample to the end of its edit."""
        rows, columns = min(self.rows, path.z.shape[1]), min(self.columns, len(path.z))
        chosen = torch.linspace(0, len(path.z) - 1, columns).round().long()
        z = path.z[chosen][:, :rows].transpose(0, 1)
        labels = None if y is None else y[:rows].repeat_interleave(columns, dim=0)
        x = look.draw(z.flatten(0, 1), labels, batch_size).unflatten(0, (rows, columns))
        return panels([("unchanged", x[:, :1]), (f"edited towards {name}", x[:, 1:])])


def _joined(paths: list[Path]) -> Path:
    return Path(*(torch.cat(parts, dim=1) for parts in zip(*paths, strict=True)))
