// Shows the terms that the chosen kind needs. Without this all of them are shown.
(() => {
  "use strict";
  const terms = document.querySelector("[data-training-terms]");
  const kind = terms?.querySelector("select[name$='-kind']");
  if (!kind) return;

  const show = () => {
    for (const part of terms.querySelectorAll("[data-training-kind]")) {
      // What is said of a field is never hidden.
      const isWrong = part.querySelector(".error-block") !== null;
      part.hidden = part.dataset.trainingKind !== kind.value && !isWrong;
    }
  };

  kind.addEventListener("change", show);
  show();
})();
