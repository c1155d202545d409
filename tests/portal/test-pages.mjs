// The pages as people meet them: Chromium over a filled store, with and without script, from phone to wall screen, in
// both languages, by keyboard, and with contrast measured. Prints TAP.
//     node test-pages.mjs PROGRAM
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const PAGES = ["/", "/devices", "/devices/1", "/devices/7", "/endpoints", "/endpoints/3", "/endpoints/14", "/findings",
  "/findings/1", "/alarms", "/certificates", "/certificates/1", "/organisations", "/organisations/1", "/search?q=mon",
  "/search", "/surveys", "/glossary", "/account", "/audit", "/nothing", "/devices?q=nowhere"];

async function hospital() {
  const folder = await mkdtemp(join(tmpdir(), "vigie-pages-"));
  const child = spawn(process.argv[2], [folder], { stdio: ["pipe", "pipe", "inherit"] });
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

function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, wanted ${b}`);
}

function holds(condition, what) {
  if (!condition) throw new Error(what);
}

const portal = await hospital();
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

// A page that is logged in; what its console complains of is collected.
async function reader(options = {}, user = "admin") {
  const context = await browser.newContext({ locale: "fr-FR", viewport: { width: 1280, height: 900 }, baseURL: portal.url,
    ...options });
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
const lowContrast = () => {
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
const inaccessible = () => {
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

const tests = {
  "every page fits its screen from 320 to 2560 pixels, and weighs less than 100 KB": async () => {
    for (const width of [320, 768, 1280, 2560]) {
      const page = await reader({ viewport: { width, height: 800 } });
      for (const path of PAGES) {
        const answer = await page.goto(path);
        holds((await answer.body()).length < 100_000, `${path} is too heavy`);
        equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${path} at ${width}`);
      }
      equal(page.complaints, [], `the console at ${width}`);
      await page.context().close();
    }
  },
  "text contrasts with what is behind it, in light and in dark": async () => {
    for (const colorScheme of ["light", "dark"]) {
      const page = await reader({ colorScheme });
      for (const path of PAGES) {
        await page.goto(path);
        equal(await page.evaluate(lowContrast), [], `${path} ${colorScheme}`);
      }
      await page.context().close();
    }
  },
  "every control has a name, every table a caption, every page one h1 and its landmarks": async () => {
    const page = await reader();
    for (const path of PAGES) {
      await page.goto(path);
      equal(await page.evaluate(inaccessible), [], path);
    }
    await page.context().close();
  },
  "without script everything works: login, filter, sort, acknowledge, survey, language, logout": async () => {
    const page = await reader({ javaScriptEnabled: false }, "biomed");
    await page.goto("/devices");
    await page.selectOption("#f-state", "broken");
    await page.click(".filters button");
    holds(page.url().includes("state=broken"), page.url());
    equal(new Set(await page.locator("tbody .state").allTextContents()).size, 1, "states");
    await page.click("thead a >> nth=0");
    equal(await page.locator("th[aria-sort=ascending]").count(), 1, "sorted");
    await page.goto("/");
    await page.click(".todo a >> nth=0");
    await page.fill("#note", "vu avec la DSI");
    await page.click("main form button");
    holds((await page.textContent("main")).includes("vu avec la DSI"), "the note is not shown");
    await page.goto("/");
    await page.click(".survey button");
    await page.waitForURL("**/surveys/*");
    equal(await page.locator("noscript meta[http-equiv=refresh]").count() +
      await page.locator("meta[http-equiv=refresh]").count() > 0, true, "reloads by itself");
    await page.click(".who a[hreflang=en]");
    equal(await page.getAttribute("html", "lang"), "en", "language");
    await page.click(".who button");
    await page.waitForURL("**/login");
    await page.context().close();
  },
  "a survey under way is followed by script, without the page being loaded again": async () => {
    const page = await reader();
    await page.goto("/devices/2");
    await page.click("main form button");
    await page.waitForURL("**/surveys/*");
    await page.evaluate(() => { window.kept = true; document.querySelector("#progress").firstElementChild.textContent = "old"; });
    await page.waitForFunction(() => document.querySelector("#progress").firstElementChild.textContent !== "old");
    equal(await page.evaluate(() => window.kept), true, "the page was loaded again");
    equal(page.complaints, [], "the console");
    await page.context().close();
  },
  "by keyboard: skip link, / searches, j and k walk the rows, Enter opens, ? explains": async () => {
    const page = await reader();
    await page.goto("/devices");
    await page.keyboard.press("Tab");
    equal(await page.evaluate(() => document.activeElement.className), "skip", "the first stop");
    holds(await page.evaluate(() => document.activeElement.getBoundingClientRect().top >= 0), "the skip link is not in sight");
    await page.keyboard.press("Enter");
    equal(await page.evaluate(() => document.activeElement.id), "main", "skipped to");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    const first = await page.textContent("tbody tr:first-child a");
    equal(await page.evaluate(() => document.activeElement.textContent), first, "the row");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle + " " +
      getComputedStyle(document.activeElement).outlineWidth);
    equal(outline, "solid 3px", "the focus is not seen");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/devices/*");
    await page.keyboard.press("?");
    equal(await page.locator("dialog[open]").count(), 1, "the help");
    await page.keyboard.press("Escape");
    equal(await page.locator("dialog[open]").count(), 0, "the help, closed");
    await page.keyboard.press("/");
    await page.keyboard.type("scanner j?");
    equal(await page.inputValue("#q"), "scanner j?", "keys in a field are text");
    await page.fill("#q", "scanner");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/search?q=scanner");
    holds((await page.textContent("main")).includes("Scanner 1"), "not found");
    await page.context().close();
  },
  "targets for a finger are 24 pixels high at least": async () => {
    const page = await reader({ viewport: { width: 360, height: 740 } });
    for (const path of ["/", "/devices", "/findings/1", "/account"]) {
      await page.goto(path);
      const small = await page.evaluate(() => [...document.querySelectorAll("button, input:not([type=hidden]), select, summary, nav a")]
        .filter((e) => e.checkVisibility() && !e.closest(".hidden") && e.getBoundingClientRect().height < 24).map((e) => e.outerHTML.slice(0, 80)));
      equal(small, [], path);
    }
    await page.context().close();
  },
  "a hostile name is text, and no script but ours can run": async () => {
    const page = await reader();
    let alerts = 0;
    page.on("dialog", (dialog) => { alerts++; dialog.dismiss(); });
    for (const path of ["/devices?q=alert", "/search?q=alert", "/search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"])
      await page.goto(path);
    equal(await page.evaluate(() => new Promise((done) => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      setTimeout(() => done(window.ran === undefined), 100);
    })), true, "an inline script ran");
    equal(alerts, 0, "alerts");
    await page.context().close();
  },
  "the chart says in words what it shows, and its numbers stand beside it": async () => {
    const page = await reader();
    await page.goto("/");
    equal(await page.locator("svg.chart[role=img] > title").count(), 1, "title");
    const bars = await page.locator("svg.chart .value").allTextContents();
    await page.click("summary >> nth=0");
    const cells = (await page.locator("details table td").allTextContents()).filter((text) => text !== "0");
    equal(bars.map(Number).sort(), cells.map(Number).sort(), "the table's numbers");
    await page.context().close();
  },
  "on paper there is no navigation and no form": async () => {
    const page = await reader();
    await page.goto("/devices/7");
    await page.emulateMedia({ media: "print" });
    for (const selector of [".top nav", ".search", "main form", "footer .keys"])
      equal(await page.locator(selector).first().isVisible(), false, selector);
    equal(await page.locator("main h1").isVisible(), true, "the heading");
    await page.context().close();
  },
  "no reader's page fetches anything from elsewhere": async () => {
    const page = await reader();
    const elsewhere = [];
    page.on("request", (request) => { if (!request.url().startsWith(portal.url)) elsewhere.push(request.url()); });
    for (const path of PAGES) await page.goto(path);
    equal(elsewhere, [], "requests");
    await page.context().close();
  },
};

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
