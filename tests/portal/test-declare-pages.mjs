// Declaring as people meet it: Chromium against a portal with a team, French and English, with and without script, from 320
// pixels on. Prints TAP.
//     node test-declare-pages.mjs PORTAL-HOSPITAL
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [program, knowledge] = [process.argv[2], process.env.VIGIE_KNOWLEDGE];
const PAGES = ["/declare", "/declare/incident", "/declare/report", "/declare/question", "/declare/draft", "/receipt", "/verify"];

async function hospital(...options) {
  const folder = await mkdtemp(join(tmpdir(), "vigie-declare-"));
  await writeFile(join(folder, "key"), randomBytes(32), { mode: 0o600 });
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", join(folder, "head.key"), "-out",
    join(folder, "head.pem"), "-subj", "/CN=head", "-days", "30"], { stdio: "ignore" });
  const set = ["csirt.team=" + join(knowledge, "csirt/teams/cert-sante.json"), "csirt.artefact_key=" + join(folder, "key"),
    "csirt.head_certificate=" + join(folder, "head.pem"), "csirt.declarations_address=0", ...options].flatMap((pair) => ["--set", pair]);
  const child = spawn(program, [folder, "--empty", ...set], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => { text += data; if (text.includes("\n")) resolve(text); });
    child.on("exit", (code) => reject(new Error(`the portal left with ${code}`)));
  });
  const end = () => new Promise((resolve) => {
    child.removeAllListeners("exit");
    child.on("exit", async (code) => { await rm(folder, { recursive: true }); resolve(code); });
    child.stdin.end();
  });
  return { ...JSON.parse(line), end };
}

function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, wanted ${b}`);
}

function holds(condition, what) {
  if (!condition) throw new Error(what);
}

const portal = await hospital("csirt.declarations_minute=0");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

async function stranger(options = {}, url = portal.url) {
  const context = await browser.newContext({ locale: "fr-FR", viewport: { width: 1280, height: 900 }, baseURL: url, ...options });
  context.setDefaultTimeout(90_000); // on a machine that is busy with other tests
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => { if (message.type() === "error" && !/status of 4/.test(message.text())) page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  return page;
}

async function essential(page) {
  await page.fill("#organisation", "CHU de Kermarec");
  await page.fill("#name", "Camille Martin");
  await page.fill("#phone", "02 98 00 00 00");
  await page.fill("#text", "Le PACS ne répond plus depuis 7 h.");
  await page.fill("#found", "2026-11-21");
  await page.check("input[name=patients][value=potential]");
  await page.check("input[name=degraded][value=yes]");
}

const send = (page) => page.click("button[value=send]");
const receipt = async (page) => (await page.locator(".receipt strong").allTextContents()).map((text) => text.trim());

// Names, labels and headings that a screen reader needs; nothing twice.
const inaccessible = () => {
  const wrong = [];
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!field.labels.length) wrong.push(`no label: ${field.outerHTML.slice(0, 80)}`);
  for (const group of document.querySelectorAll("fieldset")) if (!group.querySelector("legend")?.textContent.trim()) wrong.push("a group without a legend");
  for (const radio of document.querySelectorAll("input[type=radio]")) if (!radio.closest("fieldset")) wrong.push(`alone: ${radio.name}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  if (twice.length) wrong.push(`ids twice: ${twice}`);
  for (const field of document.querySelectorAll("[aria-describedby]"))
    for (const id of field.getAttribute("aria-describedby").split(" ")) if (!document.getElementById(id)) wrong.push(`described by nothing: ${id}`);
  if (document.querySelectorAll("main h1").length !== 1) wrong.push("not one h1");
  for (const input of document.querySelectorAll("button, .option input, summary, select"))
    if (input.checkVisibility() && input.getBoundingClientRect().height < 24) wrong.push(`small: ${input.outerHTML.slice(0, 60)}`);
  return wrong;
};

const tests = {
  "every page fits its screen from 320 to 1920 pixels, is small, labelled, and fetches nothing from elsewhere": async () => {
    for (const [width, locale] of [[320, "fr-FR"], [320, "en-GB"], [768, "fr-FR"], [1920, "en-GB"]]) {
      const page = await stranger({ viewport: { width, height: 800 }, locale });
      page.on("request", (request) => holds(request.url().startsWith(portal.url), request.url()));
      for (const path of PAGES) {
        const answer = await page.goto(path);
        equal(answer.status(), 200, path);
        holds((await answer.body()).length < 100_000, `${path} is too heavy`);
        for (const summary of await page.locator("summary").all()) await summary.click();
        equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${path} at ${width}`);
        equal(await page.evaluate(inaccessible), [], path);
        equal(await page.getAttribute("html", "lang"), locale.slice(0, 2), path);
      }
      equal(page.complaints, [], "the console");
      await page.context().close();
    }
  },
  "from the login page, without script: entrance, wrong, right, receipt, a message with a file, state in words": async () => {
    const page = await stranger({ javaScriptEnabled: false });
    await page.goto("/login");
    await page.click('a[href="/declare"]');
    equal(await page.locator(".phone a").first().getAttribute("href"), "tel:+33972439125", "the phone");
    await page.click('a[href="/declare/incident"]');
    await essential(page);
    await page.fill("#phone", "plus tard");
    await page.check("#urgent");
    await send(page);
    equal(await page.locator("#wrong li").count(), 1, "one thing is wrong");
    await page.click("#wrong a");
    holds(page.url().endsWith("#phone"), page.url());
    equal(await page.getAttribute("#phone", "aria-invalid"), "true", "marked");
    equal(await page.inputValue("#text"), "Le PACS ne répond plus depuis 7 h.", "kept");
    equal([await page.isChecked("#urgent"), await page.isChecked("input[name=patients][value=potential]")], [true, true], "kept");
    await page.fill("#phone", "02 98 00 00 00");
    await page.setInputFiles("#files", { name: "capture.png", mimeType: "image/png", buffer: Buffer.from("picture") });
    await send(page);
    const [number, code] = await receipt(page);
    holds(/^CERTSANTE-2026-\d{6}-[A-Z]$/.test(number) && /^([0-9A-Z]{4}-){3}[0-9A-Z]{4}$/.test(code), `${number} ${code}`);
    await page.click('.steps a[href="/receipt"]');
    await page.fill("#reference", number.toLowerCase());
    await page.fill("#code", code.replaceAll("-", " "));
    await page.click("main button");
    holds((await page.textContent("main")).includes("personne ne l’a encore lue"), "the state in words");
    holds((await page.textContent(".said")).includes("capture.png"), "the file is named");
    await page.fill("#text", "Le VNA est touché aussi.");
    await page.setInputFiles("#files", { name: "pacs.log", mimeType: "text/plain", buffer: Buffer.from("line\n") });
    await page.click("main .main");
    equal(await page.locator(".letter").count(), 2, "two messages");
    holds((await page.textContent("[role=status]")).includes("reçu"), "said");
    await page.context().close();
  },
  "a back button, a double click and a reload open one case": async () => {
    const page = await stranger();
    await page.goto("/declare/question");
    await page.fill("#text", "Faut-il déclarer une panne électrique ?");
    await page.fill("#name", "C. Martin");
    await page.fill("#mail", "c.martin@chu.test");
    await page.evaluate(() => { const button = document.querySelector("button[value=send]"); button.click(); button.click(); });
    await page.waitForSelector(".receipt");
    const first = await receipt(page);
    await page.reload();
    equal(await receipt(page), first, "reloaded");
    await page.goBack();
    await send(page);
    await page.waitForSelector(".receipt");
    equal(await receipt(page), first, "sent again");
    await page.context().close();
  },
  "a report in English, protected or anonymous, says what is kept and sends no mail": async () => {
    const page = await stranger({ locale: "en-GB", javaScriptEnabled: false });
    for (const source of ["protected", "anonymous"]) {
      await page.goto("/declare/report");
      await page.check(`input[name=source][value=${source}]`);
      await page.check("input[name=about][value=vulnerability]");
      await page.fill("#touched", "Clinique du Parc");
      await page.fill("#text", "The appointment portal shows other patients’ appointments.");
      await send(page);
      equal(await page.textContent("h1"), "Your report has been received", "received");
      holds((await page.textContent("main")).includes("No mail is sent"), "no mail");
      holds((await page.textContent("main")).includes("without saying who reported it"), "the source");
    }
    await page.context().close();
  },
  "a draft is opened in another browser with its code, everything in it": async () => {
    const page = await stranger();
    await page.goto("/declare/incident");
    await essential(page);
    await page.locator("summary").nth(1).click();
    await page.check("#systems-3");
    await page.click("button[value=draft]");
    const code = (await page.textContent(".secret code")).trim();
    await page.context().close();
    const other = await stranger({ javaScriptEnabled: false });
    await other.goto("/declare");
    await other.click('a[href="/declare/draft"]');
    await other.fill("#draft", code.toLowerCase());
    await other.click("main button");
    equal(await other.inputValue("#organisation"), "CHU de Kermarec", "kept");
    equal([await other.isChecked("#systems-3"), await other.inputValue("#found")], [true, "2026-11-21"], "kept");
    holds(await other.locator("details").nth(1).evaluate((block) => block.open), "what was answered is in sight");
    await send(other);
    equal((await receipt(other)).length, 2, "sent");
    await other.context().close();
  },
  "in three minutes: the essential is on one page, by keyboard alone, with few answers": async () => {
    const page = await stranger();
    await page.goto("/declare/incident");
    const wanted = await page.locator(".must").count();
    holds(wanted <= 6, `${wanted} answers are required`);
    await page.focus("#organisation");
    for (const text of ["CHU de Kermarec", "Camille Martin", "0298000000", "", "Le PACS est en panne."]) {
      await page.keyboard.type(text);
      await page.keyboard.press("Tab");
    }
    equal(await page.evaluate(() => document.activeElement.id), "found", "the order of the keys");
    await page.context().close();
  },
  "under attack the script works while one types, and the declaration keeps its place": async () => {
    const attacked = await hospital("csirt.declarations_minute=1");
    try {
      for (let number = 0; number < 2; number++) {
        const page = await stranger({}, attacked.url);
        await page.goto("/declare/incident");
        equal(await page.locator("form[data-proof]").count(), number, "a proof is asked for");
        await essential(page);
        if (number) await page.waitForFunction(() => document.querySelector("[name=work]").value !== "", null, { timeout: 120_000 });
        await send(page);
        equal((await receipt(page)).length, 2, "received");
        equal(page.complaints, [], "the console");
        await page.context().close();
      }
      const bands = execFileSync("sqlite3", [attacked.store.replace("sqlite:", ""), "SELECT override FROM csirt_case"], { encoding: "utf8" });
      equal(bands.trim(), "", "neither was put behind");
    } finally {
      await attacked.end();
    }
  },
  "the notice's page says yes or no, and how to call back": async () => {
    const page = await stranger({ javaScriptEnabled: false });
    await page.goto("/verify");
    await page.fill("#reference", "CERTSANTE-2026-000001-P");
    await page.fill("#code", "AAAA-BBBB-CCCC");
    await page.click("main button");
    holds((await page.textContent("[role=alert]")).includes("Nous ne pouvons pas confirmer"), "no");
    equal(await page.textContent(".phone a"), "09 72 43 91 25", "call back");
    await page.context().close();
  },
  "a hostile name is text": async () => {
    const page = await stranger();
    page.on("dialog", () => { throw new Error("a script ran"); });
    await page.goto("/declare/incident");
    await essential(page);
    await page.fill("#organisation", "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>");
    await page.fill("#phone", "</textarea><script>alert(1)</script>");
    await send(page);
    holds((await page.inputValue("#organisation")).startsWith("<script>"), "kept as typed");
    equal(await page.locator("main script, main img").count(), 0, "no element came of it");
    await page.context().close();
  },
  "on paper the receipt stands without menus and buttons": async () => {
    const page = await stranger();
    await page.goto("/declare/incident");
    await essential(page);
    await send(page);
    equal(await page.locator(".print button").isVisible(), true, "a button to print");
    await page.emulateMedia({ media: "print" });
    equal(await page.locator(".print button").isVisible(), false, "not on paper");
    equal(await page.locator(".receipt").isVisible(), true, "the receipt is");
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
