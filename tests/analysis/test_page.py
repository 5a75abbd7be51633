"""Pages: what is foreign stays text, charts are what plotly takes, and no page is wider than the screen."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import numpy as np
import plotly.graph_objects as go
import pytest

from gan_cli.analysis import interactive, page
from gan_cli.analysis.frame import frame
from tests.analysis.made_runs import make_run
from tests.pages import read_page

EVIL = "</script><script>alert(1)</script><b>x & y"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# A window is at least 500 pixels wide, a frame in it is as wide as it should be.
FRAME = """<!doctype html><title></title>
<iframe style="width:{width}px;height:800px;border:0" srcdoc="{page}"></iframe>
<script>
const wait = setInterval(() => {{
  const inside = document.querySelector("iframe").contentDocument;
  const drawn = [...inside.querySelectorAll(".drawn")].filter((chart) => chart.querySelector(".main-svg"));
  if (!drawn.length || drawn.length < inside.querySelectorAll(".plot").length) return;
  clearInterval(wait);
  inside.querySelector(".plot label input").click();
  inside.querySelector(".runs input")?.click();
  setTimeout(() => {{
    const hidden = (chart) => chart.data.filter((trace) => trace.visible === false).length;
    const charts = drawn.map((chart) => [hidden(chart), chart.layout.yaxis.type]);
    const buttons = [...inside.querySelectorAll(".modebar-btn")].map((button) => button.dataset.title);
    document.title = JSON.stringify([inside.documentElement.scrollWidth, [...new Set(buttons)], ...charts]);
  }}, 500);
}}, 50);
</script>"""


def opened(path, width):
    """Return how wide a page is, its charts' buttons, and how many curves a click hides in each, and its axis."""
    frame = path.with_name("frame.html")
    frame.write_text(FRAME.format(width=width, page=html.escape(path.read_text(encoding="utf-8"))), encoding="utf-8")
    flags = [
        "--headless",
        "--hide-scrollbars",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    ]
    flags += ["--virtual-time-budget=20000", "--window-size=1400,900", f"--user-data-dir={path.parent / 'profile'}"]
    command = [CHROMIUM, *flags, "--dump-dom", frame.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    return json.loads(re.search("<title>(.+?)</title>", shown)[1])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page in")
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen_and_its_charts_are_drawn(gan, tmp_path, width):
    name = "a_name_without_any_place_to_break_it_that_is_longer_than_a_phone_is_wide" * 2
    for n in (1, 5):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{name}_{n}_{seed}", f"updates.n_critic={n}", n_critic=n, seed=seed, value=n)
    assert gan("compare", "runs").code == 0
    assert gan("report", f"runs/{name}_1_0").code == 0
    wide, buttons, *charts = opened(tmp_path / "runs" / "compare" / "index.html", width)
    assert wide == width
    assert "Zoom in" in buttons
    assert not [title for title in buttons if "share" in title.lower()]  # nothing is sent anywhere
    assert charts == [[3, "log"], [3, "linear"], [3, "linear"]]  # the group's mean and its two runs
    wide, _, *charts = opened(tmp_path / "runs" / f"{name}_1_0" / "report" / "index.html", width)
    assert wide == width
    assert charts == [[0, "log"]]


def test_foreign_text_in_a_chart_is_text():
    trace = interactive.line(np.arange(3), np.array([1.0, np.nan, 2.0]), EVIL, "#000000")
    found = interactive.chart(EVIL, [trace])
    assert found.count("</script>") == 1
    assert "<b>" not in found
    spec = json.loads(re.search('json">(.*)</script>', found)[1])
    assert spec["data"][0]["name"] == "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;x &amp; y"
    assert "<" not in spec["layout"]["yaxis"]["title"]["text"]
    assert spec["data"][0]["y"] == [1.0, None, 2.0]


def test_foreign_text_in_a_page_is_text(gan, tmp_path):
    for name, loss in (("<b>x", EVIL), ("y", "wgan")):
        make_run(tmp_path / "runs" / name, f"loss={loss}", choices={"loss": loss})
    assert gan("compare", "runs").code == 0
    found = read_page(tmp_path / "runs" / "compare" / "index.html")
    assert EVIL in found.title
    assert "<b>x" in found.text


def test_a_chart_is_what_plotly_takes(gan, tmp_path):
    for seed in (0, 1):
        make_run(tmp_path / f"runs/{seed}", seed=seed)
    assert gan("compare", "runs").code == 0
    for spec in read_page(tmp_path / "runs" / "compare" / "index.html").specs:
        drawn = go.Figure(spec)  # refuses what it does not know
        assert [len(trace.x) for trace in drawn.data] == [3, 3, 3]


def test_the_library_is_in_the_page_and_no_other_file_is_asked_for():
    found = page.document("t", "", interactive.library())
    assert 1e6 < len(found) < 3e6
    assert not re.search(r'(src|href)="', found)


def test_of_a_long_curve_every_spike_is_kept():
    values = np.sin(np.arange(100_000) / 1e4)
    values[[777, 50_001]] = 9.0, -9.0
    values[10:20] = np.nan
    steps, kept = interactive.thinned(np.arange(100_000), values, 500)
    assert len(kept) <= 500
    assert (np.diff(steps) > 0).all()
    assert {777, 50_001} <= set(steps.tolist())
    same = interactive.thinned(np.arange(3), values[:3], 500)
    np.testing.assert_array_equal(same[1], values[:3])


def test_a_frame_has_every_value_and_a_margin():
    assert frame([0.0, 10.0, float("nan")]) == (-0.5, 10.5, 0)
    assert frame([2.0, 2.0]) == (1.9, 2.1, 0)
    assert frame([0.0]) == (-1.0, 1.0, 0)
    assert frame([float("inf")]) == (0.0, 1.0, 0)


def test_a_spike_is_left_out_of_the_frame_and_counted():
    low, high, outside = found = frame([*np.linspace(0, 1, 100), 1000.0])
    assert low == pytest.approx(0, abs=0.1)
    assert 1 < high < 3
    assert outside == 1
    assert found.remark == "1 value is outside the frame"
    assert frame([*np.linspace(0, 1, 15), 1000.0]).outside == 0
