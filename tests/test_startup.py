"""Help, lists, completion and mistakes are answered without importing what takes long to import."""

from __future__ import annotations

import json

from tests.children import fresh

LINES = {  # exit codes and command lines, by what they import
    (): {
        0: "--help; --version; list; list loss; list curves; board --help; report --help; doctor --help; "
        "-sc query=bash",
        2: "tran; board nowhere; doctor nowhere",
    },
    ("hydra",): {
        0: "train --help; train --cfg job; train --info config; -sc install=bash; -sc query=zsh",
        2: "train loss=wgann; train train.stpes=3; train +train.stpes=3; train optimizer.lr=fast; train train.steps=0; "
        "train train.steps==; train loss=wgan,gan; train -m seed=0,1 train.steps=ten; train resume=auto; "
        "train loss._target_=os.system; resume; resume x optimizer.lr=1; sample x count=0; report nowhere; "
        "compare nowhere",
    },
}
SCRIPT = """
import contextlib, gc, io, json, os, sys
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
assert gc.isenabled()
print(json.dumps(found))
"""


def test_the_python_surface_costs_nothing_until_it_is_used(tmp_path):
    code = (
        "import sys, gan_cli; found = [m for m in sys.modules if m.startswith('gan_cli.')]; assert not found, found;"
        "from gan_cli import Run, list_runs, load; assert 'torch' not in sys.modules and 'hydra' not in sys.modules"
    )
    fresh("-c", code, folder=tmp_path)


def test_torch_is_imported_by_what_needs_it_alone(tmp_path):
    expected = {
        line: [code, *modules]
        for modules, by_code in LINES.items()
        for code, lines in by_code.items()
        for line in lines.split("; ")
    }
    done = fresh("-c", SCRIPT, json.dumps([*expected]), folder=tmp_path)
    assert json.loads(done.stdout) == expected
    assert list(tmp_path.iterdir()) == []


def test_event_files_need_no_stand_in_for_tensorflow():
    code = "import sys, gan_cli.runs.boards; sys.exit('tensorboard.compat.tensorflow_stub' in sys.modules)"
    fresh("-c", code)
