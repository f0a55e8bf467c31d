// A run that is being polled: what a person has opened stays open, and closed closed.
"use strict";

window.Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
  !(name === "open" && node.matches("details"));
