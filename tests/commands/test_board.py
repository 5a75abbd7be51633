"""`gan board`: TensorBoard on a directory of runs."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from gan_cli.cli import main
from gan_cli.commands.board import serve
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.tensorboard import Board


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
            address = re.fullmatch(r"runs: (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops it\)\n", line)[1]
            with urllib.request.urlopen(address, timeout=30) as page:
                assert page.status == 200
            board.send_signal(signal.SIGINT)
            assert board.wait(timeout=30) == 0
            assert board.stderr.read() == ""
        finally:
            board.kill()


def test_hparams_opens_on_what_differs_and_on_the_estimates(tmp_path):
    for seed in (0, 1):
        run = tmp_path / "runs" / f"seed-{seed}"
        run.mkdir(parents=True)
        board = Board(RunDirectory(run), None)
        settings = {"updates.k": seed, "constraint.class": str(seed), "evaluate.count": seed + 1, "seed": seed}
        board.describe("", {"loss": "wgan", "a": 1, **settings})
        tags = ("critic/clip_saturation", "critic/loss", "critic/wasserstein_normalised", "quality/kid", "quality/fid")
        board.scalars(1, dict.fromkeys(tags, float(seed)))
        board.close()
    request = {"experimentName": "", "includeMetrics": True, "hparamsLimit": 0}
    address = serve(tmp_path / "runs", ["--host", "127.0.0.1", "--port", "0"])
    limit = time.monotonic() + 60
    found = {}
    while len(found.get("metricInfos", [])) < 5:
        assert time.monotonic() < limit, found
        time.sleep(0.05)
        question = urllib.request.Request(
            f"{address}data/plugin/hparams/experiment",
            json.dumps(request).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(question, timeout=30) as answer:
            found = json.load(answer)
    assert [info["name"] for info in found["hparamInfos"]] == [
        *("seed", "updates.k", "constraint.class", "evaluate.count"),
        *("loss", "a"),
    ]
    assert [info["name"]["tag"] for info in found["metricInfos"]] == [
        *("critic/wasserstein_normalised", "quality/fid", "quality/kid"),
        *("critic/loss", "critic/clip_saturation"),
    ]


def test_custom_scalars_shows_the_charts_that_have_a_curve(tmp_path):
    run = tmp_path / "runs" / "ring"
    run.mkdir(parents=True)
    board = Board(RunDirectory(run), None)
    board.describe("", {})
    board.scalars(1, {"critic/js_estimate": 0.5, "critic/loss": 1.0})
    board.close()
    address = serve(tmp_path / "runs", ["--host", "127.0.0.1", "--port", "0"])
    limit = time.monotonic() + 60
    found = {}
    while len(found.get("category", [])) != 2:
        assert time.monotonic() < limit, found
        time.sleep(0.05)
        with urllib.request.urlopen(f"{address}data/plugin/custom_scalars/layout", timeout=30) as answer:
            found = json.load(answer)
    shown = {category["title"]: [chart["title"] for chart in category["chart"]] for category in found["category"]}
    assert shown == {"Losses": ["critic"], "Other distances": ["divergences, distances and energies"]}


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
