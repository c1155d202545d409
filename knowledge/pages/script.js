// Comfort only: every page stands without this file.
"use strict";

const rows = () => [...document.querySelectorAll("table.rows tbody tr, .rows > li")].filter((row) => row.querySelector("a"));

// j and k walk the rows; the focus is on the row's first link, so Enter opens it.
function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  all.forEach((row) => row.classList.toggle("at", row === next));
  next.querySelector("a").focus();
  next.scrollIntoView({ block: "nearest" });
}

const keys = {
  "/": () => { document.getElementById("q").focus(); document.getElementById("q").select(); },
  j: () => step(1),
  k: () => step(-1),
  g: () => { location.href = "/"; },
  "?": () => document.getElementById("keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, dialog[open]")) return;
  const action = document.getElementById("keys") && keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

document.querySelector("footer .keys")?.removeAttribute("hidden");

// On a phone the list comes before the form that narrows it, and the present place is in sight.
if (matchMedia("(max-width: 899px)").matches) {
  document.querySelectorAll(".narrowing:not([data-keep])").forEach((box) => box.removeAttribute("open"));
  const here = document.querySelector(".top nav [aria-current]");
  if (here) here.closest("ul").scrollLeft = here.offsetLeft - 48;
}

// Asks for the page again every so often, and replaces only its part of this id. Where that is not there any more, or
// the session has ended, the whole page is loaded.
async function follow(id, seconds, going = () => true) {
  for (;;) {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    const box = document.getElementById(id);
    if (document.hidden || (box.contains(document.activeElement) && seconds > 10) || box.querySelector("details[open]")) continue;
    const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
    if (!answer || answer.status >= 500) continue;
    const fresh = answer.redirected || !answer.ok ? null
      : new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (!fresh || !going(fresh)) return location.reload();
    box.replaceChildren(...fresh.childNodes);
  }
}

// A survey under way; and the dashboard, for the wall screen.
if (document.querySelector("#progress[data-going]")) follow("progress", 1, (fresh) => fresh.dataset.going);
if (document.getElementById("live")) follow("live", 60);
