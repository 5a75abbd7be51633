"""`gan board`: TensorBoard on a directory of runs."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import webbrowser

import pytest

from gan_cli.cli import main
from gan_cli.commands._board_address import with_pins
from gan_cli.commands._board_scales import labels
from gan_cli.commands.board import main as board
from gan_cli.commands.board import serve
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.tensorboard import Board
from tests.analysis.made_runs import ESTIMATE, NORMALISED, make_run


def test_help(capsys):
    with pytest.raises(SystemExit):
        main(["board", "--help"])
    assert "gan board [DIR]" in capsys.readouterr().out


def test_it_serves_until_ctrl_c(tmp_path):
    (tmp_path / "runs").mkdir()
    command = [sys.executable, "-m", "gan_cli", "board", "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as board:
        try:
            line = board.stdout.readline()
            address = re.fullmatch(r"runs: (http://127\.0\.0\.1:\d+/#timeseries) \(Ctrl-C stops it\)\n", line)[1]
            with urllib.request.urlopen(address, timeout=30) as page:
                assert page.status == 200
            board.send_signal(signal.SIGINT)
            assert board.wait(timeout=30) == 0
            assert board.stderr.read() == ""
        finally:
            board.kill()


def asked(address, until=bool, body=None, **query):
    """Return what TensorBoard answers, in JSON, as soon as it has read enough of the runs."""
    limit = time.monotonic() + 60
    question = urllib.request.Request(
        f"{address}?{urllib.parse.urlencode(query)}",
        body and json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    while True:
        with urllib.request.urlopen(question, timeout=30) as answer:
            found = json.load(answer)
        if until(found):
            return found
        assert time.monotonic() < limit, found
        time.sleep(0.05)


@pytest.fixture
def served(tmp_path):
    """Serve the runs; return the address of TensorBoard's plugins."""
    return lambda: serve(tmp_path / "runs", ["--host", "127.0.0.1", "--port", "0"]) + "data/plugin/"


def logged(path, settings, values):
    """Write what a run of one step shows in TensorBoard."""
    path.mkdir(parents=True, exist_ok=True)
    board = Board(RunDirectory(path), None)
    board.describe("", settings)
    board.scalars(1, values)
    board.close()


def columns(address, metrics):
    """Return the settings and the metrics that the HPARAMS page shows, in its order, as soon as there are so many."""
    body = {"experimentName": "", "includeMetrics": True, "hparamsLimit": 0}
    found = asked(f"{address}hparams/experiment", lambda found: len(found.get("metricInfos", [])) == metrics, body)
    return [info["name"] for info in found["hparamInfos"]], [info["name"]["tag"] for info in found["metricInfos"]]


def test_hparams_opens_on_what_differs_and_on_the_estimates(served, tmp_path):
    tags = ("critic/clip_saturation", "critic/loss", "critic/wasserstein_normalised", "quality/kid", "quality/fid")
    for seed in (0, 1):
        settings = {"updates.k": seed, "constraint.class": str(seed), "evaluate.count": seed + 1, "seed": seed}
        shown = {"loss": "wgan", "a": 1, **settings}
        logged(tmp_path / "runs" / f"seed-{seed}", shown, dict.fromkeys(tags, float(seed)))
    assert columns(served(), 5) == (
        ["seed", "updates.k", "constraint.class", "evaluate.count", "loss", "a"],
        [
            *("critic/wasserstein_normalised", "quality/fid", "quality/kid"),
            *("critic/loss", "critic/clip_saturation"),
        ],
    )


def test_metrics_that_all_runs_have_come_first(served, tmp_path):
    shared = ("critic/loss", "generator/loss", "quality/fid", "quality/modes", "speed/steps_per_second")
    for loss, own in (("wgan", "critic/wasserstein_normalised"), ("gan", "critic/js_estimate")):
        logged(tmp_path / "runs" / loss, {"loss": loss}, dict.fromkeys((own, *shared), 1.0))
    _, tags = columns(served(), 7)
    assert sorted(tags[:5]) == sorted(shared)
    assert tags[0] == "quality/fid"


def test_custom_scalars_shows_the_charts_that_have_a_curve(served, tmp_path):
    logged(tmp_path / "runs" / "ring", {}, {"critic/js_estimate": 0.5, "critic/loss": 1.0})
    found = asked(f"{served()}custom_scalars/layout", lambda found: len(found.get("category", [])) == 2)
    shown = {category["title"]: [chart["title"] for chart in category["chart"]] for category in found["category"]}
    assert shown == {"Losses": ["critic"], "Other distances": ["js estimate"]}


@pytest.fixture
def of_two_scales(tmp_path):
    """Runs of two losses, whose critics' units differ, with the curves of both in TensorBoard."""
    for loss, target, value in (("wgan", "wasserstein.Wasserstein", 0.01), ("wgan_gp", "wasserstein.Other", 20.0)):
        run = make_run(tmp_path / "runs" / loss, choices={"loss": loss, "model": "mlp"})
        config = run / "config.yaml"
        config.write_text(config.read_text().replace("wasserstein.Wasserstein", target))
        rows = (run / "metrics.jsonl").read_text().splitlines()
        row = json.loads(rows[-1]) | {"critic/wasserstein_heldout": value}
        (run / "metrics.jsonl").write_text("\n".join([*rows[:-1], json.dumps(row)]) + "\n")
        (run / "samples").mkdir()
        for name in ("real", "step_0000000000"):
            (run / "samples" / f"{name}.png").write_bytes(b"")
        logged(run, {"loss": loss}, {ESTIMATE: value, "critic/wasserstein_heldout": value, NORMALISED: 1.0})
    return tmp_path / "runs"


def test_the_address_pins_what_can_be_compared_what_is_held_out_and_samples_beside_real_ones(of_two_scales):
    address = with_pins("http://localhost:6006/", of_two_scales)
    parts = urllib.parse.urlsplit(address)
    assert parts.fragment == "timeseries"
    pins = json.loads(urllib.parse.parse_qs(parts.query)["pinnedCards"][0])
    assert [pin["tag"] for pin in pins if pin["plugin"] == "scalars"] == [
        NORMALISED,
        *(f"critic/wasserstein_heldout, {loss}" for loss in ("wgan", "wgan_gp")),
    ]
    assert [(pin["tag"], pin["runId"], pin["sample"]) for pin in pins if pin["plugin"] == "images"] == [
        (f"samples/{kind}", f"defaultExperimentId/{loss}", 0)
        for loss in ("wgan", "wgan_gp")
        for kind in ("fixed", "real")
    ]
    one = urllib.parse.unquote(with_pins("http://localhost:6006/", of_two_scales / "wgan"))
    assert '"tag":"critic/wasserstein_heldout"' in one
    assert '"runId":"defaultExperimentId/."' in one


def test_each_scale_has_a_frame_and_what_can_be_compared_has_one(of_two_scales, served):
    address = served()
    layout = asked(f"{address}custom_scalars/layout")
    (charts,) = [category["chart"] for category in layout["category"]]
    assert [chart["title"] for chart in charts] == [
        "normalised by the Lipschitz constant",
        *(f"estimate, held-out: {loss}" for loss in ("wgan", "wgan_gp")),
    ]
    (pattern, _) = charts[2]["multiline"]["tag"]
    for loss, values in (("wgan", []), ("wgan_gp", [20.0])):
        drawn = asked(f"{address}custom_scalars/scalars", run=loss, tag=pattern)["tag_to_events"]
        assert [value for events in drawn.values() for _, _, value in events] == values
    for plugin in ("timeseries/tags", "scalars/tags"):
        found = json.dumps(asked(f"{address}{plugin}"))
        assert f'"{ESTIMATE}, wgan"' in found
        assert f'"{NORMALISED}"' in found
        assert f'"{ESTIMATE}"' not in found
    assert asked(f"{address}scalars/scalars", run="wgan", tag=f"{ESTIMATE}, wgan")[0][2] == pytest.approx(0.01)


def test_runs_of_one_scale_share_the_tags_of_their_files(tmp_path):
    paths = [make_run(tmp_path / "runs" / str(seed), seed=seed) for seed in (0, 1)]
    assert labels(tmp_path / "runs", [path.name for path in paths]) == {"0": "", "1": ""}
    make_run(tmp_path / "runs" / "2", c=0.1)
    make_run(tmp_path / "runs" / "3", n_critic=2)  # which no scale depends on
    assert list(labels(tmp_path / "runs", "0123").values()) == ["c=0.01", "c=0.01", "c=0.1", "c=0.01"]
    assert labels(tmp_path / "runs", ["gone"]) == {}


@pytest.mark.parametrize(
    ("settings", "opened"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, False),
        ({"SSH_CONNECTION": "a b", "BROWSER": "helper"}, True),
        ({}, False),
    ],
)
def test_a_browser_is_opened_where_someone_sees_it(tmp_path, monkeypatch, settings, opened):
    (tmp_path / "runs").mkdir()
    seen = []
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(webbrowser, "open", seen.append)
    monkeypatch.setattr("gan_cli.commands.board.serve", lambda directory, flags: "http://h/")
    monkeypatch.setattr("threading.Event.wait", lambda self: None)
    runs = str(tmp_path / "runs")
    assert board([runs]) == 0
    assert seen == ["http://h/#timeseries"] * opened
    assert board([runs, "--no-open"]) == 0
    assert len(seen) == opened


def test_a_port_that_is_taken(refused, tmp_path):
    (tmp_path / "runs").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refused("board", "--host", "127.0.0.1", "--port", port)
    assert port in line
    assert line.endswith("try another port: --port 7007")


@pytest.mark.parametrize("flags", [["--prot", "7007"], ["--port", "x"], ["--fast"]])
def test_flags_that_tensorboard_does_not_take(refused, tmp_path, flags):
    (tmp_path / "runs").mkdir()
    assert refused("board", "runs", *flags).startswith(" ".join(flags))
