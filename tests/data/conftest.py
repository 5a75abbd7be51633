"""Nothing that the tests of the data keep lies outside their own directories."""

import pytest


@pytest.fixture(autouse=True)
def user_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gan_cli"
