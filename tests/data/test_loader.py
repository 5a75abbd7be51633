"""Order, residence and reading ahead."""

import gc
import threading
import time

import numpy as np
import pytest
import torch
from small_sets import CPU, error_of, take, write_idx

from gan_cli.core import hardware
from gan_cli.data import memory
from gan_cli.data.images import MNIST
from gan_cli.data.loader import Mapped, Order, Resident, to_float
from gan_cli.data.prefetch import Prefetcher
from tests.children import fresh, run_code


def both(tmp_path, seed=0, **keys):
    write_idx(tmp_path)
    keys = {"image_size": 16, "path": str(tmp_path)} | keys
    return [MNIST(**keys, resident=resident).open(16, seed, CPU) for resident in (True, False)]


# ---- order


def test_an_epoch_is_a_permutation():
    order = Order(103, 10, 0, "train", CPU)
    for epoch in range(3):
        indices = torch.cat([order.indices(k) for k in range(10 * epoch, 10 * (epoch + 1))])
        assert len(indices.unique()) == 100
        assert 0 <= int(indices.min()) <= int(indices.max()) < 103
    left_out = [
        set(range(103)) - set(torch.cat([order.indices(10 * e + k) for k in range(10)]).tolist()) for e in range(3)
    ]
    assert len({frozenset(s) for s in left_out}) > 1


def test_order_is_a_pure_function_of_seed_stream_and_k():
    one, two = Order(50, 8, 7, "train", CPU), Order(50, 8, 7, "train", CPU)
    ks = list(range(20))
    forwards = [one.indices(k).tolist() for k in ks]
    shuffled = np.random.default_rng(0).permutation(ks).tolist()
    backwards = {k: two.indices(k).tolist() for k in shuffled}
    assert forwards == [backwards[k] for k in ks]
    assert forwards[:6] != [Order(50, 8, 8, "train", CPU).indices(k).tolist() for k in range(6)]
    assert forwards[:6] != [Order(50, 8, 7, "heldout", CPU).indices(k).tolist() for k in range(6)]
    assert forwards[0] != forwards[6]  # six batches an epoch: the next epoch has another order


def test_seeds_do_not_share_epochs():
    """Seed 0's epoch 1 is not seed 1's epoch 0."""
    assert Order(50, 50, 0, "train", CPU).indices(1).tolist() != Order(50, 50, 1, "train", CPU).indices(0).tolist()


# ---- the two homes of images


def test_mapped_equals_resident_bit_for_bit(tmp_path):
    resident, mapped = both(tmp_path)
    assert isinstance(resident.train, Resident)
    assert isinstance(mapped.train, Mapped)
    assert resident.fingerprint == mapped.fingerprint
    for k in [*range(30), 5, 400, 0]:
        a, b = take(resident.train, k), take(mapped.train, k)
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
    for k in (0, 9, 3):
        a, b = take(resident.heldout, k), take(mapped.heldout, k)
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
        assert len(a.x) == 10  # as many as are held out
    a, b = resident.fixed(12), mapped.fixed(12)
    assert torch.equal(a.x, b.x)
    assert torch.equal(a.y, b.y)


@pytest.mark.parametrize("resident", [True, False])
def test_resume_at_any_batch(tmp_path, resident):
    write_idx(tmp_path)

    def source():
        return MNIST(image_size=16, path=str(tmp_path), resident=resident).open(16, 3, CPU).train

    straight = source()
    expected = [take(straight, k).x for k in range(40)]
    for start in (1, 11, 12, 37):  # within an epoch of 11 batches, at its end, three epochs on
        later = source()
        for k in range(start, 40):
            assert torch.equal(take(later, k).x, expected[k])


def test_labels_travel_with_images(tmp_path):
    images, labels = write_idx(tmp_path)
    for resident in (True, False):
        data = MNIST(image_size=28, path=str(tmp_path), resident=resident).open(16, 0, CPU)
        by_image = {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)}
        for k in range(15):
            batch = take(data.train, k)
            pixels = ((batch.x + 1) * 127.5).round().to(torch.uint8).numpy()
            assert [by_image[p.tobytes()] for p in pixels] == batch.y.tolist()


def test_conversion_is_exact_at_the_ends_and_symmetric():
    values = to_float(torch.arange(256, dtype=torch.uint8))
    assert values.dtype == torch.float32
    assert (float(values[0]), float(values[255])) == (-1.0, 1.0)
    torch.testing.assert_close(
        values, torch.arange(256, dtype=torch.float64).div(127.5).sub(1).float(), atol=1e-7, rtol=0
    )
    torch.testing.assert_close(values, -values.flip(0), atol=1e-7, rtol=0)


# ---- the rule


@pytest.mark.parametrize(("free", "resident"), [(4 * 190 * 256, True), (4 * 190 * 256 - 4, False)])
def test_auto_is_a_quarter_of_the_free_memory(tmp_path, monkeypatch, free, resident):
    write_idx(tmp_path)
    monkeypatch.setattr(memory, "free_bytes", lambda device: free)
    data = MNIST(image_size=16, path=str(tmp_path)).open(16, 0, CPU)
    assert isinstance(data.train, Resident) == resident
    assert isinstance(data.heldout, Resident)
    assert torch.equal(take(data.train, 20).x, take(both(tmp_path)[0].train, 20).x)


def test_free_bytes_honours_the_cgroup(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    unlimited = memory.free_bytes(CPU)
    assert unlimited > 2**26
    (tmp_path / "memory.max").write_text("1048576\n")
    assert memory.free_bytes(CPU) == 2**20


def test_images_that_do_not_fit_are_one_line():
    images = np.broadcast_to(np.zeros((1, 1, 1, 1), dtype=np.uint8), (2**20, 2**10, 2**10, 2**10))
    rows = np.broadcast_to(np.zeros(1, dtype=np.int64), (2**20,))
    order = Order(2, 2, 0, "train", CPU)
    assert "dataset.resident=auto" in error_of(lambda: Resident(images, rows, None, order, CPU))


# ---- reading ahead


def prefetchers():
    return {t for t in threading.enumerate() if t.name.startswith("prefetch")}


def test_prefetcher_reads_in_order_and_no_further_than_asked():
    calls = []
    gate = threading.Semaphore(0)

    def read(k):
        gate.acquire()
        calls.append(k)
        return (torch.tensor(k),)

    reader = Prefetcher(read, 3)
    gate.release(100)
    for k in range(5):
        assert int(reader(k)[0]) == k
    deadline = time.monotonic() + 10
    while len(calls) < 8 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert calls == list(range(8))
    assert int(reader(20)[0]) == 20  # after a resume
    assert int(reader(21)[0]) == 21
    assert int(reader(3)[0]) == 3
    assert 9 not in calls


def test_prefetcher_works_ahead_of_its_use():
    last = threading.Event()
    reader = Prefetcher(lambda k: (last.set() if k == 4 else None) or (torch.tensor(k),), 4)
    reader(0)
    assert last.wait(60)  # read before anybody asked for it


def test_error_of_a_read_is_raised_where_its_batch_is_drawn():
    def read(k):
        if k == 3:
            raise OSError("disk on fire")
        return (torch.tensor(k),)

    reader = Prefetcher(read, 4)
    assert [int(reader(k)[0]) for k in range(3)] == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(OSError, match="disk on fire"):
            reader(3)
    assert int(reader(4)[0]) == 4


def test_thread_ends_with_its_source(tmp_path):
    before = prefetchers()
    _, mapped = both(tmp_path)
    take(mapped.train, 0)
    (own,) = prefetchers() - before
    del mapped
    gc.collect()
    own.join(timeout=10)
    assert not own.is_alive()


_AT_EXIT = """
import os, sys, time, torch
from gan_cli.data.prefetch import Prefetcher
def read(k):
    time.sleep(0.05)
    return (torch.zeros(3),)
child = os.fork()  # two interpreters go on from here, and each exits by itself
reader = Prefetcher(read, 4)
reader(0)
if not child:
    raise SystemExit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_interpreter_exits_while_reading_ahead():
    done = fresh("-W", "ignore::DeprecationWarning", "-c", _AT_EXIT)
    assert (done.stdout, done.stderr) == ("3\n", "")


_LARGE = """
import os, resource, sys
import numpy as np, torch
from gan_cli.data.collection import Chunk, images_a_chunk
from gan_cli.data.image_set import ImageSet

def field(name):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name)) * 1024

class Images:
    costly, pictures, labels, class_names, fit, unused = True, None, None, None, "crop", ()
    def __init__(self, n, size):
        self.n, self.shape = n, (3, size, size)
    def __len__(self):
        return self.n
    def key(self):
        return "large"
    def notes(self):
        return []
    def chunks(self, positions):
        count = images_a_chunk(self.shape)
        for start in range(0, len(positions), count):
            part = positions[start : start + count]
            images = np.empty((len(part), *self.shape), dtype=np.uint8)
            images[:] = (part % 251).astype(np.uint8)[:, None, None, None]
            yield Chunk(images, part, [])

class Large(ImageSet):
    name, channels = "large", 3
    def collect(self):
        return Images(int(sys.argv[1]), self.image_size)

n, spare = int(sys.argv[1]), int(sys.argv[2])
before = field("VmData")
resource.setrlimit(resource.RLIMIT_DATA, (before + spare, before + spare))
data = Large(image_size=64, resident=False).open(64, 0, torch.device("cpu"))
seen = 0
for k in range(50):
    batch = data.train.batch(*data.train.draw(k))
    assert batch.x.shape == (64, 3, 64, 64) and bool((batch.x.amax((1, 2, 3)) == batch.x.amin((1, 2, 3))).all())
    seen += len(batch.x)
print(data.train.size, data.heldout.size, field("RssAnon") >> 20)
"""


def test_a_set_larger_than_memory(tmp_path):
    """20,000 images of 64 x 64 x 3 (246 MB) are prepared and drawn with 150 MB for everything."""
    done = run_code(_LARGE, 20000, 150 * 2**20)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["19000", "1000"]
