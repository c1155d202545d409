// The CSIRT's desk as an analyst meets it: Chromium over a desk with work on it, from phone to wall screen, by keyboard,
// without script, with a colleague who changes things meanwhile. Prints TAP.
//     node test-desk.mjs PROGRAM
import { equal, holds, inaccessible, lowContrast, open, reader, run } from "./pages.mjs";

const PAGES = ["/cases", "/cases?state=all", "/cases?q=nowhere", "/cases/1", "/cases/3", "/cases/6", "/cases/1/qualify", "/cases/1/ssvc",
  "/cases/1/ssvc?p.exploitation=active", "/cases/1/cvss?vector=CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
  "/cases/1/write?canned=ransomware", "/cases/1/call", "/cases/1/escalate?partner=corruss", "/cases/3/notify", "/cases/tasks",
  "/cases/load", "/cases/handover", "/cases/new", "/cases/new?finding=1"];

const portal = await open("--desk");

const tests = {
  "every page fits its screen from 320 to 1600 pixels, in both languages, and weighs less than 100 KB": async () => {
    for (const [width, locale] of [[320, "fr-FR"], [320, "en-GB"], [768, "fr-FR"], [1600, "en-GB"]]) {
      const page = await reader({ viewport: { width, height: 800 }, locale }, "head");
      for (const path of PAGES) {
        const answer = await page.goto(path);
        equal(answer.status(), 200, path);
        holds((await answer.body()).length < 100_000, `${path} is too heavy`);
        equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${path} at ${width}`);
        equal(await page.getAttribute("html", "lang"), locale.slice(0, 2), path);
      }
      equal(page.complaints, [], `the console at ${width}`);
      await page.context().close();
    }
  },
  "text contrasts with what is behind it, in light and in dark; TLP labels are on black, in their colours, in both": async () => {
    for (const colorScheme of ["light", "dark"]) {
      const page = await reader({ colorScheme }, "head");
      for (const path of PAGES) {
        await page.goto(path);
        equal(await page.evaluate(lowContrast), [], `${path} ${colorScheme}`);
      }
      await page.goto("/cases?state=all");
      const labels = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".tlp")].map((label) =>
        [label.textContent, [getComputedStyle(label).color, getComputedStyle(label).backgroundColor, parseFloat(getComputedStyle(label).fontSize) >= 16]])));
      equal(labels["TLP:RED"], ["rgb(255, 43, 43)", "rgb(0, 0, 0)", true], "RED");
      equal(labels["TLP:AMBER"], ["rgb(255, 192, 0)", "rgb(0, 0, 0)", true], "AMBER");
      equal(labels["TLP:AMBER+STRICT"], ["rgb(255, 192, 0)", "rgb(0, 0, 0)", true], "AMBER+STRICT");
      equal(labels["TLP:GREEN"], ["rgb(51, 255, 0)", "rgb(0, 0, 0)", true], "GREEN");
      equal(labels["TLP:CLEAR"], ["rgb(255, 255, 255)", "rgb(0, 0, 0)", true], "CLEAR");
      await page.context().close();
    }
  },
  "every control has a name, every table a caption, every page one h1 and its landmarks": async () => {
    const page = await reader({}, "head");
    for (const path of PAGES) {
      await page.goto(path);
      equal(await page.evaluate(inaccessible), [], path);
    }
    await page.context().close();
  },
  "targets for a finger are 24 pixels high at least": async () => {
    const page = await reader({ viewport: { width: 360, height: 740 } }, "head");
    for (const path of PAGES) {
      await page.goto(path);
      const small = await page.evaluate(() => [...document.querySelectorAll("button, input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, summary, nav a, label.check")]
        .filter((e) => e.checkVisibility() && !e.closest(".hidden") && e.getBoundingClientRect().height < 24).map((e) => e.outerHTML.slice(0, 80)));
      equal(small, [], path);
    }
    await page.context().close();
  },
  "by keyboard: j and k walk the queue, a takes, Enter opens, e does the next step, n writes a note, ? explains": async () => {
    const page = await reader({}, "analyst");
    await page.goto("/cases");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    equal(await page.evaluate(() => document.activeElement.textContent), await page.textContent("tbody tr:first-child a"), "the row");
    await page.keyboard.press("a");
    await page.waitForFunction(() => document.querySelector("tbody tr:first-child td:last-child").textContent.includes("analyst"));
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/cases/1");
    await page.keyboard.press("n");
    equal(await page.evaluate(() => document.activeElement.id), "note", "n goes to the note");
    await page.keyboard.type("e a j ?");
    equal(await page.inputValue("#note"), "e a j ?", "keys in a field are text");
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("?");
    holds((await page.textContent("dialog[open]")).includes("prendre le dossier"), "the help names the desk's keys");
    await page.keyboard.press("Escape");
    await page.keyboard.press("e");
    await page.waitForURL("**/cases/1/write?canned=acknowledge");
    await page.keyboard.press("/");
    equal(await page.evaluate(() => document.activeElement.id), "q", "/ searches");
    equal(page.complaints, [], "the console");
    await page.context().close();
  },
  "the queue shows what a colleague changed, without being loaded again, the focus kept; an open case says that it changed": async () => {
    const page = await reader({}, "analyst"), open = await reader({}, "analyst"), colleague = await reader({}, "head");
    await page.goto("/cases");
    await page.keyboard.press("j");
    await page.evaluate(() => { window.kept = true; });
    const row = await page.evaluate(() => document.activeElement.closest("tr").id);
    await open.goto("/cases/2");
    await open.fill("#note", "pas fini");
    await colleague.goto("/cases/2");
    await colleague.fill("#h-assignee", "head");
    await Promise.all([colleague.waitForNavigation(), colleague.click("form[action='/cases/2/change']:has(#h-assignee) button")]);
    await page.waitForFunction(() => document.querySelector("#case-2 td:last-child").textContent.includes("head"));
    equal(await page.evaluate(() => [window.kept, document.activeElement.closest("tr").id]), [true, row], "the page and the focus");
    await open.waitForSelector(".changed:not([hidden])");
    equal(await open.inputValue("#note"), "pas fini", "what is being typed");
    for (const one of [page, open, colleague]) { equal(one.complaints, [], "the console"); await one.context().close(); }
  },
  "without script everything works: open after a call, take, qualify, decide by SSVC, write, tell, task, hand over": async () => {
    const page = await reader({ javaScriptEnabled: false }, "analyst");
    const send = (selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);
    await page.goto("/cases");
    await send("a.button.main");
    await page.fill("#n-title", "Appel d’une sage-femme");
    await page.fill("#n-text", "Le monitorage ne répond plus.");
    await page.fill("#n-mail", "maternite@declarant.test");
    await page.fill("#n-name", "Mme Kerbrat");
    await send("form[action='/cases'] button");
    const path = new URL(page.url()).pathname;
    await send(".step a.main");
    holds(page.url().includes("/write?canned=acknowledge"), "acknowledge first");
    await send("#letter button");
    holds((await page.textContent(".preview")).includes("TLP:AMBER"), "the mark is shown");
    await send("form:has(input[value=send]) button");
    equal(new URL(page.url()).pathname, path, "back at the case");
    holds((await page.textContent(".labels")).includes("pris en compte"), "acknowledged by the answer");
    await send(".step a.main");
    await page.selectOption("[name='facts.patients']", "potential");
    await page.check("[name='facts.care.maternity']");
    await page.selectOption("#q-category", "availability/outage");
    await send("form.qualify button.main");
    holds((await page.textContent(".labels")).includes("qualifié"), "qualified");
    await page.goto(`${path}/ssvc`);
    for (let questions = 0; questions < 8 && await page.locator("fieldset input[type=radio]").count(); questions++) {
      await page.check("fieldset label:last-of-type input");
      await send("main form button");
    }
    await send("form[action$='/judge'] button");
    holds((await page.textContent("main")).includes("Décision SSVC (exploitant)"), "the decision is kept");
    await page.click("summary:has-text('Ajouter une tâche')");
    await page.fill("#t-title", "Rappeler la maternité");
    await page.fill("#t-due", "2030-01-02T03:04");
    await send("form[action$='/task'] button");
    await page.goto("/cases/tasks");
    holds((await page.textContent("main")).includes("Rappeler la maternité"), "the task");
    await page.fill(".task-list li:has-text('Rappeler la maternité') input[name=outcome]", "fait");
    await send(".task-list li:has-text('Rappeler la maternité') button");
    holds(!(await page.textContent("main")).includes("Rappeler la maternité"), "the task is done");
    await page.goto("/cases/handover");
    await page.fill("#text", "La maternité rappelle à 20 h");
    await send("form[action='/cases/handover'] button.main");
    holds((await page.textContent("main")).includes("La maternité rappelle"), "the note");
    await page.context().close();
  },
  "hostile texts run nowhere": async () => {
    const page = await reader({}, "head");
    let alerts = 0;
    page.on("dialog", (dialog) => { alerts++; dialog.dismiss(); });
    for (const path of [...PAGES, "/cases/6/write", "/cases/6/qualify", "/cases/6/call", "/cases?assignee=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
      "/cases/new?title=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"]) await page.goto(path);
    equal(await page.locator("main img").count(), 0, "an image came from a text");
    equal(alerts, 0, "alerts");
    const [download] = await Promise.all([page.waitForEvent("download"), page.goto("/cases/artefacts/1").catch(() => null)]);
    holds(download.suggestedFilename().startsWith("note-de-ran"), download.suggestedFilename());
    equal(page.complaints, [], "the console");
    await page.context().close();
  },
  "no page of the desk fetches anything from elsewhere": async () => {
    const page = await reader({}, "head");
    const elsewhere = [];
    page.on("request", (request) => { if (!request.url().startsWith(portal.url)) elsewhere.push(request.url()); });
    for (const path of PAGES) await page.goto(path);
    equal(elsewhere, [], "requests");
    await page.context().close();
  },
};

await run(tests);
