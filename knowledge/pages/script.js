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
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, dialog")) return;
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

// A survey under way: its page is asked for again, and only its own part replaced.
async function follow(box) {
  for (;;) {
    await new Promise((done) => setTimeout(done, 1000));
    const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
    if (!answer) continue;
    if (!answer.ok || answer.redirected) return location.reload();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("progress");
    if (!fresh) return location.reload();
    if (!fresh.dataset.going) return location.reload();
    box.replaceChildren(...fresh.childNodes);
  }
}

const progress = document.querySelector("#progress[data-going]");
if (progress) follow(progress);
