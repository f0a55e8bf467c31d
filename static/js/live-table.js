// Sorting and filtering of the live table, in the browser: everybody gets the same
// fragment, and what one person looks for stays in the address of that person.
//
//   ?sort=active or ?sort=-active   data-sort of a column's head
//   ?q=web1                         input [data-find-in]: address, name, scheduler, method
//   ?state=DRIFT                    select [data-state-in]: data-state of a row
"use strict";

(() => {
  const { words } = window.piranha;
  const FIELDS = ["sort", "q", "state"];
  const find = document.querySelector("[data-find-in]");
  const choice = document.querySelector("[data-state-in]");
  const told = document.querySelector("[data-found]");
  if (!find || !choice) return;

  const PREFIXES = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
  const order = new Intl.Collator(document.documentElement.lang || undefined, {
    numeric: true,
  });
  const address = new URL(location.href).searchParams;
  let sort = address.get("sort") || "";
  find.value = address.get("q") || "";
  if ([...choice.options].some((one) => one.value === address.get("state"))) {
    choice.value = address.get("state");
  }

  const theTable = () => document.querySelector("[data-live-table]");

  function remember() {
    const url = new URL(location.href);
    const now = { sort, q: find.value.trim(), state: choice.value };
    for (const name of FIELDS) {
      if (now[name]) url.searchParams.set(name, now[name]);
      else url.searchParams.delete(name);
    }
    history.replaceState(history.state, "", url);
  }

  // --- Sorting -----------------------------------------------------------------
  // "2.6 MB/s" -> 2600000; a dash and "not seen" are no numbers and come last.
  function numberIn(text, decimal) {
    const found = text.match(/(-?\d[\d.,\s\u00a0\u202f’']*)([kMGT])?/);
    if (!found) return NaN;
    const digits = [...found[1]].filter((c) => /[\d-]/.test(c) || c === decimal);
    const plain = Number(digits.join("").replace(decimal, "."));
    return plain * (PREFIXES[found[2]] || 1);
  }

  function valueOf(row, column, table) {
    if (!row) return "";
    const { sort: name } = column.dataset;
    if (name === "state") return row.dataset.state || "";
    const text = row.cells[column.cellIndex]?.textContent.trim() || "";
    return column.classList.contains("num") ? numberIn(text, table.dataset.decimal) : text;
  }

  function compare(a, b, down) {
    if (typeof a === "number") {
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return down ? b - a : a - b;
    }
    return down ? order.compare(b, a) : order.compare(a, b);
  }

  function sorted(rows, keyRow, column, table, down) {
    const keyed = rows.map((row, at) => [valueOf(keyRow(row), column, table), at, row]);
    keyed.sort((a, b) => compare(a[0], b[0], down) || a[1] - b[1]);
    return keyed.map(([, , row]) => row);
  }

  // Elements move only when the order is another one: moving takes the focus away.
  function reorder(parent, before, after) {
    if (before.every((row, at) => row === after[at])) return;
    const focused = parent.contains(document.activeElement) && document.activeElement;
    for (const row of after) parent.append(row);
    if (focused) focused.focus({ preventScroll: true });
  }

  function applySort(table) {
    const down = sort.startsWith("-");
    const heads = [...table.tHead.rows[0].cells];
    const column = heads.find((head) => head.dataset.sort === sort.replace(/^-/, ""));
    for (const head of heads) {
      if (head === column) head.ariaSort = down ? "descending" : "ascending";
      else head.removeAttribute("aria-sort");
    }
    if (!column) return;
    window.dispatchEvent(new Event("live:settle"));
    const bodies = [...table.tBodies];
    const first = (body) => body.rows[0];
    reorder(table, bodies, sorted(bodies, first, column, table, down));
    for (const body of bodies) {
      const rows = [...body.rows].slice(1);
      reorder(body, rows, sorted(rows, (row) => row, column, table, down));
    }
  }

  document.addEventListener("click", (event) => {
    const head = event.target.closest?.("[data-live-table] th[data-sort]");
    if (!head || !event.target.closest("button")) return;
    const { sort: name } = head.dataset;
    // Numbers begin with the largest.
    const [first, second] = head.classList.contains("num")
      ? [`-${name}`, name]
      : [name, `-${name}`];
    sort = sort === first ? second : first;
    remember();
    applySort(theTable());
  });

  // --- Filtering ---------------------------------------------------------------
  function wordsOf(row) {
    const texts = [...row.cells].slice(0, 2).map((cell) => cell.textContent);
    return texts.join(" ").toLowerCase();
  }

  function applyFilter(table) {
    const wanted = find.value.trim().toLowerCase();
    const state = choice.value;
    let shown = 0;
    let all = 0;
    for (const body of table.tBodies) {
      const [head, ...rows] = body.rows;
      const folded = (body.dataset.find || "").toLowerCase();
      const whole = wordsOf(head).includes(wanted);
      // A match in the virtual service shows all of it.
      const matches = (row) =>
        (whole || wordsOf(row).includes(wanted)) && (!state || row.dataset.state === state);
      let any =
        (whole || folded.includes(wanted)) &&
        (!state ||
          head.dataset.state === state ||
          (body.dataset.states || "").split(" ").includes(state));
      for (const row of rows) {
        row.hidden = !matches(row);
        any ||= !row.hidden;
      }
      head.hidden = !any;
      all += 1;
      shown += any ? 1 : 0;
    }
    const text = words.found.replace("{n}", shown).replace("{all}", all);
    const now = wanted || state ? text : "";
    if (told && told.textContent !== now) told.textContent = now;
  }

  function apply() {
    const table = theTable();
    if (!table) return;
    applySort(table);
    if (find.value || choice.value || told?.textContent) applyFilter(table);
  }

  for (const input of [find, choice]) {
    input.addEventListener("input", () => {
      remember();
      const table = theTable();
      if (table) applyFilter(table);
    });
  }
  document.addEventListener("live:updated", ({ detail }) => {
    if (detail?.selector === "#live-table" && (sort || find.value || choice.value)) apply();
  });

  // Links on this page are the same for everybody: what is only ours goes along.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='?']");
    if (!link) return;
    const url = new URL(link.href);
    const here = new URL(location.href).searchParams;
    for (const name of FIELDS) {
      if (here.get(name)) url.searchParams.set(name, here.get(name));
    }
    link.href = url.search;
  });

  apply();
})();
