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
  "/": () => { const box = document.querySelector("#desk #f-q") || document.getElementById("q"); box.closest("details")?.setAttribute("open", ""); box.focus(); box.select(); },
  j: () => step(1),
  k: () => step(-1),
  g: () => { location.href = "/"; },
  "?": () => document.getElementById("keys")?.showModal(),
};

// What a page offers by a key of its own: the one of the present row, else the page's.
function offered(key) {
  const all = [...document.querySelectorAll("[data-key]")].filter((item) => item.dataset.key === key && item.checkVisibility());
  const row = document.activeElement?.closest("tr, li");
  return all.find((item) => row?.contains(item)) || all.find((item) => !item.closest("tr, .rows > li"));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, dialog[open]")) return;
  const action = document.getElementById("keys") && keys[event.key], own = action ? null : offered(event.key);
  if (!action && !own) return;
  event.preventDefault();
  if (action) action();
  else if (own.matches("input, textarea")) own.focus();
  else own.click();
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

// When many declarations come, each shows some work: SHA-256 of "nonce:work" begins with so many zero bits. It is sought while
// the form is filled in; a form that is sent before waits behind the others, and is not lost.
async function prove(form) {
  const bits = Number(form.dataset.proof), nonce = form.elements.nonce.value, text = new TextEncoder();
  for (let proof = 0; ; proof++) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text.encode(`${nonce}:${proof}`)));
    let zeroes = 0;
    while (zeroes < bits && !(digest[zeroes >> 3] & (0x80 >> (zeroes & 7)))) zeroes++;
    if (zeroes === bits) { form.elements.work.value = proof; return; }
  }
}
const proving = document.querySelector("form[data-proof]");
if (proving && window.crypto?.subtle) addEventListener("load", () => prove(proving));

// The first wrong field is one key away; a receipt prints with one.
document.getElementById("wrong")?.focus();
const print = document.querySelector(".print");
if (print) { print.hidden = false; print.querySelector("button").addEventListener("click", () => window.print()); }

// The CSIRT's desk: a cheap number tells that something changed. The queue then shows itself anew, its focus kept; a case,
// where somebody may be writing, says that it changed.
async function watch(box) {
  for (let known = Number(box.dataset.changes); ; ) {
    await new Promise((done) => setTimeout(done, document.hidden ? 30000 : 5000));
    const answer = await fetch(box.dataset.ask, { credentials: "same-origin" }).catch(() => null);
    if (answer?.status === 401) return location.reload();
    const changes = answer?.ok ? (await answer.json()).changes : known;
    if (changes === known) continue;
    known = changes;
    const told = box.querySelector(".changed");
    if (told) told.hidden = false;
    else if (!box.contains(document.activeElement) || !document.activeElement.matches("input, select, textarea")) await renew(box);
  }
}

async function renew(box) {
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(box.id);
  const row = document.activeElement?.closest("tr")?.id, top = scrollY;
  if (!fresh) return location.reload();
  box.replaceChildren(...fresh.childNodes);
  if (row) document.getElementById(row)?.querySelector("a")?.focus();
  scrollTo(0, top);
}

const desk = document.getElementById("desk");
if (desk?.dataset.ask) watch(desk);
