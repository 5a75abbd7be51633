"""Classes that have numbers as their names: their order, and the one rule by which a user names them."""

import numpy as np
import pytest
from PIL import Image
from small_sets import CPU, error_of

from gan_cli.data.classes import class_number
from gan_cli.data.folder import Folder
from gan_cli.data.listing import natural

NUMBERS = ("1", "3", "10")
CLOTHES = ("Coat", "Bag", "coat rack")


def write(root, names=NUMBERS):
    for value, name in enumerate(names, start=1):
        (root / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(np.full((8, 8), 20 * value, np.uint8)).save(root / name / f"{i}.png")
    return str(root)


def test_numbers_in_names_are_in_the_order_of_their_values():
    names = ["a", "b10", "b2", "b2-x", "b02", "10", "9", "B1", "b", "c1.10", "c1.9"]
    assert sorted(names, key=natural) == ["9", "10", "B1", "a", "b", "b02", "b2", "b2-x", "b10", "c1.9", "c1.10"]


@pytest.mark.parametrize("names", [["cat", "dog"], ["a1", "a-1", "a_1"], ["0", "1", "9"], ["x01", "x02", "x10"]])
def test_other_names_keep_their_order(names):
    assert sorted(names, key=natural) == sorted(names)


def test_sub_folders_are_in_natural_order_and_in_that_of_an_old_run(tmp_path):
    root = write(tmp_path / "p")
    assert Folder(8, root, class_order="natural").open(2, 0, CPU).class_names == NUMBERS
    assert Folder(8, root).open(2, 0, CPU).class_names == ("1", "10", "3")


@pytest.mark.parametrize("wanted", [1, "1"])
def test_a_number_that_is_a_name_is_that_class(wanted):
    assert class_number(wanted, NUMBERS, "y=1") == 0
    assert class_number(int(wanted), CLOTHES, "y=1") == 1


@pytest.mark.parametrize("wanted", [0, "0", 2])
def test_where_a_class_has_a_number_as_its_name_no_number_is_an_index(wanted):
    assert error_of(lambda: class_number(wanted, NUMBERS, f"y={wanted}")) == (
        f"y={wanted}: there is no class {wanted}; classes: 1, 3, 10 (names alone, since some of them are numbers)"
    )


def test_a_name_in_other_letters_is_found_where_it_is_unique():
    assert class_number("bag", CLOTHES, "") == 1
    assert class_number("COAT", CLOTHES, "") == 0
    assert "did you mean Bag?" in error_of(lambda: class_number("Bagg", CLOTHES, "y=Bagg"))


TRAIN = ("train", "dataset=folder", "dataset.path=p", "dataset.image_size=8", "model=mlp", "model.width=4")
SMALL = ("runtime=cpu", "runtime.threads=1", "train.batch_size=2", "train.steps=1", "run_dir=run")


def test_every_key_and_command_has_the_same_rule(gan, tmp_path):
    write(tmp_path / "p")
    line = (*TRAIN, *SMALL, "condition=concat")
    assert gan(*line, "dataset.classes=[10,1]", "dataset.limit={10:2}").code == 0
    assert gan("sample", "run", "y=10").out.strip().endswith("_y_10.png")
    assert (
        gan("explore", "run", "kind=walk", "kind.y=10", "kind.paths=1", "kind.frames=2", "extractor=pixels").code == 0
    )
    for command in (("sample", "run", "y=0"), ("explore", "run", "kind=walk", "kind.y=0", "extractor=pixels")):
        ended = gan(*command)
        assert ended.code == 2
        assert "there is no class 0; classes: 10, 1" in ended.err
    for key in ("dataset.classes=[0]", "dataset.limit={0:2}"):
        ended = gan(*line[:-2], "run_dir=other", key)
        assert ended.code == 2
        assert "there is no class 0; classes: 1, 3, 10" in ended.err


def test_a_run_of_an_earlier_version_keeps_its_order(gan, tmp_path):
    write(tmp_path / "p")
    assert gan(*TRAIN, *SMALL, "dataset.class_order=text").code == 0
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("  class_order: text\n", ""))
    ended = gan("resume", "run", "train.steps=2")
    assert ended.code == 0
    assert "1 (6), 10 (6), 3 (6)" in ended.err
