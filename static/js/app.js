// Small behaviours of every page. All words come from <body data-words>.
"use strict";

(() => {
  const words = JSON.parse(document.body.dataset.words || "{}");

  // --- Theme button: system, light, dark -----------------------------------
  function showTheme(button, choice) {
    for (const face of button.querySelectorAll("[data-theme-is]")) {
      face.hidden = face.dataset.themeIs !== choice;
    }
    button.title = words[`theme_${choice}`] || choice;
    button.setAttribute("aria-label", button.title);
  }

  for (const button of document.querySelectorAll("[data-theme-button]")) {
    button.hidden = false;
    showTheme(button, window.piranhaTheme.chosen());
    button.addEventListener("click", () => {
      const choice = window.piranhaTheme.next();
      document
        .querySelectorAll("[data-theme-button]")
        .forEach((other) => showTheme(other, choice));
    });
  }

  // --- Toasts ----------------------------------------------------------------
  function toast(text, { level = "error", action = null, seconds = 0 } = {}) {
    const note = document
      .getElementById("toast")
      .content.firstElementChild.cloneNode(true);
    note.className = `notice notice-${level}`;
    note.querySelector("[data-text]").textContent = text;
    if (action) {
      const button = note.querySelector("[data-action]");
      button.hidden = false;
      button.textContent = action.label;
      button.addEventListener("click", () => {
        note.remove();
        action.run();
      });
    }
    document.getElementById("toasts").append(note);
    if (seconds) setTimeout(() => note.remove(), seconds * 1000);
    return note;
  }

  window.piranha = { words, toast };

  // --- Clicks ------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    let found;
    if ((found = at("[data-dismiss]"))) found.closest(".notice").remove();
    else if ((found = at("[data-copy]"))) copy(found);
    else if ((found = at("[data-menu]"))) toggleMenu(found);
    else if ((found = at("[data-dialog]"))) openDialog(found.dataset.dialog);
    else if ((found = at("[data-dialog-close]"))) found.closest("dialog").close();
    else if (event.target.matches?.("dialog.dialog")) event.target.close();
    for (const popup of document.querySelectorAll("details[data-popup][open]")) {
      if (!popup.contains(event.target)) popup.open = false;
    }
  });

  function openDialog(id) {
    const dialog = document.getElementById(id);
    if (dialog && !dialog.open) dialog.showModal();
  }

  function toggleMenu(button, open = button.getAttribute("aria-expanded") !== "true") {
    document.getElementById(button.dataset.menu).classList.toggle("is-open", open);
    button.setAttribute("aria-expanded", String(open));
  }

  async function copy(button) {
    const source = button.dataset.copyFrom;
    const text = source
      ? document.querySelector(source).textContent
      : button.dataset.copy;
    try {
      // navigator.clipboard needs https or localhost; a dashboard on a LAN has neither.
      if (navigator.clipboard) await navigator.clipboard.writeText(text);
      else if (!copyBySelection(text)) throw new Error("refused");
      toast(words.copied, { level: "success", seconds: 2 });
    } catch {
      toast(words.copy_failed, { level: "warning", seconds: 8 });
    }
  }

  function copyBySelection(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }

  // --- Keys (WCAG 2.1.4: the single-key ones can be turned off) ------------------
  const KEYS_OFF = "keys-off";

  function keysAreOff() {
    try {
      return localStorage.getItem(KEYS_OFF) === "1";
    } catch {
      return false;
    }
  }

  const keysBox = document.querySelector("[data-keys-off]");
  if (keysBox) {
    keysBox.checked = keysAreOff();
    keysBox.addEventListener("change", () => {
      try {
        localStorage.setItem(KEYS_OFF, keysBox.checked ? "1" : "0");
      } catch {
        keysBox.checked = false; // not remembered, so not promised
      }
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return closeWhatIsOpen();
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || keysAreOff()) return;
    if (event.key === "/") {
      const fields = document.querySelectorAll("[data-search], [data-filter], [data-find-in]");
      const field = [...fields].find((input) => input.checkVisibility());
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    } else if (event.key === "?") {
      openDialog("keys-help");
    }
  });

  function closeWhatIsOpen() {
    // A modal <dialog> closes by itself.
    for (const popup of document.querySelectorAll("details[data-popup][open]")) {
      popup.open = false;
      popup.querySelector("summary").focus();
    }
    const menu = document.querySelector("[data-menu][aria-expanded='true']");
    if (menu) {
      toggleMenu(menu, false);
      menu.focus();
    }
  }

  // --- Forms -----------------------------------------------------------------------
  function guardConfirm(input) {
    const submit = input.form.querySelector("button[type='submit']");
    submit.disabled = input.value.trim() !== input.dataset.confirmWord;
  }

  function applyFilter(input) {
    const wanted = input.value.trim().toLowerCase();
    const table = document.querySelector(input.dataset.filter);
    for (const body of table?.tBodies || []) {
      // A match in the first row (the virtual service) shows its whole band.
      const [head, ...rows] = body.rows;
      if (!head) continue;
      const matches = (row) => row.textContent.toLowerCase().includes(wanted);
      const all = matches(head);
      let any = all;
      for (const row of rows) {
        row.hidden = !(all || matches(row));
        any ||= !row.hidden;
      }
      head.hidden = !any;
    }
  }

  document.addEventListener("input", ({ target }) => {
    if (target.matches("[data-confirm-word]")) guardConfirm(target);
    if (target.matches("[data-filter]")) applyFilter(target);
  });

  function prepare(root) {
    for (const input of root.querySelectorAll("[data-confirm-word]")) guardConfirm(input);
    for (const input of document.querySelectorAll("[data-filter]")) {
      if (input.value) applyFilter(input);
    }
    root.querySelector("[data-error-summary]")?.focus();
  }

  prepare(document);
  document.addEventListener("htmx:afterSettle", ({ target }) => prepare(target));
  document.addEventListener("live:updated", () => {
    for (const input of document.querySelectorAll("[data-filter]")) {
      if (input.value) applyFilter(input);
    }
  });

  // --- htmx: what goes wrong is said in words ----------------------------------------
  function toLogin() {
    const here = encodeURIComponent(location.pathname + location.search);
    location.assign(`${document.body.dataset.login}?next=${here}`);
  }

  function isLogin(url) {
    const login = document.body.dataset.login;
    return Boolean(login && url) && new URL(url, location.href).pathname === login;
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    // A lost session: the redirect was followed and the log-in page came back.
    if (isLogin(event.detail.xhr.responseURL) && !isLogin(location.href)) {
      event.detail.shouldSwap = false;
      toLogin();
    }
  });

  document.addEventListener("htmx:responseError", ({ detail }) => {
    const { status } = detail.xhr;
    if (status === 401) toLogin();
    else if (status === 403) toast(words.forbidden);
    else if (status === 429) toast(words.too_many, { level: "warning", seconds: 8 });
    else if (status >= 502) noAnswer(detail);
    else toast(words.server_error, { action: reload() });
  });

  document.addEventListener("htmx:sendError", ({ detail }) => noAnswer(detail));
  document.addEventListener("htmx:timeout", ({ detail }) => noAnswer(detail));

  function reload() {
    return { label: words.reload, run: () => location.reload() };
  }

  function noAnswer({ requestConfig, target }) {
    const { verb, path, elt } = requestConfig;
    if (verb !== "get") {
      toast(words.no_answer_unsafe, { action: reload() });
      return;
    }
    const run = () => window.htmx.ajax("GET", path, { source: elt, target });
    toast(words.no_answer, { action: { label: words.retry, run } });
  }

  window.piranha.toLogin = toLogin;
  window.piranha.isLogin = isLogin;
})();
