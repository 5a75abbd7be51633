"""Arrays in the user's directory: made once, made again where the file is damaged, and made where there is no place."""

import numpy as np
import pytest

from gan_cli.data.kept import kept


def test_it_is_made_once_and_again_where_the_file_is_damaged(user_directory):
    made = []

    def make():
        made.append(1)
        return np.arange(6.0).reshape(2, 3)

    for _ in range(2):
        np.testing.assert_array_equal(kept("things", "a", make), np.arange(6.0).reshape(2, 3))
    assert len(made) == 1
    (path,) = (user_directory / "things").iterdir()
    for content in (b"", path.read_bytes()[:-3], b"no array"):
        path.write_bytes(content)
        kept("things", "a", make)
    assert len(made) == 4
    assert kept("things", "a", lambda: pytest.fail("it is there")).shape == (2, 3)


def test_without_a_place_it_is_made_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kept("things", "a", lambda: np.zeros(1)).shape == (1,)
