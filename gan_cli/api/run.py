"""A run, as Python has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gan_cli.api.kept import settings_kept
from gan_cli.api.request import requested, words_for, words_of
from gan_cli.config.names import option
from gan_cli.core.log_rows import LogRows
from gan_cli.errors import UserError
from gan_cli.runs import directory, exported, reading
from gan_cli.runs.contents import METRICS, SAMPLES
from gan_cli.runs.metrics_log import read_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from gan_cli.analysis.explore.base import Found
    from gan_cli.analysis.run_collapse import RunCollapse
    from gan_cli.analysis.run_report import Part as Report
    from gan_cli.analysis.run_scores import RunScores
    from gan_cli.api.metrics import Metrics
    from gan_cli.api.samples import Samples
    from gan_cli.config.schema import RunConfig
    from gan_cli.session.export import Exported
    from gan_cli.session.given import Given
    from gan_cli.session.load import Loaded
    from gan_cli.session.own_callbacks import Callback
    from gan_cli.session.plain_networks import PlainCritic, PlainGenerator


class Which(NamedTuple):
    """Which state of a run is loaded, and where; as `Run` takes them."""

    weights: Literal["auto", "ema", "raw"]
    checkpoint: Literal["latest", "best"] | int
    device: str


class Run:
    """A run directory. Nothing of it is loaded before it is used; its files are changed by `resume` alone.

    Args:
        path: the directory.
        checkpoint: latest; best; or a step.
        weights: of the generator: ema, raw or auto.
        device: where networks are computed: auto, cpu, cuda or cuda:N.
        allow_targets: modules of the user's own parts that it may import.
        generator: a module with the run's architecture, where Python gave it.
        critic: likewise.
        dataset: the run's samples, where Python gave them.

    Attributes:
        path: the directory.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        checkpoint: Literal["latest", "best"] | int = "latest",
        weights: Literal["auto", "ema", "raw"] = "auto",
        device: str = "auto",
        allow_targets: Sequence[str] = (),
        generator: nn.Module | None = None,
        critic: nn.Module | None = None,
        dataset: Any = None,
    ) -> None:
        self.path = Path(path)
        self._which = Which(weights, checkpoint, device)
        self._allow_targets = list(allow_targets)
        self._objects = (generator, critic, dataset)

    @property
    def state(self) -> str:
        """Whether it is finished, running, failed, interrupted, killed, starting, or exported."""
        return reading.run_at(self.path).state

    @property
    def step(self) -> int:
        """Steps done, as far as its files say."""
        return reading.run_at(self.path).step

    @property
    def status(self) -> dict[str, Any]:
        """The content of run.json: how it ended, and on which machine, versions and data each session ran."""
        return directory.read_status(self.path)

    @cached_property
    def config(self) -> RunConfig:
        """The run's settings, resolved; of an export, those that build its generator.

        Raises:
            UserError: they are not a run's, or name code that `allow_targets` does not permit.
        """
        from gan_cli.config.validate import validate_saved

        if exported.is_export(self.path):
            return validate_saved(exported.read_about(self.path).config, self._allow_targets)
        return validate_saved(directory.read_config(self.path), self._allow_targets)

    @property
    def metrics(self) -> Metrics:
        """Its curves: tag -> values, as arrays of one length; `step` has the steps. Read again each time."""
        from gan_cli.api.metrics import Metrics

        return Metrics.of(self._rows())

    @cached_property
    @settings_kept
    def generator(self) -> PlainGenerator:
        """A copy of the generator in eval mode: z (N, size) -> samples (N, ...); what else it reads: y, source."""
        from gan_cli.session.load import generator_of
        from gan_cli.session.plain_networks import PlainGenerator

        game, network = self._loaded.state.game, generator_of(self._loaded.state, self._which.weights)
        return PlainGenerator(game, network)

    @cached_property
    @settings_kept
    def critic(self) -> PlainCritic:
        """A copy of the critic in eval mode: samples (N, ...) -> scores (N,); what else it reads: y, source.

        Raises:
            UserError: the run is an export, which has none.
        """
        self._require_run()
        from gan_cli.session.plain_networks import PlainCritic

        return PlainCritic(self._loaded.state.game)

    @settings_kept
    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        y: int | str | Sequence[int | str] | Sequence[Sequence[float]] | None = None,
        c: float | Sequence[float | None] | None = None,
        truncation: float | None = None,
        statistics: Literal["running", "whole"] = "running",
        batch_size: int = 250,
    ) -> Samples:
        """Draw samples, those of `gan sample` before they are rounded to 8 bits; of a task, from held-out sources.

        Args:
            n: how many.
            seed: of z.
            y: classes, by number or name, or label vectors (M, F), in turn; None: all classes, or labels of training
                samples, in turn.
            c: values of the prior's codes, None for those that are drawn.
            truncation: psi: z is drawn again until every number is within +-psi.
            statistics: of the generator's batch norms; whole: computed again from 4,000 of its inputs in 16 batches.
            batch_size: samples drawn at a time.

        Returns:
            float32 (n, C, H, W) in [-1, 1], or points (n, D), on the run's device; `labels` has their classes (n,), or
            label vectors (n, F).

        Raises:
            UserError: there is no such checkpoint, or the run cannot generate such samples.
        """
        import torch

        from gan_cli.api.samples import Samples
        from gan_cli.session.samples import samples

        keys = {
            "format": "npz",
            "count": n,
            "seed": seed,
            "y": y,
            "c": c,
            "truncation": truncation,
            "statistics": statistics,
            "batch_size": batch_size,
        }
        drawn = samples(self._loaded, self._request("sample", keys))
        return Samples.of(torch.cat(list(drawn.batches)), drawn.columns, drawn.labels)

    def walk(self, **keys: Any) -> Found:
        """Walk through the space of z: `explore("walk", ...)`."""
        return self.explore("walk", **keys)

    @settings_kept
    def explore(self, kind: str, **keys: Any) -> Found:
        """Explore the generator, as `gan explore RUN kind=...`; nothing is written.

        Args:
            kind: see `gan list kind`.
            **keys: of the kind, such as `points=4`; or seed, batch_size and extractor.

        Raises:
            UserError: the kind cannot show anything of this run, or has no such key.
        """
        from gan_cli.session.explore import explore

        common = ("seed", "batch_size", "extractor", "weights", "checkpoint", "device")
        named = {key if key.split(".")[0] in common else f"kind.{key}": value for key, value in keys.items()}
        config = self._request("explore", {"kind": kind, **named})
        return explore(config, kind, self._given).found

    @settings_kept
    def evaluate(self, **keys: Any) -> RunScores:
        """Score the generator against the run's data, as `gan evaluate`; nothing is written.

        Args:
            **keys: extractor, count, w1_count, split, statistics, seed, batch_size, as `gan evaluate --help` has them.

        Raises:
            UserError: no data to compare with, or no extractor for them.
        """
        from gan_cli.analysis.run_scores import run_scores
        from gan_cli.session.look import look

        config = self._request("evaluate", keys)
        return run_scores(look(config, given=self._given), config)

    @settings_kept
    def collapse(self, **keys: Any) -> RunCollapse:
        """Test whether the generator repeats itself, as `gan collapse`; nothing is written.

        Args:
            **keys: extractor, batches, max_size, pairs, count, seed, batch_size, as `gan collapse --help` has them.

        Raises:
            UserError: no data to compare with, or no extractor for them.
        """
        from gan_cli.analysis.run_collapse import run_collapse
        from gan_cli.session.look import look

        config = self._request("collapse", keys)
        return run_collapse(look(config, given=self._given), config)

    @settings_kept
    def report(self, *, updates: int = 50, count: int = 500, extractor: str | Path = "auto", seed: int = 0) -> Report:
        """Say what the run's curves and critic mean, as `gan report`; nothing is written.

        Args:
            updates: critic updates that test whether it is optimal.
            count: samples of each checkpoint, if the rows have no score.
            extractor: of scores, if the rows have none.
            seed: of the samples drawn here.
        """
        from gan_cli.session.report import Asked, part_of

        self._require_run()
        chosen = self._request("evaluate", {"extractor": extractor, "seed": seed}).extractor
        device = self._which.device
        asked = Asked(chosen, device, seed, count, updates, self._allow_targets, self._given)
        return part_of(reading.run_at(self.path), asked)

    @settings_kept
    def resume(
        self,
        overrides: Sequence[str] = (),
        *,
        callbacks: Sequence[Callback] = (),
        progress: bool = True,
    ) -> Run:
        """Continue the run, as `gan resume`, and return it as it is then.

        Args:
            overrides: of what may change, such as ["train.steps=5000"].
            callbacks: as for `gan_cli.train`.
            progress: show on stderr how far it is.

        Raises:
            GanError: it cannot be continued, is finished, or stopped early again.
        """
        from gan_cli.api.caller import caller_of
        from gan_cli.session import start

        words = words_of(overrides)
        caller = caller_of(["gan_cli.Run.resume", str(self.path), *words], callbacks, progress)
        start.resume(self._request("resume", {}, words), caller, self._given)
        return self._again()

    def figure(self, *tags: str) -> Figure:
        """Draw curves over the steps, with the median filter of the WGAN paper's figures.

        Args:
            *tags: of metrics.jsonl, such as critic/loss; none, or "estimate": the critic's estimate.

        Raises:
            UserError: the run has no rows, or no such curve.
        """
        from gan_cli.analysis.figures import curve_figure

        self._require_run()
        if not all(isinstance(tag, str) for tag in tags):
            raise UserError(f"figure({tags[0]!r}): takes tags, as in figure('critic/loss', 'generator/loss')")
        rows = self._rows()
        if not rows:
            raise UserError(f"{self.path}: the run has no rows yet, so there is no curve")
        chosen = [reading.headline(rows[-1]) if tag == "estimate" else tag for tag in tags or ("estimate",)]
        try:
            return curve_figure(rows, chosen)
        except ValueError as error:
            raise UserError(f"{self.path}: {error}; its curves are {', '.join(rows[-1])}") from error

    @settings_kept
    def export(
        self,
        format: Literal["safetensors", "onnx", "torch_export", "hub"] = "safetensors",
        out: str | Path | None = None,
        *,
        direction: Literal["a_to_b", "b_to_a"] | None = None,
        **keys: Any,
    ) -> Exported:
        """Write the generator for other programs, as `gan export RUN`.

        Args:
            format: safetensors: a directory that `gan_cli.load` reads; onnx, torch_export: a graph of z, y, truncation
                and source, as far as the generator reads them; hub: a directory with a model card.
            out: the directory, or the graph's file; None: in the run's exports/.
            direction: of the graph of a run of task=cycle; None: a_to_b.
            **keys: statistics, as for `sample`; of a model card: extractor, count, w1_count, split, seed, batch_size,
                as for `evaluate`.

        Returns:
            its path, and how far a graph's samples are from the generator's.

        Raises:
            UserError: a library is missing, or it cannot be written.
            GanError: a graph's samples differ by more than 1e-4.
        """
        from gan_cli.session.export import export, refuse_unused

        refuse_unused(format, keys)
        device = "cpu" if self._which.device == "auto" else self._which.device  # as the command has it
        named = {"format": format, "out": out and str(out), "direction": direction, "device": device}
        return export(self._request("export", {**named, **keys}), self._given)

    def check(self) -> None:
        """Require that the run's config is valid, and that what it needs of Python was given.

        Raises:
            UserError: what is wrong.
        """
        from gan_cli.session.networks import require_given

        require_given(self.config, self._given)

    def __repr__(self) -> str:
        about = reading.run_at(self.path)
        return f"Run({str(self.path)!r}: {about.state}, step {about.step} of {about.total_steps})"

    def _repr_html_(self) -> str:
        from gan_cli.analysis import page

        about = reading.run_at(self.path)
        parts = (option(group, about.config, about.choices) for group in ("loss", "model", "dataset"))
        cells = [str(self.path), about.state, f"{about.step} of {about.total_steps}", *parts]
        heads = ["run", "state", "step", "loss", "model", "dataset"]
        if tag := about.standing.tag:
            heads.append(tag)
            cells.append(f"{about.standing.value:.4g}")
        pictures = sorted((self.path / SAMPLES).glob("step_*.png"))
        shown = page.image("the newest samples", pictures[-1].read_bytes()) if pictures else ""
        return page.table(heads, [cells]) + shown

    def _require_run(self) -> None:
        """Refuse an export.

        Raises:
            UserError: it is one.
        """
        if exported.is_export(self.path):
            raise exported.needs_the_run(self.path)

    @cached_property
    def _given(self) -> Given:
        from gan_cli.session.given import from_python

        return from_python(*self._objects)

    @cached_property
    def _loaded(self) -> Loaded:
        from gan_cli.session.load import load

        return load(self.path, self._which.device, self._which.checkpoint, self._allow_targets, self._given)

    def _again(self) -> Run:
        """Return the same run without anything that was read of it."""
        same = Run(self.path, **self._which._asdict(), allow_targets=self._allow_targets)
        same._objects = self._objects
        return same

    def _rows(self) -> LogRows:
        return read_rows(self.path / METRICS)

    def _request(self, command: str, keys: Mapping[str, Any], overrides: Sequence[str] = ()) -> Any:
        """Return a command's config for this run."""
        settings = {"run": str(self.path), **({} if command == "resume" else self._which._asdict()), **keys}
        words = [word for key, value in settings.items() for word in words_for(key, value)]
        if self._allow_targets:
            words.append(f"allow_targets=[{','.join(self._allow_targets)}]")
        return requested(command, [*words, *overrides]).config
