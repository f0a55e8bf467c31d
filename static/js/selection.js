// Rows that are selected: how many, all that are shown, and buttons that need some.
"use strict";

(() => {
  const boxesOf = (area) => [...area.querySelectorAll("input[data-select]")];
  const shown = (box) => box.offsetParent !== null;

  function tell(area) {
    const boxes = boxesOf(area);
    const chosen = boxes.filter((box) => box.checked).length;
    for (const count of area.querySelectorAll("[data-selected]")) count.textContent = chosen;
    for (const button of area.querySelectorAll("[data-needs-selection]")) button.disabled = !chosen;
    const all = area.querySelector("[data-select-all]");
    if (!all) return;
    all.checked = chosen > 0 && boxes.filter(shown).every((box) => box.checked);
    all.indeterminate = chosen > 0 && !all.checked;
  }

  document.addEventListener("change", ({ target }) => {
    const area = target.closest("[data-selection]");
    if (!area) return;
    if (target.matches("[data-select-all]"))
      for (const box of boxesOf(area).filter(shown)) box.checked = target.checked;
    if (target.matches("[data-select-all], [data-select]")) tell(area);
  });

  // A browser keeps the boxes of a page that is come back to.
  window.addEventListener("pageshow", () => document.querySelectorAll("[data-selection]").forEach(tell));
})();
