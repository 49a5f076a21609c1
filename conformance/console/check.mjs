// Opens every page of the console in a real browser, as a person at a desk and one with a phone.
//
//   node check.mjs CHROMIUM SETUP_LINK CONSOLE_URL SCREENSHOT_FOLDER
//
// Prints a line a case: "ok   …" or "FAIL …: why". It follows links from the first page; pages that differ only in an
// id count as one kind, of which four are opened.

import { mkdirSync, rmSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [program, setupLink, consoleUrl, folder] = process.argv.slice(2);
const MOST_PAGES = 80;
const SAME_KIND = 4;
const DESK = { width: 1280, height: 900 };
const NAME = 'rolecall.test';
const PHONE = { width: 390, height: 844 };

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const origin = new URL(consoleUrl).origin;
let failed = 0;

function report(name, problems) {
  if (problems.length === 0) {
    console.log(`ok   ${name}`);
  } else {
    failed += 1;
    console.log(`FAIL ${name}: ${problems.slice(0, 5).join('; ')}`);
  }
}

// The kind of a page: its path with ids and values taken out.
function kind(address) {
  const url = new URL(address);
  const id = /^([0-9a-f]{8}-[0-9a-f-]{27}|\d+|[A-Za-z0-9_-]{20,})$/i;
  const path = url.pathname.split('/').map((part) => (id.test(part) ? ':id' : part)).join('/');
  const query = [...url.searchParams.keys()].sort().join('&');
  return query ? `${path}?${query}` : path;
}

const slug = (text) => text.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 80) || 'home';

// Collects what a page complains about while `act` runs.
async function listening(page, act) {
  const problems = [];
  const onConsole = (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`);
  const onError = (error) => problems.push(`script: ${error.message}`);
  const onResponse = (response) => {
    if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
    if (new URL(response.url()).origin !== origin) problems.push(`asks another host: ${response.url()}`);
  };
  page.on('console', onConsole).on('pageerror', onError).on('response', onResponse);
  await act();
  page.off('console', onConsole).off('pageerror', onError).off('response', onResponse);
  return problems;
}

// What must hold of every page, read inside it.
function inspect() {
  const problems = [];
  const name = (element) => element.outerHTML.slice(0, 80);
  if (!document.title.trim()) problems.push('no title');
  if (!document.documentElement.lang) problems.push('no language');
  if (document.querySelectorAll('h1').length !== 1) problems.push(`${document.querySelectorAll('h1').length} h1`);
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice) problems.push(`id ${twice} twice`);
  for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
    const labelled = [...(field.labels ?? [])].some((label) => label.innerText.trim());
    if (!labelled) problems.push(`no label: ${name(field)}`);
  }
  for (const act of document.querySelectorAll('a[href], button')) {
    if (!act.textContent.trim() && !act.getAttribute('aria-label')) problems.push(`no name: ${name(act)}`);
  }
  for (const image of document.querySelectorAll('img:not([alt])')) problems.push(`no alt: ${name(image)}`);
  return problems;
}

function overflow() {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  const clipped = (element) => {
    for (let above = element.parentElement; above; above = above.parentElement) {
      if (getComputedStyle(above).overflowX !== 'visible') return true;
    }
    return false;
  };
  const wide = [...document.body.querySelectorAll('*')].filter(
    (element) => element.getBoundingClientRect().right > room + 1 && !clipped(element),
  );
  const names = wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 60));
  return [`${document.documentElement.scrollWidth} px wide on a phone of ${room}: ${names.join(' … ')}`];
}

const links = () => [...document.querySelectorAll('a[href]:not([download])')].map((link) => link.href);

const browser = await chromium.launch({
  executablePath: program,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // A name of the network, which browsers trust less than this machine's own address: they say less with a form.
    `--host-resolver-rules=MAP ${NAME} 127.0.0.1`,
  ],
});

try {
  const context = await browser.newContext({ viewport: DESK });
  const page = await context.newPage();

  const stranger = await browser.newContext({ viewport: DESK });
  const outside = await stranger.newPage();
  await outside.goto(consoleUrl, { waitUntil: 'load' });
  await outside.screenshot({ path: `${folder}/signed-out.png`, fullPage: true });
  report('a stranger is asked to sign in', (await outside.evaluate(inspect)));
  const outsideHeading = await outside.locator('h1').first().textContent();

  // Over plain http at a name, where a browser tells nothing but the origin of a form.
  const link = new URL(setupLink);
  link.hostname = NAME;
  await page.goto(link.href, { waitUntil: 'load' });
  // A link that mail scanners may open must not sign in by being opened: the page asks once.
  const [form] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST'),
    page.locator('form button[type=submit], form button:not([type])').first().click(),
  ]);
  await page.waitForLoadState('load');
  report('the sign-in link signs in at a name without TLS', form.status() === 303 ? [] : [`status ${form.status()}`]);
  const asked = await form.request().allHeaders();
  report('the browser said where the form came from', asked.origin === link.origin ? [] : [`origin ${asked.origin}`]);

  // The same session at the address of this machine.
  const cookies = await context.cookies();
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, domain: new URL(consoleUrl).hostname })));
  await page.goto(consoleUrl, { waitUntil: 'load' });
  const heading = await page.locator('h1').first().textContent();
  report('a signed-in person sees what a stranger does not', heading === outsideHeading ? [`still "${heading}"`] : []);

  const queue = [page.url()];
  const seen = new Map();
  const followed = new Set(queue);
  const rest = new Set();
  let opened = 0;
  while (queue.length > 0 && opened < MOST_PAGES) {
    const address = queue.shift();
    const name = kind(address);
    const times = seen.get(name) ?? 0;
    if (times >= SAME_KIND) {
      rest.add(address);
      continue;
    }
    seen.set(name, times + 1);
    opened += 1;
    let status = 0;
    let type = '';
    const problems = await listening(page, async () => {
      const response = await page.goto(address, { waitUntil: 'load' });
      status = response?.status() ?? 0;
      type = response?.headers()['content-type'] ?? '';
    });
    if (status >= 400) problems.push(`status ${status}`);
    if (!type.startsWith('text/html')) {
      report(`${name} answers`, problems);
      continue;
    }
    problems.push(...(await page.evaluate(inspect)));
    const file = `${folder}/${slug(name)}${times ? `-${times + 1}` : ''}`;
    await page.screenshot({ path: `${file}-desk.png`, fullPage: true });
    report(`${name} at a desk`, problems);

    await page.setViewportSize(PHONE);
    const narrow = await page.evaluate(overflow);
    await page.screenshot({ path: `${file}-phone.png`, fullPage: true });
    report(`${name} on a phone`, narrow);
    await page.setViewportSize(DESK);
    if (opened <= 8) {
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.screenshot({ path: `${file}-dark.png`, fullPage: true });
      await page.emulateMedia({ colorScheme: 'light' });
    }

    for (const link of await page.evaluate(links)) {
      const url = new URL(link);
      url.hash = '';
      if (url.origin !== origin || followed.has(url.href) || /(log|sign)-?out/.test(url.pathname)) continue;
      followed.add(url.href);
      queue.push(url.href);
    }
  }
  report('the console has pages', opened > 1 ? [] : [`only ${opened}`]);

  const broken = [];
  for (const address of [...rest, ...queue].slice(0, 300)) {
    const response = await context.request.get(address, { maxRedirects: 5 });
    if (response.status() >= 400) broken.push(`${response.status()} ${address}`);
  }
  report('every other link answers', broken);

  const plain = await browser.newContext({
    viewport: DESK, javaScriptEnabled: false, storageState: await context.storageState(),
  });
  const withoutScript = await plain.newPage();
  await withoutScript.goto(consoleUrl, { waitUntil: 'load' });
  report('it works without JavaScript', (await withoutScript.locator('h1').count()) === 1 ? [] : ['no h1']);

  const leaving = await listening(page, async () => {
    await page.goto(consoleUrl, { waitUntil: 'load' });
    const out = page.locator('form[action$="/logout"] button').first();
    await Promise.all([page.waitForURL('**/login*'), out.click()]);
  });
  report('a form works at the address of this machine', leaving);
} catch (error) {
  report('the browser came to its end', [String(error)]);
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);
