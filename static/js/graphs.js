// The graphs page: loads the lines, keeps them up to date, zooms by the address.
//
//   <div data-graphs="URL" data-zone="utc" data-live-graphs> [data-chart] ... </div>
//
// The URL answers {t, step, since, until, stacked, charts: {name: {unit, lines}}, marks,
// gaps}. A "live:point" {"graph": "#graphs", t, charts: {name: {label: value}}} adds one.
"use strict";

(() => {
  const { words, Chart, chartColour, chartFormats } = window.piranha;
  const root = document.querySelector("[data-graphs]");
  const utc = new URLSearchParams(location.search).get("tz") === "utc";
  const formats = chartFormats(utc);
  const REFRESH_SECONDS = 30;

  // --- Times of the page, in the zone that was chosen ---
  function tellTimes(place) {
    if (utc) return;
    for (const time of place.querySelectorAll("time[data-moment]")) {
      const at = new Date(time.dateTime);
      time.title = `${time.textContent.trim()}`;
      time.textContent = formats.full.format(at);
    }
  }

  function tellZone() {
    const link = document.querySelector("[data-local-zone]");
    const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" })
      .formatToParts(new Date())
      .find(({ type }) => type === "timeZoneName");
    if (link && zone) link.textContent += ` (${zone.value})`;
  }

  tellTimes(document);
  tellZone();
  if (!root) return;

  const state = { since: 0, until: 1, marks: [], gaps: [], data: null, heard: false };
  const charts = new Map();
  const isLive = root.hasAttribute("data-live-graphs");
  const isFree = new URLSearchParams(location.search).has("from");
  const LATE_SECONDS = 10;
  // One late reading leaves no gap, two do (watch/points.py).
  const LONGEST_LINE = 4;
  let paused = false;

  function zoom(since, until) {
    const url = new URL(location.href);
    const written = (t) => `${new Date(t * 1000).toISOString().slice(0, 19)}Z`;
    url.searchParams.set("from", written(since));
    url.searchParams.set("to", written(Math.max(until, since + 10)));
    url.searchParams.delete("range");
    location.assign(url);
  }

  function chartOf(name, unit, stacked) {
    if (!charts.has(name)) {
      const place = root.querySelector(`[data-chart="${name}"] [data-canvas]`);
      if (!place) return null;
      const shared = {
        range: () => [state.since, state.until],
        marks: () => state.marks,
        gaps: () => state.gaps,
      };
      charts.set(name, new Chart(place, { unit, stacked, utc, zoom, ...shared }));
    }
    return charts.get(name);
  }

  async function load() {
    const response = await fetch(root.dataset.graphs, { signal: AbortSignal.timeout(15000) });
    if (!response.ok) throw new Error(String(response.status));
    const data = await response.json();
    state.data = data;
    Object.assign(state, {
      since: data.since,
      until: data.until,
      marks: data.marks,
      gaps: data.gaps,
      heard: false,
      longest: Math.max(LONGEST_LINE, data.t.length > 1 ? 2 * (data.t[1] - data.t[0]) : 0),
    });
    draw();
  }

  function draw() {
    for (const [name, { unit, lines }] of Object.entries(state.data.charts)) {
      if (lines.length) chartOf(name, unit, state.data.stacked)?.show(state.data.t, lines);
    }
  }

  // --- New points ---
  // The newest moments of what was loaded may not have been written then: they are no
  // gap, unless it lasts.
  function dropUnwritten(data, t) {
    const [, ...values] = rows(data);
    let known = data.t.length;
    while (known && values.every((row) => row[known - 1] == null)) known -= 1;
    if (known && t - data.t[known - 1] <= LATE_SECONDS) {
      for (const row of [data.t, ...values]) row.length = known;
    }
  }

  function rows(data) {
    const lines = Object.values(data.charts).flatMap((chart) => chart.lines);
    return [data.t, ...lines.flatMap(rowsOf)];
  }

  function rowsOf(line) {
    return [line.values, line.low, line.high].filter(Boolean);
  }

  // Without values it is a moment of which nothing is known.
  function push(data, t, values) {
    data.t.push(t);
    for (const [name, { lines }] of Object.entries(data.charts)) {
      for (const line of lines) {
        const value = values[name]?.[line.label] ?? null;
        for (const row of rowsOf(line)) row.push(value);
      }
    }
  }

  function add({ t, charts: values }) {
    const { data } = state;
    if (!data || t <= data.t[data.t.length - 1]) return;
    const span = state.until - state.since;
    dropUnwritten(data, t);
    const last = data.t[data.t.length - 1];
    if (state.heard && t - last > state.longest) push(data, last + 1, {});
    push(data, t, values);
    state.heard = true;
    const first = data.t.findIndex((time) => time >= t - span);
    if (first > 0) for (const row of rows(data)) row.splice(0, first);
    state.until = t;
    state.since = t - span;
    draw();
  }

  // The sentences, the table and the list of marks come from the server again.
  async function refresh() {
    if (paused || document.hidden) return;
    try {
      await load();
      const response = await fetch(location.href, { signal: AbortSignal.timeout(15000) });
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const old of document.querySelectorAll(".graphs-summary, [data-graphs-fresh]")) {
        const fresh = page.getElementById(old.id);
        if (!fresh || old.contains(document.activeElement)) continue;
        tellTimes(fresh);
        const open = old.querySelector("details")?.open;
        if (open) fresh.querySelector("details").open = true;
        old.replaceWith(fresh);
      }
    } catch {
      // The next one will do; live.js says when nothing comes any more.
    }
  }

  // --- A picture to keep ---
  function picture() {
    const plots = [...charts.values()].map(({ plot }) => plot).filter(Boolean);
    const unit = devicePixelRatio;
    const head = 54 * unit;
    const title = 30 * unit;
    const width = Math.max(...plots.map(({ ctx }) => ctx.canvas.width)) + 32 * unit;
    const height = head + plots.reduce((sum, p) => sum + p.ctx.canvas.height + title, 0);
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const ctx = canvas.getContext("2d");
    ctx.fillStyle = chartColour("--panel");
    ctx.fillRect(0, 0, width, height);
    ctx.fillStyle = chartColour("--ink");
    ctx.font = `600 ${16 * unit}px sans-serif`;
    ctx.fillText(root.dataset.title, 16 * unit, 24 * unit);
    ctx.font = `${12 * unit}px sans-serif`;
    ctx.fillStyle = chartColour("--mute");
    const times = [state.since, state.until].map((t) => formats.full.format(t * 1000));
    ctx.fillText(`${times.join(" – ")}${utc ? " UTC" : ""}`, 16 * unit, 44 * unit);
    let top = head;
    for (const [name, chart] of charts) {
      if (!chart.plot) continue;
      ctx.fillStyle = chartColour("--ink");
      ctx.font = `600 ${13 * unit}px sans-serif`;
      const heading = root.querySelector(`#chart-${name}`).textContent.trim();
      const labels = chart.lines.length > 1 ? ` (${chart.lines.map((l) => l.label).join(", ")})` : "";
      ctx.fillText(heading + labels, 16 * unit, top + 20 * unit);
      ctx.drawImage(chart.plot.ctx.canvas, 16 * unit, top + title);
      top += chart.plot.ctx.canvas.height + title;
    }
    canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${root.dataset.title.replace(/[^\w.-]+/g, "-")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, "image/png");
  }

  const button = document.querySelector("[data-graphs-png]");
  button.addEventListener("click", picture);

  document.addEventListener("live:point", ({ detail }) => {
    if (detail.graph === "#graphs") add(detail);
  });
  document.addEventListener("theme:changed", () => {
    for (const chart of charts.values()) if (chart.plot) chart.draw();
  });
  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest("[data-live-pause]");
    if (pressed) setTimeout(() => (paused = pressed.getAttribute("aria-pressed") === "true"));
  });

  load()
    .then(() => (button.hidden = false))
    .catch(() => {
      for (const place of root.querySelectorAll("[data-canvas]")) {
        place.textContent = words.no_answer;
      }
    });
  if (!isFree) setInterval(refresh, REFRESH_SECONDS * 1000);
  root.dataset.ready = String(isLive);
})();
