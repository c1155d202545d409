// The pages as people meet them: Chromium over a filled store, with and without script, from phone to wall screen, in
// both languages, by keyboard, and with contrast measured. Prints TAP.
//     node test-pages.mjs PROGRAM
import { equal, holds, inaccessible, lowContrast, open, reader, run } from "./pages.mjs";

const PAGES = ["/", "/devices", "/devices/1", "/devices/7", "/endpoints", "/endpoints/3", "/endpoints/14", "/findings",
  "/findings/1", "/alarms", "/certificates", "/certificates/1", "/organisations", "/organisations/1", "/search?q=mon",
  "/search", "/surveys", "/glossary", "/account", "/audit", "/devices/new", "/devices/33/change", "/endpoints/1/change",
  "/imports", "/organisations/new", "/organisations/1/contacts/new", "/contacts/1/change", "/accounts", "/accounts/new", "/accounts/5", "/nothing", "/devices?q=nowhere"];

const portal = await open();

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
  "without script and by keyboard a device is added, a wrong field is reached by its link, a GMAO's file is imported": async () => {
    const page = await reader({ javaScriptEnabled: false }, "biomed");
    await page.goto("/devices/new");
    await page.focus("#x-name");
    await page.keyboard.type("Respirateur du bloc 9");
    await page.fill("#x-ip", "10.2.3");
    await page.fill("#x-endpoints", "443/https");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#wrong");
    await page.click('#wrong a[href="#x-ip"]');
    equal(await page.evaluate(() => document.querySelector(":target").id), "x-ip", "the wrong field");
    equal(await page.getAttribute("#x-ip", "aria-invalid"), "true", "told to a screen reader");
    equal(await page.inputValue("#x-name"), "Respirateur du bloc 9", "what was typed");
    await page.fill("#x-ip", "10.2.3.4");
    await page.focus(".keep button.main");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/devices/*");
    holds((await page.textContent("main")).includes("10.2.3.4:443/https"), "no endpoint");
    await page.goto("/imports");
    await page.setInputFiles("#file", { name: "gmao.csv", mimeType: "text/csv",
      buffer: Buffer.from("N° inventaire;Désignation\r\nX-9;Autoclave 9\r\n") });
    await page.fill("#organisation", "CHU de Kermarec");
    await page.click("main button.main");
    await page.waitForURL("**/imports/*");
    holds((await page.textContent("main")).includes("Rien n’est encore écrit"), "no preview");
    for (const width of [320, 768, 1600]) {
      await page.setViewportSize({ width, height: 800 });
      equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `the preview at ${width}`);
    }
    await page.click("main button.main");
    holds((await page.textContent("main")).includes("1 équipement ajouté"), "not imported");
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

await run(tests);
