// One chart of the graphs page: uPlot, with gaps, numbered marks, bands and stacks.
//
//   new piranha.Chart(element, {unit, stacked, utc, marks, gaps, range, zoom})
//     .show(t, lines)   lines: [{label, values, low, high}], null where nothing is known
"use strict";

(() => {
  const { words } = window.piranha;
  const TONES = ["--brand", "--warn", "--drift", "--up", "--mute"];
  // Dashes as well as colours tell the lines apart.
  const DASHES = [[], [7, 4], [2, 3], [10, 4, 2, 4]];
  const HEIGHT = 200;
  const DAY = 24 * 60 * 60;
  const language = document.documentElement.lang || undefined;
  const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const STEPS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // 2.6 MB/s, 1.3 M/s, 828/s; decimal units, as network people count.
  function shown(value, unit) {
    if (value == null) return "–";
    const [size, prefix] = STEPS.find(([one]) => Math.abs(value) >= one) || [1, ""];
    const scale = unit === "B/s" || Math.abs(value) >= 1e5;
    const text = numbers.format(scale ? value / size : value);
    const tail = (scale ? prefix : "") + (unit === "B/s" ? "B/s" : "");
    const per = unit === "/s" ? "/s" : "";
    return tail ? `${text} ${tail}${per}` : text + per;
  }

  function formats(utc) {
    const zone = utc ? { timeZone: "UTC" } : {};
    const make = (options) =>
      new Intl.DateTimeFormat(language, { ...options, ...zone, hourCycle: "h23" });
    return {
      seconds: make({ timeStyle: "medium" }),
      minutes: make({ hour: "2-digit", minute: "2-digit" }),
      days: make({ month: "short", day: "numeric" }),
      full: make({ dateStyle: "medium", timeStyle: "medium" }),
    };
  }

  // No line goes through a moment without neighbours: it is a dot.
  function alone(plot, which) {
    const values = plot.data[which];
    return [...values.keys()].filter(
      (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
    );
  }

  // Marks that stand closer than their numbers are wide have one text: 3–5.
  function numbered(marks, width) {
    const groups = [];
    for (const mark of marks) {
      const group = groups.at(-1);
      if (group && mark.x - group.at(-1).x < width) group.push(mark);
      else groups.push([mark]);
    }
    return groups.map((group) => {
      const [first, last] = [group[0], group.at(-1)];
      const text = first === last ? `${first.number}` : `${first.number}–${last.number}`;
      return { x: (first.x + last.x) / 2, tone: last.tone, text };
    });
  }

  class Chart {
    constructor(element, options) {
      Object.assign(this, options);
      this.element = element;
      this.formats = formats(this.utc);
      this.plot = null;
      this.lines = [];
      new ResizeObserver(() => this.fit()).observe(element);
    }

    fit() {
      const width = this.element.clientWidth - 16;
      if (this.plot && width > 0 && width !== this.plot.width) {
        this.plot.setSize({ width, height: HEIGHT });
      }
    }

    show(t, lines) {
      const same =
        this.plot &&
        lines.length === this.lines.length &&
        lines.every(({ label }, i) => label === this.lines[i].label);
      this.t = t;
      this.lines = lines;
      if (same) this.plot.setData(this.data());
      else this.draw();
    }

    draw() {
      this.plot?.destroy();
      this.element.textContent = "";
      this.plot = new window.uPlot(this.options(), this.data(), this.element);
    }

    // --- What uPlot gets ---
    data() {
      if (!this.stacked) {
        const bands = this.lines.filter(({ low }) => low).flatMap(({ low, high }) => [high, low]);
        return [this.t, ...this.lines.map(({ values }) => values), ...bands];
      }
      const sums = new Array(this.t.length).fill(0);
      return [
        this.t,
        ...this.lines.map(({ values }) =>
          values.map((value, i) => (value == null ? null : (sums[i] += value))),
        ),
      ];
    }

    series() {
      const lines = this.lines.map(({ label }, i) => {
        const stroke = colour(TONES[i % TONES.length]);
        const filled = this.stacked ? "59" : "1a";
        return {
          label,
          stroke,
          width: 1.6,
          dash: DASHES[(this.stacked ? 0 : i) % DASHES.length],
          fill: this.stacked || i === 0 ? stroke + filled : undefined,
          points: { show: false, size: 6, filter: alone },
          spanGaps: false,
          value: (_plot, _v, _s, at) =>
            at == null ? "–" : shown(this.lines[i].values[at], this.unit),
        };
      });
      const edge = { points: { show: false }, spanGaps: false, width: 0, class: "graph-edge" };
      const edges = this.stacked
        ? []
        : this.lines
            .filter(({ low }) => low)
            .flatMap(() => [{ ...edge, label: words.highest }, { ...edge, label: words.lowest }]);
      return [{ label: words.time, value: (_plot, t) => this.clock(t) }, ...lines, ...edges];
    }

    bands() {
      if (this.stacked) {
        return this.lines.slice(1).map((_line, i) => ({
          series: [i + 2, i + 1],
          fill: `${colour(TONES[(i + 1) % TONES.length])}59`,
        }));
      }
      const first = this.lines.length + 1;
      return this.lines
        .filter(({ low }) => low)
        .map((_line, i) => ({
          series: [first + 2 * i, first + 2 * i + 1],
          fill: `${colour(TONES[i % TONES.length])}33`,
        }));
    }

    options() {
      const axis = {
        stroke: colour("--mute"),
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { stroke: colour("--line"), width: 1 },
      };
      return {
        width: Math.max(this.element.clientWidth - 16, 200),
        height: HEIGHT,
        ...(this.utc && { tzDate: (t) => window.uPlot.tzDate(new Date(t * 1000), "Etc/UTC") }),
        cursor: {
          drag: { x: true, y: false, setScale: false },
          sync: { key: "graphs", setSeries: false },
        },
        scales: {
          x: { range: () => this.range() },
          y: { range: (_plot, _low, high) => [0, (high || 1) * 1.12] },
        },
        axes: [
          { ...axis, space: 76, size: 34, values: (_plot, ticks) => ticks.map((t) => this.tick(t, ticks)) },
          { ...axis, size: 70, values: (_plot, ticks) => ticks.map((v) => shown(v, this.unit)) },
        ],
        series: this.series(),
        bands: this.bands(),
        hooks: {
          drawClear: [(plot) => this.drawGaps(plot)],
          draw: [(plot) => this.drawMarks(plot)],
          setSelect: [(plot) => this.selected(plot)],
          setCursor: [(plot) => this.tellMark(plot)],
        },
      };
    }

    // Seconds only when ticks are closer than a minute; the day once they are days apart.
    tick(t, ticks) {
      const step = ticks.length > 1 ? ticks[1] - ticks[0] : 0;
      if (step >= DAY) return this.formats.days.format(t * 1000);
      return (step < 60 ? this.formats.seconds : this.formats.minutes).format(t * 1000);
    }

    clock(t) {
      return t == null ? "–" : this.formats.full.format(t * 1000);
    }

    selected(plot) {
      const { left, width } = plot.select;
      if (width < 8) return;
      this.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    }

    // --- Gaps and marks ---
    drawGaps(plot) {
      const { ctx, bbox } = plot;
      ctx.save();
      for (const [since, until] of this.gaps()) {
        const from = Math.max(plot.valToPos(since, "x", true), bbox.left);
        const to = Math.min(plot.valToPos(until, "x", true), bbox.left + bbox.width);
        if (to <= from) continue;
        ctx.fillStyle = `${colour("--warn")}24`;
        ctx.fillRect(from, bbox.top, Math.max(to - from, 2), bbox.height);
        const size = 11 * devicePixelRatio;
        ctx.font = `${size}px sans-serif`;
        if (ctx.measureText(words.gap).width + 8 < to - from) {
          ctx.fillStyle = colour("--warn");
          ctx.textAlign = "center";
          ctx.fillText(words.gap, (from + to) / 2, bbox.top + 1.5 * size);
        }
      }
      ctx.restore();
    }

    drawMarks(plot) {
      const { ctx, bbox } = plot;
      const unit = devicePixelRatio;
      const drawn = this.marks()
        .map(({ t, tone }, i) => ({ x: Math.round(plot.valToPos(t, "x", true)), tone, number: i + 1 }))
        .filter(({ x }) => x >= bbox.left && x <= bbox.left + bbox.width);
      ctx.save();
      ctx.setLineDash([3 * unit, 3 * unit]);
      for (const { x, tone } of drawn) {
        ctx.strokeStyle = colour(`--${tone}`);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top + 10 * unit);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.font = `600 ${10 * unit}px sans-serif`;
      ctx.textAlign = "center";
      for (const { x, tone, text } of numbered(drawn, 24 * unit)) {
        ctx.fillStyle = colour(`--${tone}`);
        ctx.fillText(text, x, bbox.top + 8 * unit);
      }
      ctx.restore();
    }

    tellMark(plot) {
      const near = this.marks().filter(
        ({ t }) => Math.abs(plot.valToPos(t, "x") - plot.cursor.left) < 6,
      );
      plot.over.title = near.map(({ text }) => text).join("\n");
    }
  }

  Object.assign(window.piranha, { Chart, chartColour: colour, chartFormats: formats });
})();
