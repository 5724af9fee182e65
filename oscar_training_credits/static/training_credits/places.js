// Copying the links of places. Without this they can be selected and copied by hand.
(() => {
  "use strict";
  const section = document.querySelector("[data-training-places]");
  if (!section) return;
  const status = section.querySelector("[data-places-status]");

  const copy = async (input) => {
    input.select();
    if (navigator.clipboard) await navigator.clipboard.writeText(input.value);
    else document.execCommand("copy");
  };

  for (const button of section.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await copy(document.getElementById(button.dataset.copy));
        status.textContent = status.dataset.copied;
        button.firstChild.textContent = status.dataset.copied;
      } catch {
        // It is selected: the keyboard copies it.
      }
    });
  }
})();
