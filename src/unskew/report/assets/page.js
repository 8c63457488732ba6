"use strict";
// Draws the page's charts, moves the observer's sliders, hands out the tables. It computes no
// statistics: every number shown is in the page's data.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = (id) => JSON.parse(byId(id).textContent);
  const themes = data("themes");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map(); // plot element -> the view on it
  const specs = new Map(); // figure id -> its panels
  const signals = new Map(); // figure id -> {signal: value}, kept when a chart is drawn anew
  let drawing = Promise.resolve();

  // Colours of the light theme become those of the dark one, everywhere but in the data.
  function recoloured(node) {
    if (Array.isArray(node)) return node.map(recoloured);
    if (node && typeof node === "object") {
      return Object.fromEntries(
        Object.entries(node).map(([key, value]) => [
          key, key === "datasets" || key === "values" ? value : recoloured(value),
        ]));
    }
    return typeof node === "string" && themes.swap[node] ? themes.swap[node] : node;
  }

  // Legends stand above their chart in as many columns as the width has room for.
  function fitLegends(node, width) {
    if (!node || typeof node !== "object") return;
    const labels = node.scale && Array.isArray(node.scale.domain) ? node.scale.domain.map(String) : null;
    if (labels && node.legend) {
      const widths = labels.map((label) => label.length * 6.5 + 32);
      const total = widths.reduce((sum, one) => sum + one, 0);
      const columns = total <= width ? labels.length : Math.max(1, Math.floor(width / Math.max(...widths)));
      node.legend = { ...node.legend, columns };
    }
    for (const [key, value] of Object.entries(node)) if (key !== "datasets") fitLegends(value, width);
  }

  function panelOf(plot) {
    const [id, index] = plot.dataset.panel.split(":");
    if (!specs.has(id)) specs.set(id, data(`${id}-spec`));
    return { id, spec: specs.get(id)[Number(index)] };
  }

  async function draw(plot) {
    const width = Math.floor(plot.clientWidth);
    if (width < 50) return;
    const { id, spec } = panelOf(plot);
    let shown = structuredClone(spec);
    fitLegends(shown, width - 50);
    if (dark.matches) shown = recoloured(shown);
    shown.width = width;
    shown.autosize = { type: "fit-x", contains: "padding" };
    const moved = signals.get(id) || {};
    for (const param of shown.params || []) if (param.name in moved) param.value = moved[param.name];
    drawn.get(plot)?.finalize();
    // ast: expressions are interpreted, not compiled, so that the page needs no eval.
    const result = await vegaEmbed(plot, shown, {
      mode: "vega-lite", ast: true, renderer: "svg", actions: false,
      config: dark.matches ? themes.dark : themes.light,
      tooltip: { theme: dark.matches ? "dark" : "light" },
    });
    result.width = width;
    plot.style.minHeight = "0";
    drawn.set(plot, result);
  }

  const plots = [...document.querySelectorAll(".plot")];
  function drawAll(again) {
    drawing = drawing.then(async () => {
      for (const plot of plots) {
        const before = drawn.get(plot);
        if (!again && before && Math.abs(before.width - plot.clientWidth) < 2) continue;
        await draw(plot);
        // Let the page answer between two charts.
        await new Promise((resolve) => setTimeout(resolve));
      }
      document.documentElement.dataset.drawn = String(drawn.size);
    }).catch((error) => {
      document.documentElement.dataset.drawn = "failed";
      throw error;
    });
  }

  function handOut(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function csv(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).blob();
  }

  for (const button of document.querySelectorAll("button.download")) {
    button.addEventListener("click", async () => {
      const content = await csv(button.dataset.table);
      handOut(new Blob([content], { type: "text/csv" }), button.dataset.file);
    });
  }
  for (const button of document.querySelectorAll("button.save")) {
    button.addEventListener("click", async () => {
      const panel = button.closest(".panel");
      const result = drawn.get(panel.querySelector(".plot"));
      if (!result) return;
      const image = await result.view.toSVG();
      const name = panel.querySelector("h3").textContent.trim().toLowerCase().replace(/[^a-z0-9]+/g, "-");
      handOut(new Blob([image], { type: "image/svg+xml" }), `${name}.svg`);
    });
  }

  const short = (value) => (value === null ? "unknown" : Number(value.toPrecision(3)).toString());
  for (const section of document.querySelectorAll("[data-observer]")) {
    const id = section.id;
    const state = data(`${id}-state`);
    const inputs = { skew: byId(`${id}-skew`), scale: byId(`${id}-scale`) };
    const unscaled = state.gammas.indexOf(1);
    const unskewed = state.deltas.indexOf(0);

    function say(d, g) {
      if (!state.error) return "";
      const at = (i, j) => (i < 0 || j < 0 ? null : state.error[i][j]);
      const now = at(d, g), skewed = at(d, unscaled), fair = at(unskewed, unscaled);
      let text = `Error on other tasks, ${state.span}: ${short(now && now[0])}`;
      if (now) text += ` (95% interval ${short(now[1])} to ${short(now[2])})`;
      text += " with this skew and these labels.";
      if (skewed) text += ` With plain labels it is ${short(skewed[0])};`;
      if (fair) text += ` without any skew ${short(fair[0])};`;
      if (state.ridge) text += ` ridge regression, the best possible, has ${short(state.ridge[0])}.`;
      return text;
    }

    function moved() {
      const d = Number(inputs.skew.value), g = Number(inputs.scale.value);
      const delta = state.deltas[d], gamma = state.gammas[g];
      byId(`${id}-skew-now`).textContent = `${delta} nats`;
      byId(`${id}-scale-now`).textContent = `× ${gamma}`;
      inputs.skew.setAttribute("aria-valuetext", `${delta} nats`);
      inputs.scale.setAttribute("aria-valuetext", `labels times ${gamma}`);
      byId(`${id}-said`).textContent = say(d, g);
      signals.set(id, { skew: delta, scale: gamma });
      for (const plot of section.querySelectorAll(".plot")) {
        const result = drawn.get(plot);
        if (result) result.view.signal("skew", delta).signal("scale", gamma).runAsync();
      }
    }
    for (const input of Object.values(inputs)) input.addEventListener("input", moved);
    moved();
  }

  let pending;
  new ResizeObserver(() => {
    clearTimeout(pending);
    pending = setTimeout(() => drawAll(false), 120);
  }).observe(document.body);
  dark.addEventListener("change", () => drawAll(true));
  drawAll(true);

  // For the browser test: what the chart of a figure shows now.
  window.unskew = { rows: (plot, name) => drawn.get(plot).view.data(name), views: drawn };
})();
