"use strict";
// Draws the page's charts, moves the observer's sliders, hands out the tables, shows an audit's
// samples. It computes no statistics: every number shown is in the page's data.
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
    // What is folded is drawn when it opens: the page then changes its size.
    if (width < 50 || plot.closest("details:not([open])")) return;
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

  async function inflated(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).blob();
  }

  for (const button of document.querySelectorAll("button[data-table]")) {
    button.addEventListener("click", async () => {
      const content = await inflated(button.dataset.table);
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

  // Samples of an audit. Texts of models only ever enter the page as textContent.
  const ARMS = [["base", "base"], ["tuned", "tuned"], ["base", "base + s"], ["back", "tuned + s"]];
  const PER_PAGE = 20;

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // A text of a model, in its own direction; a long one scrolls, also by keyboard.
  function said(text) {
    const block = make("pre", "text", text);
    block.dir = "auto";
    if (text.length > 300 || text.split("\n").length > 8) block.tabIndex = 0;
    return block;
  }

  function samples(section) {
    const id = section.id;
    const list = byId(`${id}-cards`), count = byId(`${id}-count`);
    const inputs = Object.fromEntries(
      [...section.querySelectorAll("[data-filter]")].map((input) => [input.dataset.filter, input]));
    const steps = [...section.querySelectorAll("[data-step]")];
    let all, found = [], first = 0;

    const text = (place) => (place === null ? null : all.texts[place]);

    function searched(row) {
      if (row.searched === undefined) {
        const places = [row[2], ...row[5].flatMap((cell) => (cell ? [cell[0], cell[1], cell[2]] : []))];
        row.searched = [...new Set(places)].map((place) => text(place) || "").join("\n").toLowerCase();
      }
      return row.searched;
    }

    function option(select, value, label) {
      const element = make("option", "", label);
      element.value = value;
      select.append(element);
    }

    function cell(index, found, s) {
      const box = make("div", `arm ${ARMS[index][0]}`);
      const bar = make("p", "who");
      bar.append(make("strong", "", ARMS[index][1]));
      box.append(bar);
      if (!found) {
        bar.append(make("span", "mark", "not asked"));
        return box;
      }
      const [, raw, answer, score, notes] = found;
      const mark = score === null ? "– no score" : score === 1 ? "✓ right" : score === 0 ? "✕ wrong"
        : `score ${Number(score.toFixed(3))}`;
      bar.append(make("span", score === null ? "mark" : score >= 0.5 ? "mark right" : "mark wrong", mark));
      const shown = text(answer === null ? raw : answer);
      if (shown !== null) box.append(shown === "" ? make("p", "under", "(an empty answer)") : said(shown));
      if (raw !== null && answer !== null && raw !== answer) {
        const before = index < 2 ? "as it came" : `as it came, before the inverse of ${s}`;
        box.append(make("p", "under", before), said(text(raw)));
      } else if (raw !== null && answer === null && index > 1) {
        box.append(make("p", "under", "as it came: it has no inverse"));
      }
      for (const note of notes) box.append(make("p", "odd", text(note)));
      return box;
    }

    // The prompts of a sample, built when they are asked for; one that both arms share, once.
    function prompts(row, s) {
      const details = make("details");
      details.append(make("summary", "", "Prompts as they were sent"));
      details.addEventListener("toggle", () => {
        if (details.dataset.built || !details.open) return;
        details.dataset.built = "yes";
        const grid = make("div", "inside two");
        for (const [from, to, name] of [[0, 1, "plain"], [2, 3, s]]) {
          const sent = [row[5][from], row[5][to]].map((one) => (one ? one[0] : null));
          if (name === null || (sent[0] === null && sent[1] === null)) continue;
          const shared = sent[0] === sent[1];
          sent.forEach((place, arm) => {
            if (place === null || (shared && arm)) return;
            const part = make("div");
            const who = shared ? "both models" : ["base", "tuned"][arm];
            part.append(make("p", "under", `${name}, to ${who}`), said(text(place)));
            grid.append(part);
          });
        }
        details.append(grid);
      });
      return details;
    }

    function card(row) {
      const [task, document_, target, kind, at, cells] = row;
      const s = at === null ? null : all.conjugations[at];
      const box = make("article", "card");
      const bar = make("p", "about");
      const name = all.kinds[kind];
      bar.append(make("span", `badge ${name.replace(" ", "-")}`, name), make("strong", "", all.tasks[task]));
      const about = [`document ${document_}`];
      if (s !== null) about.push(`s: ${s}${all.controls[at] ? " (control)" : ""}`);
      bar.append(make("span", "soft", about.join(" · ")));
      box.append(bar);
      if (target !== null) {
        const wanted = make("div", "wanted");
        wanted.append(make("span", "under", "wanted"), said(text(target)));
        box.append(wanted);
      }
      const grid = make("div", s === null ? "arms two" : "arms");
      cells.forEach((one, index) => {
        if (s !== null || index < 2) grid.append(cell(index, one, s));
      });
      box.append(grid, prompts(row, s));
      return box;
    }

    function show() {
      const last = Math.min(first + PER_PAGE, found.length);
      list.replaceChildren(...found.slice(first, last).map(card));
      const number = (value) => value.toLocaleString("en");
      count.textContent = found.length
        ? `${number(first + 1)} to ${number(last)} of ${number(found.length)} samples`
        : "No sample is like this.";
      for (const step of steps) {
        const to = first + Number(step.dataset.step) * PER_PAGE;
        step.disabled = to < 0 || to >= found.length;
      }
    }

    function filter() {
      const task = inputs.task.value, kind = inputs.kind.value, s = inputs.conjugation.value;
      const wanted = inputs.text.value.trim().toLowerCase();
      const rest = all.rows.filter((row) =>
        (task === "" || row[0] === Number(task)) &&
        (s === "" || row[4] === (s === "chosen" ? all.chosen[row[0]] : Number(s)) || row[4] === null) &&
        (wanted === "" || searched(row).includes(wanted)));
      const counts = all.kinds.map((_, index) => rest.filter((row) => row[3] === index).length);
      for (const one of inputs.kind.options) {
        const size = one.value === "" ? rest.length : counts[Number(one.value)];
        one.textContent = `${one.value === "" ? "all" : all.kinds[Number(one.value)]} (${size})`;
      }
      // By kind over all tasks: the suppressed of every task come before the lost of any.
      found = rest.filter((row) => kind === "" || row[3] === Number(kind)).sort((a, b) => a[3] - b[3]);
      first = 0;
      show();
    }

    async function open() {
      count.textContent = "Opening the samples …";
      try {
        all = JSON.parse(await (await inflated(`${id}-data`)).text());
      } catch {
        count.textContent = "This browser cannot open the samples; they are in the run's folder.";
        return;
      }
      option(inputs.task, "", "all");
      all.tasks.forEach((name, index) => option(inputs.task, String(index), name));
      option(inputs.kind, "", "all");
      all.kinds.forEach((name, index) => {
        if (all.rows.some((row) => row[3] === index)) option(inputs.kind, String(index), name);
      });
      if (all.conjugations.length) option(inputs.conjugation, "chosen", "the one of each verdict");
      option(inputs.conjugation, "", "all");
      all.conjugations.forEach((name, index) =>
        option(inputs.conjugation, String(index), all.controls[index] ? `${name} (control)` : name));
      let typing;
      for (const [name, input] of Object.entries(inputs)) {
        input.disabled = false;
        input.addEventListener("input", () => {
          clearTimeout(typing);
          typing = setTimeout(filter, name === "text" ? 150 : 0);
        });
      }
      for (const step of steps) {
        step.addEventListener("click", () => {
          first += Number(step.dataset.step) * PER_PAGE;
          show();
          section.querySelector(".filters").scrollIntoView({ block: "start" });
        });
      }
      filter();
    }

    // Opened when a reader comes near, so that the page itself is there at once.
    const near = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      near.disconnect();
      open();
    }, { rootMargin: "1200px" });
    near.observe(section);
  }
  for (const section of document.querySelectorAll("[data-samples]")) samples(section);
  // A task that is folded opens when the overview is asked for it.
  for (const link of document.querySelectorAll(".audit table a")) {
    link.addEventListener("click", () => {
      byId(link.hash.slice(1)).querySelector("details").open = true;
    });
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
