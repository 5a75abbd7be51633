"""Every study, found by glob: its YAML composes, its class exists, and a tiny form of it runs to the end."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from gan_cli.config import parts
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.studies import running
from gan_cli.studies.base import Study
from tests.command_arguments import composed
from tests.conftest import CONF
from tests.helpers import alone

NAMES = sorted(path.stem for path in (CONF / "study").glob("*.yaml") if path.stem != "all")
TINY = ("train.steps=2", "log.every_steps=1", "train.batch_size=8", "runtime.threads=1")  # where nothing else is needed
FEW = ("dataset.limit=60", "dataset.holdout=30", "model.width=4")
IMAGES = (*FEW, "evaluate.every_steps=1", "evaluate.count=10")
SHORT = {  # further words of the command, by the study
    "arithmetic": FEW,
    "began_measure": (*IMAGES, "train.steps=5"),
    "batch_norm_statistics": FEW,
    "birthday": FEW,
    "dcgan_features": FEW,
    "ebgan_margin": IMAGES,
    "fgan_images": IMAGES,
    "infogan_codes": FEW,
    "instance_noise": ("evaluate.every_steps=1", "evaluate.count=20", "evaluate.w1_count=10"),
    "memorisation": FEW,
    "truncation": FEW,
    "vanishing_gradients": FEW[:2],
    "wgan_figures_5_7": IMAGES,
    "wgan_figure_3": (*IMAGES, "train.steps=5"),
    "wgan_figure_4": (*IMAGES, "train.steps=5"),
    "wgan_momentum": IMAGES,
    "unrolled_stacked": (*FEW, "study.samples=200"),
    "wgan_gp_architectures": IMAGES,
    "unrolled_ring": ("model.width=4", "log.samples_every_steps=1"),
}


def tiny(name: str) -> list[str]:
    """The words of a form of a study that takes seconds."""
    return ["study", name, "seed=0", *TINY, *SHORT.get(name, [])]


def verdicts(path: Path) -> set[str]:
    return {claim["verdict"] for claim in json.loads((path / "study.json").read_text())["claims"].values()}


@pytest.mark.parametrize("name", NAMES)
def test_a_study_composes_and_says_what_it_needs(name):
    study = parts.build(composed("study", f"study={name}").study, "study", Study)
    assert study.claims
    assert study.minutes > 0
    assert all(claim.low is not None or claim.high is not None for claim in study.claims.values())
    assert len(study.notes) > 20


def is_long(name: str) -> bool:
    """Whether even its tiny form takes long: more than three runs, or a quick form of more than ten minutes."""
    content = yaml.safe_load((CONF / "study" / f"{name}.yaml").read_text())
    return len(content["runs"]) * len(content.get("each", [0])) > 3 or content["minutes"] > 10


LIKE_ANOTHER = {"wgan_figure_3"}  # wgan_figure_4 draws the same curves, of other losses
FORMS = [pytest.param(x, marks=pytest.mark.slow) if x in LIKE_ANOTHER or is_long(x) else x for x in NAMES]


@pytest.mark.parametrize("name", FORMS)
def test_a_tiny_form_runs_to_the_end(gan, name):
    ended = gan(*tiny(name))
    assert ended.code == 0, ended.err
    folder = Path("runs/studies", name)
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert verdicts(folder) <= {"held", "did not hold", "not decided"}
    assert all(claim in ended.out for claim in ("tolerance", "verdict"))


@pytest.fixture
def wgan_figure_2(gan, shared):
    """A tiny form of this study, as `gan` leaves it; the first test that asks runs it."""
    place, kept = Path("runs/studies/wgan_figure_2"), shared / "wgan_figure_2"
    with alone(shared / "wgan_figure_2.lock"):
        if not kept.exists():
            assert gan(*tiny("wgan_figure_2")).code == 0
            shutil.move(place, kept)
    shutil.copytree(kept, place)
    return place


def counted(monkeypatch: pytest.MonkeyPatch, limit: int) -> list[str]:
    """The runs that are trained; Ctrl-C comes before the one after `limit`."""
    trained, train = [], running.train

    def stopped(words, **keys):
        if len(trained) == limit:
            raise KeyboardInterrupt
        place = Path(next(word.partition("=")[2].strip("'") for word in words if word.startswith("run_dir=")))
        before = reading.run_at(place).state if place.exists() else "none"
        run = train(words, **keys)
        trained.append(before)
        return run

    monkeypatch.setattr(running, "train", stopped)
    return trained


def test_a_study_that_is_stopped_trains_only_what_is_missing(gan, monkeypatch):
    words = [*tiny("wgan_figure_2"), "seed=0,1"]
    with monkeypatch.context() as patched:
        counted(patched, 2)
        assert gan(*words).code == 130
    rows = [path.read_bytes() for path in sorted(Path("runs").rglob("metrics.jsonl"))]
    assert len(rows) == 2
    with monkeypatch.context() as patched:
        trained = counted(patched, 99)
        assert gan(*words).code == 0
    assert trained == ["finished"] * 2 + ["none"] * 4
    assert [path.read_bytes() for path in sorted(Path("runs").rglob("gan_*/metrics.jsonl"))] == rows


def test_the_list_names_every_study_with_its_time(gan):
    out = gan("study").out
    assert all(f"\n{name} " in f"\n{out}" for name in NAMES)
    assert out.count(" min  ") == len(NAMES)
    assert all(name in gan("list", "study").out for name in NAMES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("wgan_figur_2", "study=wgan_figur_2: no such option; did you mean study=wgan_figure_2?"),
        ("wgan_figure_2 seed=-1", "seed"),
        ("wgan_figure_2 seed=a,b", "seed"),
        ("wgan_figure_2 fulll=true", "fulll=true: no such key"),
        ("wgan_figure_2 study.minutes=fast", "study.minutes=fast"),
        ("wgan_figure_2 train.stpes=3", "train.stpes=3: no such key"),
        ("all out=here", "out=here: is one study's directory"),
    ],
)
def test_a_mistake_is_refused_in_one_line(refused, words, message):
    assert message in refused("study", *words.split())


def test_pages_have_every_study_and_the_pictures_of_those_that_ran(gan, wgan_figure_2):
    assert gan(*tiny("wgan_figure_2"), "docs=docs").code == 0
    page = Path("docs/studies.md").read_text()
    assert all(name in page for name in NAMES)
    assert page.count("![") == 1
    assert "gan study wgan_figure_2 seed=0" in page
    assert Path("docs/studies/wgan_figure_2.png").is_file()
    assert "did not hold" not in page.partition("| study |")[2]
    result = wgan_figure_2 / "study.json"
    content = json.loads(result.read_text())
    claim = content["claims"]["clipped_flatness"]
    claim |= {"verdict": "did not hold", "shown": "0.22 (0.2 to 0.24)"}
    result.write_text(json.dumps(content))
    assert gan("study", "docs=docs").code == 0
    [listed] = [line for line in Path("docs/studies.md").read_text().splitlines() if line.startswith("- [")]
    assert (
        listed
        == f"- [wgan_figure_2](#wgan_figure_2): {claim['text']}: 0.22 (0.2 to 0.24), tolerance at least 0.5, seeds 0"
    )


def test_a_result_names_the_machines_that_trained_its_runs(gan, wgan_figure_2):
    status = wgan_figure_2 / "gan_seed-0" / "run.json"
    content = json.loads(status.read_text())
    session = content["sessions"][0]
    here = f"{session['processor']}, 1 thread, torch {session['versions']['torch']}"
    assert json.loads((wgan_figure_2 / "study.json").read_text())["machine"] == here
    session["device"] = "NVIDIA X"
    status.write_text(json.dumps(content))
    assert gan(*tiny("wgan_figure_2")).code == 0
    machine = json.loads((wgan_figure_2 / "study.json").read_text())["machine"]
    assert machine == "; ".join(sorted([here, f"NVIDIA X, torch {session['versions']['torch']}"]))


OWN = """
from matplotlib.figure import Figure
from gan_cli.studies.base import Finding, Study
from gan_cli.studies.measured import exact


class Steps(Study):
    def look(self, runs):
        return Finding(Figure(), {"steps": exact(float(runs["only"][0].step))})
"""
OWN_YAML = """
# A run makes the steps that it is asked for
_target_: my_studies.Steps
minutes: 0.1
notes: none
common: [model=mlp, model.width=4, dataset.image_size=8, dataset.limit=60, dataset.holdout=20]
runs: {only: []}
claims: {steps: {text: two steps, published: 2, low: 2, high: 2}}
"""


def test_a_users_own_study(gan, tmp_path):
    (tmp_path / "my_studies.py").write_text(OWN)
    folder = tmp_path / "my_conf" / "study"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(OWN_YAML)
    own = ["--config-dir", "my_conf"]
    assert "mine" in gan("study", *own).out
    assert "allow_targets=[my_studies]" in gan("study", "mine", *own).err
    ended = gan("study", "mine", *own, "allow_targets=[my_studies]", *TINY)
    assert ended.code == 0, ended.err
    assert verdicts(Path("runs/studies/mine")) == {"held"}


def test_all_runs_every_study_although_one_fails(gan, monkeypatch):
    from gan_cli.commands import study as command

    ran = []

    def one(name, config, line):
        ran.append((name, config.full, config.overrides))
        if name == NAMES[1]:
            raise UserError("it cannot")

    monkeypatch.setattr(command, "_one", one)
    ended = gan("study", "all", "full=true", "train.steps=3")
    assert ended.code == 1
    assert ran == [(name, True, ["train.steps=3"]) for name in NAMES]
    assert ended.err.splitlines()[0] == f"gan: {NAMES[1]}: it cannot"
    assert f"1 studies failed: {NAMES[1]}" in ended.err
