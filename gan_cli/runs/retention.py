"""Which checkpoints of a run are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable

GOOD = 2  # the fewest checkpoints that verify and are never removed


def kept(
    present: Iterable[int],
    good: Collection[int],
    newest: int,
    milestone_every_steps: int | None = None,
    best: int | None = None,
) -> set[int]:
    """Return the steps whose checkpoints stay; what is not among them may be removed.

    They are the newest ones, whether they verify or not; every milestone, which is a multiple of
    `milestone_every_steps`; the best; and the two newest that verify, so that a damaged one never takes the place of
    one that could be needed.

    Args:
        present: steps that have a checkpoint.
        good: those of them known to verify; the two newest of these are enough.
        newest: how many of the newest stay, at least 2.
        milestone_every_steps: None: there are no milestones.
        best: the step of the best checkpoint, None where no curve is watched for it.
    """
    present = sorted(present, reverse=True)
    stay = {*present[:newest], *sorted(good, reverse=True)[:GOOD]}
    if milestone_every_steps:
        stay |= {step for step in present if step % milestone_every_steps == 0}
    return stay | ({best} & set(present))
