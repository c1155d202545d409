// The authority's pages in Chromium: node test-pages.mjs pages_hospital.py [first | empty | many]. Each at 320 and 1,600 pixels, light and
// dark, in French and English: nothing is wider than the screen, axe finds nothing (WCAG 2.2 AA), a page is under 100 KB, and what
// people do works with the keyboard alone and without script. SHOTS=FOLDER keeps pictures.
import { readFileSync } from "node:fs";
import { equal, holds, inaccessible, lowContrast, open, reader, run } from "../portal/pages.mjs";

const kind = process.argv[3] || "full";
const axe = readFileSync(new URL("../portal/node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
await open(kind);

const everywhere = ["/", "/requests", "/requests/new", "/requests/new?profile=device", "/requests/decide", "/enrolments", "/enrolments/new",
  "/enrolments/new?profile=device", "/issued", "/requests/99999"];
const filled = ["/requests/1", "/requests/2", "/requests/3", "/requests/4", "/requests?state=refused", "/issued/3", "/devices/1",
  "/devices/2", "/devices/1/certificate"];
const paths = kind === "full" ? [...everywhere, ...filled] : everywhere;
const looks = {
  "wide, light, French": { viewport: { width: 1600, height: 900 } },
  "narrow, dark, English": { viewport: { width: 320, height: 700 }, colorScheme: "dark", locale: "en-GB" },
};

async function examine(page, path) {
  const answer = await page.goto(path), size = (await answer.body()).length;
  if (process.env.SHOTS)
    await page.screenshot({ path: `${process.env.SHOTS}/${kind}${path.replace(/\W+/g, "-")}-${page.viewportSize().width}.png`, fullPage: true });
  holds(size < 100_000, `${path}: ${size} octets`);
  equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth)), 0, `${path}: pixels too wide`);
  equal(await page.evaluate(inaccessible), [], `${path}: names and structure`);
  equal(await page.evaluate(lowContrast), [], `${path}: contrast`);
  await page.evaluate(axe);
  const found = await page.evaluate((only) => window.axe.run({ runOnly: only }), rules);
  equal(found.violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 100)}`), [], `${path}: axe`);
  equal(page.complaints.filter((text) => !/status of 404/.test(text)), [], `${path}: console`);
}

// Goes to what is named with the Tab key alone.
async function tabTo(page, wanted) {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
      return { text: document.activeElement.textContent.trim(), seen: outlineStyle !== "none" || boxShadow !== "none" };
    });
    if (at.text !== wanted) continue;
    holds(at.seen, `${wanted}: the focus is not seen`);
    return;
  }
  throw new Error(`${wanted}: not reached with Tab`);
}

const tests = Object.fromEntries(Object.entries(looks).map(([name, look]) => [`${kind}: each page, ${name}`, async () => {
  const page = await reader(look, "a.dsi");
  for (const path of paths) await examine(page, path);
}]));

if (kind === "empty")
  tests["empty pages say so, and what to do"] = async () => {
    const page = await reader({}, "a.dsi");
    for (const [path, words] of [["/requests", "Aucune demande"], ["/enrolments", "Aucune inscription"]]) {
      await page.goto(path);
      holds((await page.textContent("main")).includes(words), `${path}: ${words}`);
    }
  };

if (kind === "first")
  tests["where there is no authority yet, each page says what to do first, and offers nothing that could only fail"] = async () => {
    const page = await reader({}, "a.dsi");
    for (const path of ["/requests", "/requests/new", "/enrolments", "/enrolments/new", "/issued"]) {
      await page.goto(path);
      const said = await page.textContent("main");
      holds(/Aucune autorité de certification/.test(said) && /vigie ca init/.test(said), `${path}: ${said}`);
      equal(await page.locator("main a.button, main button, main form").count(), 0, `${path}: offers`);
    }
  };

if (kind === "many")
  tests["10,000 requests: the list tells that more wait than it counted, and goes on"] = async () => {
    const page = await reader({}, "a.dsi"), begun = Date.now();
    await page.goto("/requests");
    holds(Date.now() - begun < 20000, `${Date.now() - begun} ms`);
    holds(/décision\s: 50\+/.test(await page.textContent("main")), "the count is cut");
    await page.click("a[rel=next]");
    equal(await page.locator("tbody tr").count(), 50, "the next page");
  };

if (kind === "full")
  tests["where nothing was looked at yet, the dashboard says so, instead of an empty chart"] = async () => {
    const page = await reader({}, "a.dsi");
    const said = await page.textContent("main");
    holds(/jamais été contrôlés/.test(said) && /Aucun certificat vu pour l’instant/.test(said), said);
    equal(await page.locator(".chart, .due").count(), 0, "a chart of nothing");
  };

if (kind === "full")
  tests["a validator decides two requests with the keyboard, without script, from the dashboard to the last"] = async () => {
    const page = await reader({ javaScriptEnabled: false, locale: "en-GB" }, "a.dsi");
    await page.goto("/");
    holds((await page.textContent("main")).includes("Requests that wait for your decision: 2"), "the dashboard says so");
    await tabTo(page, "Open the next");
    await page.keyboard.press("Enter");
    for (const left of [1, 0]) {
      await page.waitForURL("**/requests/*");
      await tabTo(page, "Validate");
      await Promise.all([page.waitForResponse((answer) => answer.request().method() === "POST"), page.keyboard.press("Enter")]);
      await page.waitForSelector("text=The certificate is issued").catch(async () => { throw new Error(await page.textContent("main")); });
      const said = await page.textContent("main");
      equal(/wait for your decision: (\d+)/.exec(said)?.[1] || "0", String(left), "what is left");
      if (left) {
        await tabTo(page, "Open the next");
        await page.keyboard.press("Enter");
        await page.waitForSelector("button:text('Validate')");
      }
    }
  };

if (kind === "many")
  tests["several are refused at once, with the keyboard, without script; two hundred stand on one page"] = async () => {
    const page = await reader({ javaScriptEnabled: false, locale: "en-GB" }, "a.dsi");
    await page.goto("/");
    await tabTo(page, "Decide several");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Requests shown: 200");
    await page.locator("input[type=checkbox]").first().focus();
    for (const key of ["Space", "Tab", "Tab", "Space"]) await page.keyboard.press(key);
    equal(await page.locator("input[type=checkbox]:checked").count(), 2, "picked");
    await page.locator("input[value=refuse]").focus();
    for (const key of ["Space", "Tab"]) await page.keyboard.press(key);
    await page.keyboard.type("Not of this order");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Requests refused: 2");
    equal(await page.locator("input[type=checkbox]:checked").count(), 0, "nothing stays picked");
  };

await run(tests);
