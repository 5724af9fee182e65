// Makes the purchase box work without a full reload. Everything works without it too.
(() => {
  "use strict";
  const SELECTOR = "[data-training-purchase]";

  const content = (root) =>
    root.querySelector("main") || root.querySelector("#content_inner");

  async function submit(form) {
    const box = form.closest(SELECTOR);
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    box.setAttribute("aria-busy", "true");
    const data = new FormData(form);
    data.set("again", "1");
    const response = await fetch(form.action, {
      method: "POST",
      body: data,
      credentials: "same-origin",
      headers: { "X-Requested-With": "XMLHttpRequest" },
    });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector(SELECTOR);
    if (!response.ok || !fresh) throw new Error(`Status ${response.status}`);
    // With access the page itself has more to show than the box.
    if (response.redirected && fresh.classList.contains("training-purchase--access") && content(page)) {
      content(document).replaceWith(content(page));
      history.replaceState(null, "", response.url);
      announce(document.querySelector(SELECTOR));
      return;
    }
    box.replaceWith(fresh);
    announce(fresh);
  }

  // A live region speaks when its text changes after it is in the page. What has the
  // role "alert" speaks for itself.
  function announce(box) {
    const region = box.querySelector("[data-training-announcement]");
    const said = box.querySelector(".training-purchase__done, .training-purchase__code p");
    if (!box.querySelector("[role=alert]") && said) {
      setTimeout(() => { region.textContent = said.textContent.trim(); }, 50);
    }
    const next = box.querySelector("#training-purchase-next");
    next?.focus({ preventScroll: true });
    if (next && !isSeen(box, next)) next.scrollIntoView();
  }

  function isSeen(box, next) {
    const end = (next.closest("form") || next).getBoundingClientRect().bottom;
    return box.getBoundingClientRect().top >= 0 && end <= window.innerHeight;
  }

  // A page that a cache keeps is everybody's. What is personal comes after it.
  async function loadPersonalPart(link) {
    const response = await fetch(link.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (response.ok && page.querySelector(SELECTOR) && content(page)) {
      content(document).replaceWith(content(page));
    }
  }

  // The browser may keep such a page and show it again after log-out: it keeps what is
  // everybody's alone.
  function sharePage(link) {
    const shared = content(document).cloneNode(true);
    const load = () => loadPersonalPart(link).catch(() => {});
    window.addEventListener("pagehide", () => {
      content(document).replaceWith(shared.cloneNode(true));
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) load(); });
    load();
  }

  const personal = document.querySelector(`${SELECTOR} [data-training-personal]`);
  if (personal && content(document)) sharePage(personal);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.closest(SELECTOR) || form.method !== "post") return;
    if (form.matches(".training-purchase__basket")) return;
    event.preventDefault();
    if (form.querySelector("button[type=submit]").disabled) return;
    submit(form).catch(() => form.submit());
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.matches(`${SELECTOR} details`) && event.target.open) {
      event.target.querySelector("input[name=code]")?.focus();
    }
  }, true);
})();
