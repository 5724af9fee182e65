// Copying and printing a new code. Without this it can be selected, and the browser prints.
(() => {
  "use strict";
  const section = document.querySelector("[data-training-code]");
  if (!section) return;
  const input = section.querySelector("input[readonly]");
  const status = section.querySelector("[data-code-status]");
  const copy = section.querySelector("[data-code-copy]");
  const print = section.querySelector("[data-code-print]");

  copy.hidden = print.hidden = false;
  copy.addEventListener("click", async () => {
    input.select();
    try {
      if (navigator.clipboard) await navigator.clipboard.writeText(input.value);
      else document.execCommand("copy");
      status.textContent = status.dataset.copied;
    } catch {
      // It is selected: the keyboard copies it.
    }
  });
  print.addEventListener("click", () => window.print());
})();
