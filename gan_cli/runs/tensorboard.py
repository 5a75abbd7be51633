"""What a run shows in TensorBoard: curves, pictures, its config, its row among other runs."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping

from google.protobuf.struct_pb2 import Struct
from tensorboard.compat.proto.event_pb2 import Event, LogMessage, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar.layout_pb2 import Category, Chart, Layout, MultilineChartContent
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

from gan_cli.core.charts import layout
from gan_cli.core.files import AppendFile
from gan_cli.runs.contents import EVENTS
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.event_file import first_event, last_time, record, stamp


class Board:
    """The run's event files of one session, sorting after those that are there.

    The first takes what every session writes again (config, layout, the row among other runs), and is removed at the
    next; the second what belongs to the steps, and is the run's for good. Every call writes at once, whole or not at
    all: after an OSError it may be tried again. A writer of tensorboard's own ends at the first OSError, and names its
    file by the clock: once that is set back, readers discard the wrong half.

    Args:
        run: the run's directory, brought back to where this session begins; TensorBoard takes its name for the run's.
        purge_step: the first step that this session will write. None: a new run.
    """

    def __init__(self, run: RunDirectory, purge_step: int | None) -> None:
        before = sorted(run.inside.glob(f"{EVENTS}.*"))
        self._last_time = max((last_time(path) for path in before if path.suffix == ".gan"), default=0.0)
        name = f"{EVENTS}.{max([int(time.time()), *(stamp(path) + 1 for path in before)]):010d}"
        self._about, self._file = AppendFile(run.inside / f"{name}.about"), run.append(f"{name}.gan")
        self._is_described = False
        # Readers take the first START of a run for its beginning, and purge at each later one.
        start = Event(step=purge_step or 0, session_log=SessionLog(status=SessionLog.START))
        self._write(self._about, first_event(), start)
        self._write(self._file, first_event())

    def scalars(self, step: int, row: Mapping[str, float], lines: bytes = b"") -> None:
        """Write one value a tag, and beside them the lines of the log files, which no reader shows."""
        self._write(self._file, *row_events(step, row, lines))

    def image(self, tag: str, step: int, content: bytes) -> None:
        """Write a picture in PNG."""
        self._write(self._file, image_event(tag, step, content))

    def describe(self, config: str, settings: Mapping[str, str | float | int | bool]) -> None:
        """Write what the run is: its config, its row of the HPARAMS table, and the CUSTOM SCALARS page.

        No list of columns is written: TensorBoard would take the first run's for all, where it otherwise joins the
        settings of all runs and puts those that differ first.
        """
        values = Struct()
        values.update(settings)
        start = SessionStartInfo(start_time_secs=time.time(), hparams=values.fields)
        row = HParamsPluginData(session_start_info=start).SerializeToString()
        panels = Layout(
            category=[
                Category(
                    title=category,
                    chart=[Chart(title=title, multiline=MultilineChartContent(tag=t)) for title, t in charts.items()],
                )
                for category, charts in layout().items()
            ]
        )
        summaries = (
            _about("config", "text", text=f"```yaml\n{config}```".encode()),
            _about("custom_scalars__config__", "custom_scalars", text=panels.SerializeToString()),
            _about("_hparams_/session_start_info", "hparams", row),
        )
        self._write(self._about, *(Event(summary=summary) for summary in summaries))
        self._is_described = True

    def close(self, success: bool = True) -> None:
        """Say in the HPARAMS table how the session ended."""
        if self._is_described:
            status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
            end = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=time.time()))
            summary = _about("_hparams_/session_end_info", "hparams", end.SerializeToString())
            # Behind the events of the last step: a reader that is there meanwhile has left the file about the session.
            self._write(self._file, Event(summary=summary))
        self._about.close()

    def _write(self, file: AppendFile, *events: Event) -> None:
        self._last_time = max(time.time(), self._last_time)
        for event in events:
            event.wall_time = self._last_time
        file.write(b"".join(map(record, events)), events[0].step)


def row_events(step: int, row: Mapping[str, float], lines: bytes) -> list[Event]:
    """Return the events of a row: its values, in TensorBoard's single precision, and the lines of the log files."""
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in row.items()]
    log = LogMessage(level=LogMessage.INFO, message=lines.decode())
    return [Event(step=step, summary=Summary(value=values)), Event(step=step, log_message=log)]


def image_event(tag: str, step: int, content: bytes) -> Event:
    """Return the event of a picture in PNG."""
    width, height = struct.unpack_from(">II", content, 16)
    picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
    return Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, image=picture)]))


def _about(tag: str, plugin: str, content: bytes = b"", text: bytes | None = None) -> Summary:
    """Return what a plugin reads about a run: its own content, or a text."""
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=content))
    tensor = (
        None if text is None else TensorProto(dtype="DT_STRING", string_val=[text], tensor_shape=TensorShapeProto())
    )
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=tensor)])
