// The form of a virtual service: notes arrive beside their fields while typing.
"use strict";

(() => {
  // A note that says an error marks its field for eyes and for screen readers.
  function markFields() {
    const wrong = new Set(
      [...document.querySelectorAll("[data-note-for]")]
        .filter((note) => note.querySelector(".field-error"))
        .map((note) => note.dataset.noteFor),
    );
    for (const note of document.querySelectorAll("[data-note-for]")) {
      const field = document.getElementById(note.dataset.noteFor);
      if (!field) continue;
      if (wrong.has(field.id)) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }

  document.addEventListener("htmx:oobAfterSwap", markFields);
  document.addEventListener("htmx:afterSwap", markFields);

  // A field that cuts a long address off has it written out below.
  function writeBelow(field, said) {
    let line = field.parentElement.querySelector(".chosen-address");
    if (!said) {
      line?.remove();
      return;
    }
    if (!line) {
      line = document.createElement("div");
      line.className = "field-help chosen-address mono";
      // What a reader hears from the field already.
      line.setAttribute("aria-hidden", "true");
      field.after(line);
    }
    if (line.textContent !== said) line.textContent = said;
  }

  function writeOut() {
    for (const select of document.querySelectorAll(".server-row select[name$='-host']")) {
      const chosen = select.selectedOptions[0]?.text || "";
      const said = chosen.split(" · ").slice(1).join(" · ");
      writeBelow(select, chosen.includes(":") ? said : "");
    }
    for (const vip of document.querySelectorAll("input[name='address']")) {
      writeBelow(vip, vip.scrollWidth > vip.clientWidth ? vip.value : "");
    }
  }

  document.addEventListener("input", writeOut);
  document.addEventListener("change", writeOut);
  document.addEventListener("htmx:afterSettle", writeOut);
  writeOut();

  // A new row is there to be filled in.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.requestConfig?.elt.id !== "add-server") return;
    const rows = document.querySelectorAll(".server-row select");
    rows[rows.length - 1]?.focus();
  });
})();
