from gan_cli.updates.alternating import Alternating


def players(updates, step):
    return [phase.player for phase in updates.phases(step)]


def test_n_critic_updates_then_the_generator():
    assert players(Alternating(3), 0) == ["critic"] * 3 + ["generator"]
    assert [phase.last for phase in Alternating(3).phases(7)] == [False, False, True, False]


def test_the_authors_bursts():
    updates = Alternating(5, burst_n_critic=100, burst_first_steps=25, burst_every_steps=500)
    counts = {step: len(updates.phases(step)) - 1 for step in (0, 24, 25, 26, 499, 500, 501, 1000)}
    assert counts == {0: 100, 24: 100, 25: 5, 26: 5, 499: 5, 500: 100, 501: 5, 1000: 100}


def test_bursts_are_off_by_default():
    assert {len(Alternating(5).phases(step)) for step in range(600)} == {6}
