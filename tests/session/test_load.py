from pathlib import Path

import torch

from gan_cli.session.load import load


def test_a_run_that_a_gpu_trained_with_cuda_graphs_loads_on_a_cpu(run_of):
    run = Path(run_of("clothes"))
    file = run / "config.yaml"
    written = file.read_text()
    trained = written.replace("device: cpu", "device: cuda").replace("engine: eager", "engine: cuda_graph")
    assert trained.count("cuda") == 2
    before = load(run, "cpu").state.game.generator.state_dict()
    file.write_text(trained)
    after = load(run, "cpu").state.game.generator.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
