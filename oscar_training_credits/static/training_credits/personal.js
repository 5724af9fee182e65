// What is for one person is asked for again when somebody goes back to it. Chromium keeps
// even a page that is not to be stored, if the log-in itself led there.
(() => {
  "use strict";
  const { page } = document.currentScript.dataset;

  window.addEventListener("pagehide", (event) => {
    if (event.persisted) document.documentElement.hidden = true;
  });
  window.addEventListener("pageshow", (event) => {
    // Not `reload`: the page may be the answer to a post.
    if (event.persisted) window.location.replace(page);
  });
})();
