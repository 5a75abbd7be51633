"""Help, lists, completion and mistakes are answered without importing what takes long to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys

QUICK = {  # without Hydra either
    "--help": 0,
    "--version": 0,
    "list": 0,
    "list loss": 0,
    "list curves": 0,
    "-sc query=bash": 0,
    "tran": 2,
    "board nowhere": 2,
    "board --help": 0,
    "report --help": 0,
    "doctor --help": 0,
    "doctor nowhere": 2,
}
COMPOSED = {
    "train --help": 0,
    "train --cfg job": 0,
    "train --info config": 0,
    "-sc install=bash": 0,
    "-sc query=zsh": 0,
    "train loss=wgann": 2,
    "train train.stpes=3": 2,
    "train +train.stpes=3": 2,
    "train optimizer.lr=fast": 2,
    "train train.steps=0": 2,
    "train train.steps==": 2,
    "train loss=wgan,gan": 2,
    "train -m seed=0,1 train.steps=ten": 2,
    "train resume=auto": 2,
    "train loss._target_=os.system": 2,
    "resume": 2,
    "resume x optimizer.lr=1": 2,
    "sample x count=0": 2,
}
PLOTTED = {"report nowhere": 2, "compare nowhere": 2}  # with numpy
SCRIPT = """
import contextlib, io, json, os, sys
from gan_cli.cli import main
found = {}
for line in json.loads(sys.argv[1]):
    os.environ["COMP_LINE"] = "gan tr" if "bash" in line else "gan train loss=w"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = main(line.split())
        except SystemExit as end:
            code = end.code
    found[line] = [code, *(name for name in ("hydra", "numpy", "torch") if name in sys.modules)]
print(json.dumps(found))
"""


def test_torch_is_imported_by_what_needs_it_alone(tmp_path):
    lines = json.dumps([*QUICK, *COMPOSED, *PLOTTED])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, lines], capture_output=True, text=True, cwd=tmp_path, env=os.environ, check=True
    )
    expected = {line: [code] for line, code in QUICK.items()}
    expected |= {line: [code, "hydra"] for line, code in COMPOSED.items()}
    expected |= {line: [code, "hydra", "numpy"] for line, code in PLOTTED.items()}
    assert json.loads(done.stdout) == expected
    assert list(tmp_path.iterdir()) == []
