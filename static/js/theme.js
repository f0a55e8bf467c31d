// Sets the theme before the first paint. Loaded in <head> without defer on purpose.
"use strict";

(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const choices = ["system", "light", "dark"];

  function chosen() {
    try {
      const theme = localStorage.getItem("theme");
      return choices.includes(theme) ? theme : "system";
    } catch {
      return "system"; // storage is blocked: the system decides
    }
  }

  function apply() {
    const choice = chosen();
    const theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    if (root.dataset.bsTheme !== theme) {
      root.dataset.bsTheme = theme;
      document.dispatchEvent(new CustomEvent("theme:changed"));
    }
    return choice;
  }

  window.piranhaTheme = {
    chosen,
    next() {
      const choice = choices[(choices.indexOf(chosen()) + 1) % choices.length];
      try {
        localStorage.setItem("theme", choice);
      } catch {
        root.dataset.bsTheme = choice; // for this page only
      }
      apply();
      return choice;
    },
  };

  root.classList.add("js");
  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
})();
