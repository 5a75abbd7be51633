"""What a run shows in TensorBoard: curves, pictures, its config, its row among other runs."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.struct_pb2 import Value
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar.layout_pb2 import Category, Chart, Layout, MultilineChartContent
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

from gan_cli.core.curves import Curve, declared, heldout_tag, is_estimate
from gan_cli.runs.event_file import EventFile

# The order of the categories of the CUSTOM SCALARS page; others follow.
_CATEGORIES = ("Wasserstein distance", "Losses", "Other distances", "Health", "Quality", "Modes", "Speed")
_ESTIMATES = ("Other distances", "divergences, distances and energies")  # the chart of estimates that name none


class Board:
    """The run's own event file. Every call writes at once, whole or not at all: after an OSError it may be tried again.

    `text`, `hparams` and `layout` describe the run rather than a step: call them in every session, after a resume too,
    where they take the place of what the earlier session wrote.

    Args:
        run_dir: the run directory; TensorBoard takes its name for the run's.
        purge_step: the first step that will be written: after a resume at step s it is s + 1, and whatever an earlier
            session wrote from there on is removed. None: a new run.
    """

    def __init__(self, run_dir: Path, purge_step: int | None) -> None:

        self._file = EventFile(run_dir, purge_step)
        self._has_row = False
        self._open = True

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Write one value a tag."""
        self._write(Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in row.items()]), step)

    def image(self, tag: str, step: int, png: bytes) -> None:
        """Write a picture in colour, encoded."""
        width, height = struct.unpack_from(">II", png, 16)
        picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._write(Summary(value=[Summary.Value(tag=tag, image=picture)]), step)

    def text(self, tag: str, text: str) -> None:
        """Write Markdown; for YAML, wrap it in a fenced block."""
        self._write(_about(tag, "text", text=text.encode()), 0)

    def hparams(self, settings: Mapping[str, str | float | int | bool]) -> None:
        """Write the run's row of the HPARAMS table; every scalar of the run is a metric there.

        No list of columns is written: TensorBoard would take the first run's for all, where it otherwise joins the
        settings of all runs and puts those that differ first.
        """
        start = SessionStartInfo(start_time_secs=time.time())
        for key, value in settings.items():
            _set(start.hparams[key], value)
        content = HParamsPluginData(session_start_info=start)
        self._write(_about("_hparams_/session_start_info", "hparams", content.SerializeToString()), 0)
        self._has_row = True

    def layout(self) -> None:
        """Write the CUSTOM SCALARS page, the Wasserstein panel first."""
        panels = Layout(
            category=[
                Category(
                    title=category,
                    chart=[Chart(title=title, multiline=MultilineChartContent(tag=t)) for title, t in charts.items()],
                )
                for category, charts in layout().items()
            ]
        )
        self._write(_about("custom_scalars__config__", "custom_scalars", text=panels.SerializeToString()), 0)

    def flush(self) -> None:
        """Return once everything written is on the disk; call it before a checkpoint is committed."""
        self._file.sync()

    def close(self, success: bool = True) -> None:
        """Say in the HPARAMS table how the session ended, and close; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            if self._has_row:
                self._write_end(success)
        finally:
            self._file.close()

    def _write_end(self, success: bool) -> None:
        status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
        end = SessionEndInfo(status=status, end_time_secs=time.time())
        content = HParamsPluginData(session_end_info=end).SerializeToString()
        self._write(_about("_hparams_/session_end_info", "hparams", content), 0)

    def _write(self, summary: Summary, step: int) -> None:
        self._file.write(Event(step=step, summary=summary))


def layout() -> dict[str, dict[str, list[str]]]:
    """Return the CUSTOM SCALARS page: category -> title of a chart -> regular expressions of tags.

    It is the same for every run and made of all curves that the package declares: TensorBoard merges the layouts of all
    runs, and would lose charts that only some of them have.
    """
    found: dict[str, dict[str, list[str]]] = {category: {} for category in _CATEGORIES}
    for curve in sorted(declared(), key=lambda curve: not is_estimate(curve.tag)):
        chart = curve.chart or (_ESTIMATES if curve.role or is_estimate(curve.tag) else None)
        if chart is not None:
            category, title = chart
            found.setdefault(category, {}).setdefault(title, []).append(f"^{_with_twin(curve)}$")
    return found


def _with_twin(curve: Curve) -> str:
    """Return the regular expression of a curve's tags, and of its held-out twin's where it is an estimate."""
    if not is_estimate(curve.tag):
        return curve.pattern
    start, _, kind = curve.pattern.rpartition("_")
    return f"{start}_({kind}|{heldout_tag(curve.pattern).rpartition('_')[2]})"


def _about(tag: str, plugin: str, content: bytes = b"", text: bytes | None = None) -> Summary:
    """Return what a plugin reads about a run: its own content, or a text."""
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=content))
    tensor = (
        None if text is None else TensorProto(dtype="DT_STRING", string_val=[text], tensor_shape=TensorShapeProto())
    )
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=tensor)])


def _set(field: Value, value: str | float | bool) -> None:
    if isinstance(value, bool):  # before numbers: a bool is an int
        field.bool_value = value
    elif isinstance(value, str):
        field.string_value = value
    else:
        field.number_value = value
