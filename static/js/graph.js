// Graphs: uPlot in a canvas, with a sentence and a table for those who cannot see it.
//
//   <figure data-graph="URL" data-graph-span="300"> (templates/parts/graph.html)
//
// The URL answers {"t": [..], "series": [{"label", "unit", "values": [..]}]}; t in
// seconds. A "live:point" event {"graph": "#id", "t", "values"} adds one sample.
"use strict";

(() => {
  const { words } = window.piranha;
  const TONES = ["--brand", "--warn", "--drift", "--up", "--mute"];
  const language = document.documentElement.lang || undefined;
  const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium", hourCycle: "h23" });
  const hours = new Intl.DateTimeFormat(language, { timeStyle: "short", hourCycle: "h23" });
  const days = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  const DAY = 24 * 60 * 60;
  const LATE_SECONDS = 10;
  // So long at most until a reading is in the history.
  const WRITTEN_SECONDS = 6;
  // One late reading leaves no gap, two do (watch/points.py).
  const LONGEST_LINE = 4;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function shown(value, unit = "") {
    if (value == null) return "–";
    const space = unit && !unit.startsWith("/") ? " " : "";
    return `${numbers.format(value)}${space}${unit}`;
  }

  // Seconds only when ticks are closer than a minute; the day once ticks are days apart.
  function moment(t, ticks) {
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 0;
    if (step >= DAY) return days.format(t * 1000);
    return (step < 60 ? clock : hours).format(t * 1000);
  }

  // No line goes through a moment without neighbours: it is a dot.
  function alone(plot, which) {
    const values = plot.data[which];
    return [...values.keys()].filter(
      (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
    );
  }

  class Graph {
    constructor(root) {
      this.root = root;
      this.canvas = root.querySelector("[data-graph-canvas]");
      this.summary = root.querySelector("[data-graph-summary]");
      this.table = root.querySelector("[data-graph-table]");
      this.span = Number(root.dataset.graphSpan || 300);
      this.height = Number(root.dataset.graphHeight || 220);
      this.series = [];
      this.data = [[]];
      this.plot = null;
      this.watchWidth();
      root.querySelector("details")?.addEventListener("toggle", () => this.writeTable());
      this.load();
    }

    async load() {
      try {
        const response = await fetch(this.root.dataset.graph, {
          signal: AbortSignal.timeout(10000),
        });
        if (!response.ok) throw new Error(String(response.status));
        const { t, series } = await response.json();
        this.series = series;
        this.data = [t, ...series.map(({ values }) => values)];
        this.heard = false;
        this.longest = Math.max(LONGEST_LINE, t.length > 1 ? 2 * (t[1] - t[0]) : 0);
        this.draw();
      } catch {
        this.say(words.no_answer);
      }
    }

    say(text) {
      this.summary.textContent = text;
      if (!this.plot) this.canvas.textContent = text;
    }

    watchWidth() {
      new ResizeObserver(() => {
        const width = this.canvas.clientWidth;
        if (this.plot && width && width !== this.plot.width) {
          this.plot.setSize({ width, height: this.height });
        }
      }).observe(this.canvas);
    }

    draw() {
      this.plot?.destroy();
      this.plot = null;
      this.canvas.textContent = "";
      this.plot = new window.uPlot(this.options(), this.data, this.canvas);
      this.describe();
    }

    options() {
      const axis = {
        stroke: colour("--mute"),
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { stroke: colour("--line"), width: 1 },
      };
      return {
        width: this.canvas.clientWidth || 600,
        height: this.height,
        cursor: { drag: { x: true, y: false }, sync: { key: "time" } },
        scales: {
          x: { range: (plot, low, high) => this.stretch(plot.data[0], low, high) },
          y: { range: (_plot, _low, high) => [0, (high || 1) * 1.1] },
        },
        axes: [
          { ...axis, space: 84, values: (_plot, ticks) => ticks.map((t) => moment(t, ticks)) },
          { ...axis, size: 62, values: (_plot, ticks) => ticks.map((v) => shown(v)) },
        ],
        series: [
          { label: words.time, value: (_plot, t) => (t == null ? "–" : clock.format(t * 1000)) },
          ...this.series.map((one, i) => ({
            label: one.label,
            stroke: colour(TONES[i % TONES.length]),
            width: 1.75,
            // Dashes as well as colours tell the lines apart.
            dash: [[], [6, 4], [2, 3], [10, 4, 2, 4]][i % 4],
            fill: i === 0 ? `${colour(TONES[0])}1a` : undefined,
            points: { show: false, size: 6, filter: alone },
            spanGaps: false,
            value: (_plot, v) => shown(v, one.unit),
          })),
        ],
      };
    }

    // All of it is the whole span, though the samples may have just begun.
    stretch(times, low, high) {
      const [first, last] = [times[0], times[times.length - 1]];
      const all = low <= first && high >= last;
      return all ? [Math.min(first, last - this.span), last] : [low, high];
    }

    add({ t, values }) {
      if (!this.plot || values.length !== this.series.length) return;
      const times = this.data[0];
      const zoomed = this.zoomed();
      this.dropUnwritten(t);
      if (times.length && t <= times[times.length - 1]) return;
      const last = times[times.length - 1];
      if (this.heard && t - last > this.longest) {
        this.push(last + 1, []);
        // Nobody looked for a while, or nobody watched: the history will know which.
        setTimeout(() => this.zoomed() || this.load(), WRITTEN_SECONDS * 1000);
      }
      this.push(t, values);
      this.heard = true;
      const first = times.findIndex((time) => time >= t - this.span);
      if (first > 0) this.data.forEach((row) => row.splice(0, first));
      // While a person has zoomed in, new samples are kept but do not move the view.
      this.plot.setData(this.data, !zoomed);
      this.describe();
    }

    // Without values it is a moment of which nothing is known.
    push(t, values) {
      this.data[0].push(t);
      for (let i = 1; i < this.data.length; i += 1) this.data[i].push(values[i - 1] ?? null);
    }

    // The newest moments of what was loaded may not have been written then: they are
    // no gap, unless it lasts.
    dropUnwritten(t) {
      const isUnknown = (at) => this.data.slice(1).every((row) => row[at] == null);
      let known = this.data[0].length;
      while (known && isUnknown(known - 1)) known -= 1;
      if (known && t - this.data[0][known - 1] <= LATE_SECONDS) {
        for (const row of this.data) row.length = known;
      }
    }

    zoomed() {
      const { min, max } = this.plot.scales.x;
      const times = this.plot.data[0];
      return min > times[0] || max < times[times.length - 1];
    }

    describe() {
      if (!this.data[0].length) return this.say(words.graph_empty);
      this.summary.textContent = this.series
        .map((one, i) => {
          const known = this.data[i + 1].filter((value) => value != null);
          const fill = {
            label: one.label,
            last: shown(known[known.length - 1], one.unit),
            min: shown(known.length ? known.reduce((a, b) => Math.min(a, b)) : null, one.unit),
            max: shown(known.length ? known.reduce((a, b) => Math.max(a, b)) : null, one.unit),
          };
          return words.graph_summary.replace(/\{(\w+)\}/g, (_all, key) => fill[key]);
        })
        .join(" ");
    }

    // Written when opened: a table that changes every 2 s cannot be read.
    writeTable() {
      this.table.textContent = "";
      if (!this.root.querySelector("details").open) return;
      const table = document.createElement("table");
      table.className = "live";
      const head = table.createTHead().insertRow();
      const names = this.series.map(({ label, unit }) => (unit ? `${label} (${unit})` : label));
      for (const name of [words.time, ...names]) {
        const cell = document.createElement("th");
        cell.scope = "col";
        cell.textContent = name;
        head.append(cell);
      }
      const body = table.createTBody();
      for (let i = this.data[0].length - 1; i >= 0; i -= 1) {
        const row = body.insertRow();
        row.insertCell().textContent = clock.format(this.data[0][i] * 1000);
        for (const values of this.data.slice(1)) row.insertCell().textContent = shown(values[i]);
      }
      this.table.append(table);
    }
  }

  const graphs = new Map();
  for (const root of document.querySelectorAll("[data-graph]")) {
    graphs.set(`#${root.id}`, new Graph(root));
  }

  document.addEventListener("live:point", ({ detail }) => graphs.get(detail.graph)?.add(detail));
  document.addEventListener("theme:changed", () => {
    for (const graph of graphs.values()) if (graph.plot) graph.draw();
  });
})();
