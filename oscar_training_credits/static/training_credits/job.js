// Shows how far a job is, and goes on with it where the site has no workers.
// Without this a button goes on, or the page is loaded anew by itself.
(() => {
  "use strict";
  const PAUSE = 1000;
  const AFTER_FAILURE = 10000;
  if (new URLSearchParams(location.search).has("still")) return;

  const answer = () => {
    const form = document.querySelector("#job [data-training-advance]");
    if (!form) return fetch(location.href);
    const body = new FormData(form);
    body.append("script", "1");
    return fetch(form.action, { method: "POST", body });
  };

  const step = async () => {
    let pause = PAUSE;
    try {
      const response = await answer();
      if (!response.ok) throw new Error(response.statusText);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const now = page.getElementById("job");
      if (!now) throw new Error("no job");
      const shown = document.getElementById("job");
      if (now.dataset.trainingJob !== shown.dataset.trainingJob) {
        // Done, stopped or stuck: all of the page is about it, and a screen reader begins
        // anew.
        location.reload();
        return;
      }
      for (const part of ["label[for=job-progress]", "#job-progress"]) {
        const old = shown.querySelector(part);
        old?.replaceWith(now.querySelector(part));
      }
    } catch {
      pause = AFTER_FAILURE;
    }
    setTimeout(step, pause);
  };

  setTimeout(step, PAUSE);
})();
