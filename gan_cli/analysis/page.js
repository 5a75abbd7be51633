"use strict";
// Draws the charts with the library that the page brings along, compressed.
(async () => {
  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const library = document.createElement("script");
  library.textContent = await unpack(document.getElementById("plotly").textContent);
  document.head.append(library);

  const touch = matchMedia("(pointer: coarse)").matches;
  const boxes = [...document.querySelectorAll(".runs input")];
  const hidden = () => new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.trace));
  const charts = [];
  for (const plot of document.querySelectorAll(".plot")) {
    const { data, layout } = JSON.parse(plot.querySelector("script").textContent);
    const frame = [...layout.yaxis.range];
    if (touch) layout.dragmode = false; // a swipe scrolls the page
    const chart = document.createElement("div");
    chart.className = "drawn";
    plot.querySelector("script").after(chart);
    await Plotly.newPlot(chart, data, layout, {
      responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendChartToCloud"], showSendToCloud: false,
    });
    charts.push(chart);
    const log = plot.querySelector("header label");
    if (!log) continue;
    log.hidden = false;
    log.firstChild.onchange = (event) => {
      const scale = event.target.checked
        ? { "yaxis.type": "log", "yaxis.autorange": true }
        : { "yaxis.type": "linear", "yaxis.range": [...frame] };
      Plotly.relayout(chart, scale);
    };
  }
  for (const box of boxes) {
    box.closest("fieldset").hidden = false;
    box.onchange = () => {
      if (box.dataset.trace[0] === "g") {
        box.closest("span").querySelectorAll("input").forEach((one) => { one.checked = box.checked; });
      }
      const off = hidden();
      for (const chart of charts) {
        Plotly.restyle(chart, { visible: chart.data.map((trace) => !off.has(trace.meta)) });
      }
    };
  }
})();
