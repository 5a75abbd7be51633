"""Directories of pictures with a file of tags: the vocabulary, which tags belong to which picture, and each error."""

import json

import numpy as np
import pytest
import torch
from small_sets import COLOURS, CPU, SHADES, error_of, write_tagged

from gan_cli.data.tagged_folder import TaggedFolder
from gan_cli.data.unused import summary
from tests.conftest import TINY


def folder(directory, **keys):
    return TaggedFolder(
        **({"image_size": 16, "path": str(directory / "pictures"), "tags": str(directory / "tags.json")} | keys)
    )


def failed(directory, content, ending="json", **keys):
    """The error of a file of tags beside the pictures of `write_tagged`."""
    (directory / f"bad.{ending}").write_text(content)
    return error_of(lambda: folder(directory, tags=str(directory / f"bad.{ending}"), **keys).open(4, 0, CPU))


@pytest.fixture
def tagged(tmp_path):
    write_tagged(tmp_path)
    return tmp_path


def changed(directory, **changes):
    """The tags of `write_tagged` as JSON, with other ones; None: without the picture."""
    tags = json.loads((directory / "tags.json").read_text()) | {f"{name}.png": new for name, new in changes.items()}
    return json.dumps({name: new for name, new in tags.items() if new is not None})


def test_the_vocabulary_has_the_words_of_enough_training_images_most_frequent_first(tagged):
    data = folder(tagged, holdout=6).open(4, 0, CPU)
    tags = data.tags
    assert set(tags.vocabulary) == {*COLOURS, *SHADES}
    counts = torch.bincount(torch.tensor([word for words in tags.train for word in words])).tolist()
    assert counts == sorted(counts, reverse=True)
    every = folder(tagged, holdout=6, min_count=1).open(4, 0, CPU).tags
    assert len(every.vocabulary) == 5 + sum(len(words) == 3 for words in every.train)


def test_each_image_has_its_own_tags(tagged):
    data = folder(tagged, holdout=6).open(4, 0, CPU)
    for name in ("train", "heldout"):
        source, tags = getattr(data, name), getattr(data.tags, name)
        assert source.size == len(tags) == {"train": 30, "heldout": 6}[name]
        images = source.at(torch.arange(source.size)).x
        colours, shades = images.mean(dim=(2, 3)).argmax(dim=1), (images.amax(dim=(1, 2, 3)) > 0.3).long()
        for words, colour, shade in zip(tags, colours.tolist(), shades.tolist(), strict=True):
            assert [data.tags.vocabulary[word] for word in words] == [COLOURS[colour], SHADES[shade]]


def test_an_image_whose_tags_are_all_rare_is_left_out(tagged):
    (tagged / "tags.json").write_text(changed(tagged, **{"00": ["alone"], "01": ["single"]}))
    data = folder(tagged, holdout=6).open(4, 0, CPU)
    assert data.train.size + data.heldout.size == 34
    assert all([*data.tags.train, *data.tags.heldout])
    assert summary(data.unused).startswith("only rare tags: 2, the first ")


def test_json_and_csv_say_the_same(tagged):
    tags = json.loads((tagged / "tags.json").read_text())
    (tagged / "tags.csv").write_text("".join(f'"{name}", {" ; ".join(words)};;\n' for name, words in tags.items()))
    one = folder(tagged).open(4, 0, CPU)
    other = folder(tagged, tags=str(tagged / "tags.csv")).open(4, 0, CPU)
    assert one.tags == other.tags


def test_pictures_in_sub_folders_are_named_by_their_path(tmp_path):
    for part in ("a", "b"):
        write_tagged(tmp_path / part, n=12)
    tags = {
        f"{part}/pictures/{name}": words
        for part in ("a", "b")
        for name, words in json.loads((tmp_path / part / "tags.json").read_text()).items()
    }
    (tmp_path / "tags.json").write_text(json.dumps(tags))
    data = folder(tmp_path, path=str(tmp_path)).open(4, 0, CPU)
    assert len(data.tags.train) + len(data.tags.heldout) == 24


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "bad.json: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[1]", "bad.json: must be a mapping {picture: [tag, ...]}, or a CSV file whose name ends in .csv"),
        ('{"00.png": "red"}', "bad.json: the tags of 00.png are red, and must be a list of text"),
        ('{"00.png": ["red", 1]}', "bad.json: the tags of 00.png are [red, 1], and must be a list of text"),
    ],
)
def test_what_is_no_mapping_of_tags(tagged, content, expected):
    assert failed(tagged, content).endswith(expected)


def test_pictures_without_tags_and_tags_without_pictures(tagged):
    assert failed(tagged, changed(tagged, **{"90": ["x"], "91": ["x"]})).endswith(
        "bad.json: 90.png and 1 more are not in dataset.path; the name of a picture there is, for example, 00.png"
    )
    assert failed(tagged, changed(tagged, **{"05": None, "07": [" "]})).endswith(
        "bad.json: 05.png and 1 more are without tags; add tags, or remove the pictures"
    )
    assert "05.png is without tags" in failed(tagged, changed(tagged, **{"05": []}))


def test_mistakes_in_csv(tagged):
    assert failed(tagged, "00.png,red\n01.png\n", "csv").endswith(
        "bad.csv: row 2 has 1 columns, and must be picture,tag;tag"
    )
    assert failed(tagged, "00.png,red\n00.png,blue\n", "csv").endswith("bad.csv: row 2 names 00.png again")
    assert "bad.csv: is not CSV: " in failed(tagged, '"00.png,red', "csv")


def test_an_empty_vocabulary_and_files_that_are_not_there(tagged):
    assert error_of(lambda: folder(tagged, min_count=100).open(4, 0, CPU)) == (
        "dataset.min_count=100: no tag has so many of the 34 training images; use dataset.min_count=17 or less"
    )
    assert error_of(folder(tagged, tags="no.json").expected_shape) == (
        "dataset.tags=no.json: cannot be read: No such file or directory"
    )
    assert error_of(folder(tagged, tags=None).expected_shape) == (
        "dataset=tagged_folder needs the tags of its pictures; use dataset.tags=FILE"
    )


def test_tags_are_labels_where_the_config_says_so(tagged, gan):
    data = folder(tagged, holdout=6, labels="tags")
    assert (data.expected_labels(), data.expected_classes()) == ("binary", None)
    data = data.open(4, 0, CPU)
    assert (data.class_names, data.label_size) == (None, 5)
    for name in ("train", "heldout"):
        source, tags = getattr(data, name), getattr(data.tags, name)
        y = source.at(torch.arange(source.size)).y
        assert [row.nonzero().flatten().tolist() for row in y] == [sorted(words) for words in tags]
    words = (f"dataset.path={tagged}/pictures", f"dataset.tags={tagged}/tags.json", "dataset.image_size=16")
    words += ("dataset=tagged_folder", "dataset.labels=tags", "dataset.holdout=6", "condition=projection", "log.to=[]")
    assert gan("train", *words, *TINY, "loss=hinge", "train.steps=1", "run_dir=run").code == 0
    assert gan("sample", "run", "y=[red,dark]", "format=npz", "labels=true", "count=2", f"out={tagged}/x.npz").code == 0
    asked = {data.tags.vocabulary[i] for i in np.load(tagged / "x.npz")["labels"][0].nonzero()[0]}
    assert asked == {"red", "dark"}
    assert "y=[rad]: there is no class rad; did you mean red" in gan("sample", "run", "y=[rad]").err
