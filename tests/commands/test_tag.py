"""`gan tag` and `gan evaluate` of a run of task=tag: what they print and write, without the data, and each mistake."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from gan_cli.cli import main
from tests.data.small_sets import COLOURS, SHADES, write_tagged

TRAINED = (
    "task=tag", "extractor=pixels", "dataset.image_size=16", "dataset.holdout=6", "task.vector_size=4",
    "model.width=8", "model.critic.hidden=[8]", "train.batch_size=8", "train.steps=1", "task.draws=3",
    "task.nearest=2", "runtime=cpu", "runtime.threads=1", "train.ema_halflife_images=8",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one step, and the folder of its data."""
    folder = tmp_path_factory.mktemp("tagged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        assert main(["train", *TRAINED, *write_tagged(folder / "data"), f"run_dir={folder / 'run'}"]) == 0
    return folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return shutil.copytree(trained, tmp_path / "tagged")


def lines(ended):
    assert ended.code == 0, ended
    return [line.split("\t") for line in ended.out.splitlines()]


def test_a_line_of_words_for_each_picture_without_the_data(gan, folder):
    run, pictures = str(folder / "run"), folder / "data" / "pictures"
    names = [str(pictures / f"{i:02d}.png") for i in (3, 1)]
    found = lines(gan("tag", run, *names, "--top", "2", "--device", "cpu"))
    assert [name for name, _ in found] == names
    words = [text.split(", ") for _, text in found]
    assert all(len(set(of_one)) == 2 and {*of_one} <= {*COLOURS, *SHADES} for of_one in words)
    shutil.rmtree(folder / "data")
    pictures.mkdir(parents=True)
    Image.new("RGB", (40, 30), "red").save(folder / "own.png")
    ((name, text),) = lines(gan("tag", run, str(folder / "own.png")))
    assert (name, len(text.split(", "))) == (str(folder / "own.png"), 5)


def test_words_do_not_depend_on_the_other_pictures_but_on_the_seed_and_the_weights(gan, folder):
    run, pictures = str(folder / "run"), str(folder / "data" / "pictures")
    every = lines(gan("tag", run, pictures))
    assert len(every) == 36
    assert lines(gan("tag", run, every[7][0])) == [every[7]]
    assert lines(gan("tag", run, pictures, "--seed", "1")) != every
    assert lines(gan("tag", run, pictures, "--weights", "ema")) == every
    assert lines(gan("tag", run, pictures, "--weights", "raw", "--checkpoint", "1")) != []


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("{run}", "no.png"), "no.png cannot be read: No such file or directory"),
        (("{run}", "{run}/run.json"), "corrupt, or not a picture that Pillow can read"),
        (("{run}",), "the following arguments are required: PICTURES (see `gan tag --help`)"),
        (("{run}", "x.png", "--top", "-1"), "-1: must be a whole number of at least 0"),
        (("{run}", "x.png", "--checkpoint", "7"), "7"),
        (("{run}", "{run}/checkpoints"), "have no pictures"),
        (("none", "x.png"), "none"),
    ],
)
def test_mistakes(gan, folder, argv, expected):
    ended = gan("tag", *(word.format(run=folder / "run") for word in argv))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert expected in ended.err


def test_a_run_of_another_task(gan, run_of):
    ended = gan("tag", run_of("clothes"), "x.png")
    assert ended.err.endswith("clothes: its generator writes no words: gan tag needs a run of task=tag\n")


@pytest.mark.parametrize("command", ["sample", "explore"])
def test_commands_that_draw_from_z_alone_name_the_one_that_does_not(gan, folder, command):
    ended = gan(command, str(folder / "run"), "device=cpu")
    assert (ended.code, ended.out) == (2, "")
    assert "reads the features of a picture" in ended.err or "shows images, but this run generates points" in ended.err


def test_evaluate_prints_and_writes_precision_and_recall(gan, folder):
    ended = gan("evaluate", str(folder / "run"), "device=cpu")
    assert ended.code == 0, ended
    found = json.loads(next((folder / "run" / "evaluations").iterdir()).read_text())
    assert "6 held-out images, 30 to learn from" in found["protocol"]["real"]
    assert all(f"{key}: {value}" in ended.out for key, value in found["protocol"].items())
    scores = {name.partition(",")[0]: score for name, score in found["scores"].items()}
    assert [*scores] == [
        "generator",
        "most frequent words",
        "nearest mean of a word's features",
        "k-NN on features",
        "linear regression to the vector",
        "right words first",
    ]
    names = [f"{kind}_at_{k}" for kind in ("precision", "recall") for k in (1, 5, 10)]
    assert all([*score] == names for score in scores.values())
    assert scores["k-NN on features"]["precision_at_1"] == scores["right words first"]["precision_at_1"] == 1
    assert scores["right words first"]["precision_at_5"] == pytest.approx(0.4)
    assert scores["generator"]["precision_at_5"] == pytest.approx(0.4)  # five words in all
    assert "k-NN on features" in ended.out


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("split=train", "the words of task=tag are always compared on held-out images"),
        ("w1_count=9", "words of task=tag have no exact Wasserstein distance"),
        ("extractor=pixels", "task=tag uses the extractor that the run was trained with"),
    ],
)
def test_what_evaluate_has_no_use_for_is_refused(gan, folder, word, reason):
    ended = gan("evaluate", str(folder / "run"), word)
    assert ended.code == 2
    assert f"gan: {word}: {reason}; leave it out" in ended.err


def test_scores_while_it_trains_are_those_of_evaluate(gan, folder, tmp_path):
    run, data = tmp_path / "run", folder / "data"
    steps = ("train.steps=2", "log.every_steps=1", "evaluate.every_steps=2", "runtime.precision=fp32")
    places = (f"dataset.path={data / 'pictures'}", f"dataset.tags={data / 'tags.json'}")
    assert gan("train", *TRAINED, *places, *steps, f"run_dir={run}").code == 0
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert gan("evaluate", str(run), "device=cpu").code == 0
    scores = json.loads(next((run / "evaluations").iterdir()).read_text())["scores"]["generator"]
    assert {f"quality/{name}": value for name, value in scores.items()}.items() <= row.items()


def test_an_export_finds_the_words_of_its_run(gan, folder):
    run, picture = str(folder / "run"), str(folder / "data" / "pictures" / "03.png")
    expected = lines(gan("tag", run, picture, "--device", "cpu"))
    assert gan("export", run, "out=alone").code == 0
    assert lines(gan("tag", "alone", picture, "--device", "cpu")) == expected
    ended = gan("export", "alone", "format=hub", "out=card")
    assert (ended.code, ended.err.count("\n")) == (0, 2)
    assert "Not evaluated: `gan evaluate` measures words." in Path("card/README.md").read_text()
    assert gan("export", run, "format=torch_export", "out=graph.pt2").code == 0
