// What the tests of pages share: a portal, Chromium, and what is looked for on every page.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

async function hospital(options) {
  const folder = await mkdtemp(join(tmpdir(), "vigie-pages-"));
  const child = spawn(process.argv[2], [folder, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => { text += data; if (text.includes("\n")) resolve(text); });
    child.on("exit", (code) => reject(new Error(`the portal left with ${code}`)));
  });
  const told = JSON.parse(line);
  const end = () => new Promise((resolve) => {
    child.on("exit", async (code) => { await rm(folder, { recursive: true }); resolve(code); });
    child.stdin.end();
  });
  return { ...told, end };
}

export function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, wanted ${b}`);
}

export function holds(condition, what) {
  if (!condition) throw new Error(what);
}

// For what a page is waited for: a slow machine is given time.
const PATIENCE = 120_000;
let portal;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], timeout: PATIENCE });

// Starts a portal with these options (tests/portal/hospital.c).
export async function open(...options) {
  portal = await hospital(options);
  return portal;
}

// A page that is logged in; what its console complains of is collected.
export async function reader(options = {}, user = "admin") {
  const context = await browser.newContext({ locale: "fr-FR", viewport: { width: 1280, height: 900 }, baseURL: portal.url,
    ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of 404/.test(message.text())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await page.goto("/login");
  await page.fill("#name", user);
  await page.fill("#password", portal.password);
  await page.click("main button");
  await page.waitForURL("**/");
  return page;
}

// Every text's contrast with what is behind it; WCAG 2.2 1.4.3: 4.5, or 3 where it is large.
export const lowContrast = () => {
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(element);
    if (!own || !element.checkVisibility() || element.closest(".hidden, option, svg defs")) continue;
    const svg = element.namespaceURI.endsWith("svg");
    if (svg && element.localName !== "text") continue;
    const [a, b] = [light(parse(svg ? style.fill : style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) low.push(`${ratio.toFixed(2)} ${element.localName}.${element.className} "${element.textContent.trim().slice(0, 30)}"`);
  }
  return low;
};

// Names, roles and structure that a screen reader needs.
export const inaccessible = () => {
  const wrong = [];
  const name = (element) => (element.getAttribute("aria-label") || element.labels?.[0]?.textContent ||
    element.textContent || element.getAttribute("title") || "").trim();
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, summary"))
    if (!name(field) && !field.querySelector("img[alt]:not([alt=''])")) wrong.push(`no name: ${field.outerHTML.slice(0, 80)}`);
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption?.textContent.trim()) wrong.push("a table without caption");
    if ([...table.querySelectorAll("th")].some((th) => !th.scope)) wrong.push("a th without scope");
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  if (twice.length) wrong.push(`ids twice: ${twice}`);
  for (const label of document.querySelectorAll("[aria-labelledby]"))
    for (const id of label.getAttribute("aria-labelledby").split(" "))
      if (!document.getElementById(id)) wrong.push(`aria-labelledby names nothing: ${id}`);
  const levels = [...document.querySelectorAll("main h1, main h2, main h3")].map((h) => Number(h.localName[1]));
  if (levels.filter((level) => level === 1).length !== 1 || levels[0] !== 1) wrong.push(`headings: ${levels}`);
  for (const landmark of ["header", "main", "footer"]) if (!document.querySelector(landmark)) wrong.push(`no ${landmark}`);
  if (!document.documentElement.lang) wrong.push("no language");
  for (const state of document.querySelectorAll(".state, .severity, .verdict"))
    if (!state.textContent.trim()) wrong.push("a state without a word");
  return wrong;
};

// Prints TAP and leaves; the portal has to leave well, too.
export async function run(tests) {
  let failed = 0, number = 0;
  console.log(`1..${Object.keys(tests).length}`);
  for (const [name, test] of Object.entries(tests)) {
    number++;
    try {
      await test();
      console.log(`ok ${number} - ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok ${number} - ${name}`);
      console.log(String(error.stack).replace(/^/gm, "# "));
    }
  }
  await browser.close();
  if (await portal.end() !== 0) failed++;
  process.exit(failed ? 1 : 0);
}
