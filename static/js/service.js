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

  // A new row is there to be filled in.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.requestConfig?.elt.id !== "add-server") return;
    const rows = document.querySelectorAll(".server-row select");
    rows[rows.length - 1]?.focus();
  });
})();
