import math

import pytest
import torch

from gan_cli.training.averages import Averages


def random_logs(count):
    rng = torch.Generator().manual_seed(0)
    return [{f"t{i}": torch.randn((), generator=rng) * 100 for i in range(4)} for _ in range(count)]


def test_averages_are_the_means_of_what_was_added():
    logs = random_logs(100)
    averages = Averages()
    for row in logs:
        averages.add(row)
    for tag, mean in averages.read().items():
        exact = math.fsum(row[tag].item() for row in logs) / 100
        assert mean == pytest.approx(exact, rel=1e-14)
    assert list(averages.read()) == ["t0", "t1", "t2", "t3"]


def test_averages_keep_what_float32_sums_lose():
    averages = Averages()
    for value in [2.0**24, 1.0, 1.0, -(2.0**24)]:
        averages.add({"a": torch.tensor(value)})
    assert averages.read() == {"a": 0.5}


def test_a_tag_counts_only_the_steps_that_report_it():
    averages = Averages()
    averages.add({"a": torch.tensor(1.0)})
    averages.add({"b": torch.tensor(10.0, dtype=torch.bfloat16), "a": torch.tensor(3.0)})
    averages.add({"c": torch.tensor(5), "b": torch.tensor(20.0)})
    assert averages.read() == {"a": 2.0, "b": 15.0, "c": 5.0}
    assert list(averages.read()) == ["a", "b", "c"]
    averages.clear()
    assert averages.read() == {}


def test_averages_do_not_keep_the_tensors_they_are_given():
    averages, value = Averages(), torch.tensor(1.0, requires_grad=True)
    averages.add({"a": value})
    with torch.no_grad():
        value.fill_(100.0)
    averages.add({"a": value})
    assert averages.read() == {"a": 50.5}
    assert not averages.state()["a"].requires_grad


@pytest.mark.parametrize("stop", range(9))
def test_averages_continue_bit_for_bit_from_their_state(stop):
    logs = random_logs(8)
    for i in (2, 5):
        logs[i]["late"] = torch.tensor(0.1 * i)
    straight, resumed = Averages(), Averages()
    for i, row in enumerate(logs):
        if i == stop:
            state = resumed.state()
            resumed = Averages()
            resumed.load({tag: state[tag] for tag in sorted(state, reverse=True)})
        for averages in (straight, resumed):
            averages.add(row)
    assert list(resumed.read().items()) == list(straight.read().items())


def test_averages_refuse_what_is_not_0_d():
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        Averages().add({"a": torch.zeros(2)})


def test_adding_reads_nothing_from_the_device(monkeypatch):
    def refuse(*_):
        raise AssertionError("a host read")

    for name in ("item", "tolist", "__float__", "__int__", "__bool__", "__index__", "numpy", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    averages = Averages()
    for row in ({"a": torch.tensor(1.0)}, {"a": torch.tensor(1.0), "b": torch.tensor(2.0)}, {"b": torch.tensor(3.0)}):
        averages.add(row)
    with pytest.raises(AssertionError, match="a host read"):
        averages.read()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_adding_never_waits_for_a_gpu():
    values = [torch.ones((), device="cuda") for _ in range(2)]
    averages = Averages()
    averages.load({"a": torch.tensor([0.0, 3.0, 2.0], dtype=torch.float64)})
    averages.add({"a": values[0]})  # moves the sums of a checkpoint, once
    assert averages.read() == {"a": 4.0 / 3}
    torch.cuda.set_sync_debug_mode("error")
    try:
        averages.add({"a": values[0]})
        averages.add({"a": values[0], "b": values[1]})
        averages.add({"b": values[1]})
        averages.clear()
        averages.add({"b": values[1]})
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert averages.read() == {"b": 1.0}


@pytest.mark.parametrize("order", ["abcd", "dcba", "bc", "ac", "ca", "d"])
def test_any_order_and_choice_of_tags_reaches_its_own_sum(order):
    averages = Averages()
    averages.add({tag: torch.tensor(0.0) for tag in "abcd"})
    averages.add({tag: torch.tensor(float(ord(tag))) for tag in order})
    assert averages.read() == {tag: ord(tag) / 2 if tag in order else 0.0 for tag in "abcd"}
