// Copying a code, a text or links. Without this they can be selected and copied by hand.
(() => {
  "use strict";
  const copy = async (input) => {
    input.select();
    if (navigator.clipboard) await navigator.clipboard.writeText(input.value);
    else document.execCommand("copy");
  };

  for (const button of document.querySelectorAll("[data-copy]")) {
    const status = button.closest("[data-copies]").querySelector("[data-copy-status]");
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
