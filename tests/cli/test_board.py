"""`gan board`: TensorBoard on a directory of runs."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from gan_cli.cli import main


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
            address = re.fullmatch(r"runs: (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)[1]
            with urllib.request.urlopen(address, timeout=30) as page:
                assert page.status == 200
            board.send_signal(signal.SIGINT)
            assert board.wait(timeout=30) == 0
            assert board.stderr.read() == ""
        finally:
            board.kill()


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
