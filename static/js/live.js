// The one adapter for live pages: server-sent events, with polling as the fallback.
//
//   <div data-live="URL" data-live-poll="URL" data-live-period="2"> ... </div>
//
// Without a URL in data-live there is no stream, and it is only polled.
// Events of the stream:
//   html    {"target": "#id", "html": "..."}   morphed into the page
//   services  {"target": "#id", "html": "<tbody ..."}   some parts of a table, the same way
//   rows    {"target": "#id", "rows": {id: [text or 0, ...]}}   the parts [data-n] of an
//           element, 0 where nothing is new; a sparkline has the heights of its points,
//           a line its width
//   point   {"graph": "#id", "t": 1, "values": [..]}   becomes "live:point" on the element
//   end     the stream is over: nothing will come, nothing is stale
// A fetch of data-live-poll answers with HTML (each root element goes where its id
// is) or with JSON, a list of {"event": ..., "data": ...}.
"use strict";

(() => {
  const { words, isLogin, toLogin } = window.piranha;
  const POLL_SECONDS = 2;
  const FAILURES_BEFORE_POLLING = 3;
  const RETRY_WHILE_POLLING_SECONDS = 30;
  const MISSED_PERIODS_BEFORE_STALE = 3;

  const morphing = {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed(old, fresh) {
        if (old.nodeType !== Node.ELEMENT_NODE) return true;
        if (old.hasAttribute("data-keep")) return false;
        // What a person has opened stays open, what is chosen stays chosen.
        if (old.tagName === "DETAILS") fresh.open = old.open;
        if (old.tagName === "DIALOG" && old.open) return false;
        if (old.matches("input[type=checkbox], input[type=radio]")) {
          fresh.checked = old.checked;
          fresh.toggleAttribute("checked", old.checked);
        }
        return true;
      },
    },
  };

  // What waits until a person has let go of the text that is selected there.
  const held = new Map();
  const MOST_HELD = 60;

  function isSelectedIn(target) {
    const selection = window.getSelection();
    return selection.type === "Range" && target.contains(selection.anchorNode);
  }

  // In the order in which they came: rows only fit the table that was before them.
  function put(selector, change) {
    const waiting = held.get(selector) || [];
    waiting.push(change);
    held.set(selector, waiting);
    letGo(selector);
  }

  function letGo(selector) {
    const target = document.querySelector(selector);
    const waiting = held.get(selector);
    if (target && isSelectedIn(target) && waiting.length < MOST_HELD) return;
    held.delete(selector);
    for (const change of target ? waiting : []) {
      change(document.querySelector(selector));
    }
    document.dispatchEvent(new CustomEvent("live:updated", { detail: { selector } }));
  }

  document.addEventListener("selectionchange", () => {
    for (const selector of [...held.keys()]) letGo(selector);
  });

  function morph(target, html) {
    settle(target);
    window.Idiomorph.morph(target, html, morphing);
    window.htmx.process(document.getElementById(target.id) || target);
  }

  function morphServices(html) {
    const page = new DOMParser().parseFromString(`<table>${html}</table>`, "text/html");
    for (const fresh of [...page.querySelectorAll("tbody")]) {
      const old = document.getElementById(fresh.id);
      if (!old) continue;
      settle(old);
      window.Idiomorph.morph(old, fresh, morphing);
    }
  }

  // Numbers of rows that nobody can see wait until they come near: to lay out and paint
  // a thousand rows every two seconds costs half a second of each period.
  const away = new Map();
  const isNear = new WeakMap();
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        isNear.set(target, isIntersecting);
        if (isIntersecting) settle(target);
      }
    },
    { rootMargin: "500px 0px" },
  );

  function isAway(row) {
    const body = row.closest("tbody");
    if (!body || isNear.get(body)) return false;
    if (isNear.has(body)) return true;
    near.observe(body);
    return false;
  }

  function fill(rows) {
    for (const [id, texts] of Object.entries(rows)) {
      const row = document.getElementById(id);
      if (!row) continue;
      const before = away.get(id);
      const news = before ? texts.map((text, i) => (text === 0 ? before[i] : text)) : texts;
      if (isAway(row)) away.set(id, news);
      else writeRow(row, news);
    }
  }

  function writeRow(row, texts) {
    away.delete(row.id);
    const cells = row.querySelectorAll("[data-n]");
    for (let i = 0; i < cells.length; i += 1) {
      if (texts[i] !== 0) write(cells[i], texts[i]);
    }
  }

  // Write what waits, for those who need all of it: sorting, printing, copying.
  function settle(root) {
    for (const [id, texts] of [...away]) {
      const row = document.getElementById(id);
      if (!row) away.delete(id);
      else if (root.contains(row)) writeRow(row, texts);
    }
  }

  for (const name of ["live:settle", "beforeprint", "copy"]) {
    window.addEventListener(name, () => settle(document));
  }

  function write(cell, text) {
    const spark = cell.querySelector("svg.spark");
    if (spark) return draw(spark, text);
    if (cell.tagName === "path") return cell.setAttribute("stroke-width", text);
    // What is not seen has a word of its own in there, and no number.
    if (cell.firstElementChild) return undefined;
    cell.textContent = text;
    return undefined;
  }

  function draw(spark, heights) {
    const [, , width, height] = spark.getAttribute("viewBox").split(" ");
    const points = heights ? heights.split(" ") : [];
    const step = width / (points.length - 1);
    const line = points.map((y, i) => `${(i * step).toFixed(1)},${y}`).join(" ");
    spark.querySelector("polyline")?.setAttribute("points", line);
    const area = `0,${height} ${line} ${width},${height}`;
    spark.querySelector("polygon")?.setAttribute("points", area);
  }

  class Live {
    constructor(root) {
      this.root = root;
      this.period = Number(root.dataset.livePeriod || 2);
      this.paused = false;
      this.finished = false;
      this.failures = 0;
      this.source = null;
      this.timers = new Set();
      this.lastNews = Date.now();
      this.lastId = null;
      this.show("connecting");
      this.clock = setInterval(() => this.tell(), 1000);
      root.addEventListener("click", (event) => {
        const button = event.target.closest("[data-live-pause]");
        if (button) this.pause(!this.paused, button);
      });
      if (!document.hidden) this.open();
    }

    // --- Connection ---
    open() {
      this.close();
      if (!this.root.dataset.live) {
        this.show("polling");
        return this.later(() => this.poll(), POLL_SECONDS);
      }
      const url = new URL(this.root.dataset.live, location.href);
      // The browser sends Last-Event-ID only when it reconnects by itself.
      if (this.lastId !== null) url.searchParams.set("last_event_id", this.lastId);
      const source = new EventSource(url, { withCredentials: true });
      this.source = source;
      source.addEventListener("open", () => {
        this.failures = 0;
        this.stop();
        this.show("live");
      });
      for (const name of ["html", "services", "rows", "point", "end", "tick"]) {
        source.addEventListener(name, (event) => {
          this.lastId = event.lastEventId || this.lastId;
          this.news(name, event.data);
        });
      }
      source.addEventListener("error", () => this.failed(source));
    }

    failed(source) {
      if (source !== this.source) return;
      this.failures += 1;
      if (this.failures >= FAILURES_BEFORE_POLLING && this.root.dataset.livePoll) {
        this.close();
        this.show("polling");
        this.later(() => this.poll(), 0);
        this.later(() => this.open(), RETRY_WHILE_POLLING_SECONDS);
        return;
      }
      this.show("reconnecting");
      if (source.readyState === EventSource.CLOSED) {
        this.later(() => this.open(), Math.min(2 ** this.failures, 30));
      }
    }

    async poll() {
      try {
        const response = await fetch(this.root.dataset.livePoll, {
          headers: { "HX-Request": "true" },
          signal: AbortSignal.timeout(8000),
        });
        if (response.status === 401 || isLogin(response.url)) return toLogin();
        // 286 is htmx's word for "stop polling".
        if (response.ok) await this.take(response);
        if (response.status === 286) return this.end();
      } catch {
        this.show("reconnecting");
      }
      if (!this.source && !this.resting()) {
        this.later(() => this.poll(), POLL_SECONDS);
      }
    }

    async take(response) {
      if ((response.headers.get("Content-Type") || "").includes("json")) {
        for (const { event, data } of await response.json()) this.news(event, data);
      } else {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        for (const fresh of page.body.querySelectorAll(":scope > [id]")) {
          put(`#${fresh.id}`, (target) => morph(target, fresh.outerHTML));
        }
        // What the stream has told before is no longer what the page has.
        this.lastId = "";
        this.news("tick");
      }
      this.show("polling");
    }

    // --- What arrives ---
    news(name, data) {
      if (this.paused) return;
      const content = typeof data === "string" && data ? JSON.parse(data) : data;
      this.lastNews = Date.now();
      this.tell();
      if (name === "html") put(content.target, (target) => morph(target, content.html));
      else if (name === "services") put(content.target, () => morphServices(content.html));
      else if (name === "rows") put(content.target, () => fill(content.rows));
      else if (name === "end") this.end();
      else if (name === "point") {
        this.root.dispatchEvent(
          new CustomEvent("live:point", { detail: content, bubbles: true }),
        );
      }
    }

    end() {
      this.finished = true;
      this.close();
      this.show("finished");
      this.tell();
    }

    // --- Pausing: by the person, or because nobody looks ---
    pause(paused, button) {
      this.paused = paused;
      button.setAttribute("aria-pressed", String(paused));
      for (const face of button.querySelectorAll("[data-when]")) {
        face.hidden = (face.dataset.when === "paused") !== paused;
      }
      if (paused) this.rest();
      else this.resume();
    }

    resting() {
      return this.paused || this.finished || document.hidden;
    }

    rest() {
      this.close();
      if (this.paused) this.show("paused");
    }

    resume() {
      if (this.resting()) return;
      this.lastNews = Date.now();
      this.failures = 0;
      this.show("connecting");
      this.open();
    }

    close() {
      this.source?.close();
      this.source = null;
      this.stop();
    }

    // --- Timers and words ---
    later(run, seconds) {
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        if (this.root.isConnected) run();
      }, seconds * 1000);
      this.timers.add(timer);
    }

    stop() {
      for (const timer of this.timers) clearTimeout(timer);
      this.timers.clear();
    }

    show(state) {
      for (const face of this.root.querySelectorAll("[data-live-state]")) {
        face.hidden = face.dataset.liveState !== state;
      }
    }

    tell() {
      if (!this.root.isConnected) {
        clearInterval(this.clock);
        this.close();
        return;
      }
      const seconds = Math.round((Date.now() - this.lastNews) / 1000);
      const stale =
        !this.finished && !this.paused && seconds >= this.period * MISSED_PERIODS_BEFORE_STALE;
      this.root.toggleAttribute("data-stale", stale);
      const text = stale ? words.no_news : words.updated;
      for (const age of this.root.querySelectorAll("[data-age]")) {
        age.textContent = this.finished ? "" : text.replace("{n}", seconds);
      }
    }
  }

  const lives = [...document.querySelectorAll("[data-live]")].map((root) => new Live(root));

  document.addEventListener("visibilitychange", () => {
    for (const live of lives) document.hidden ? live.rest() : live.resume();
  });
  // A page in the back/forward cache must not hold a stream open.
  window.addEventListener("pagehide", () => lives.forEach((live) => live.close()));
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) lives.forEach((live) => live.resume());
  });
})();
