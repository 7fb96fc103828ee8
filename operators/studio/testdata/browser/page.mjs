// What all steps use: the browser, pages with what is observed in them, and checks. The test gives one JSON object as argument;
// every check prints a line, and the first that is not so ends the step.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

export const given = JSON.parse(process.argv[2]);
const require = createRequire(join(given.modules, 'x.js'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const patience = 60000;

// load is how many programs wait for each processor of the machine; less than 1: it is not busy.
export const load = () => loadavg()[0] / cpus().length;

export function check(ok, text) {
  if (!ok) throw new Error(`not so: ${text}`);
  console.log(`ok ${text}`);
}

// The test does what a browser cannot, such as killing the server: one word to it, one line back.
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export async function tell(word) {
  console.log(`do ${word}`);
  return (await answers.next()).value;
}

// until asks the test again and again until its answer to a word is the wanted one, ten times a second: each answer may need a
// consumer of its own, and a stream has a limited number of them.
export async function until(word, wanted, text) {
  const end = Date.now() + patience;
  let answer = await tell(word);
  while (answer !== wanted && Date.now() < end) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    answer = await tell(word);
  }
  check(answer === wanted, `${text}: ${answer}${answer === wanted ? '' : `, not ${wanted}`}`);
}

export const browser = await chromium.launch({ executablePath: given.chromium, args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream'] });

// observe runs in every page before its own scripts: when the analyser first measures a level, the longest task by the clock,
// and violations of the Content-Security-Policy.
function observe() {
  const seen = { first: 0, longest: 0, violations: [] };
  globalThis.seen = seen;
  addEventListener('securitypolicyviolation', (e) => seen.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  new PerformanceObserver((list) => { for (const e of list.getEntries()) seen.longest = Math.max(seen.longest, e.duration); }).observe({ type: 'longtask', buffered: true });
  const listen = () => {
    if (document.getElementById('level')?.value > 0.0002) seen.first = performance.now();
    else requestAnimationFrame(listen);
  };
  requestAnimationFrame(listen);
}

// open opens the page in a browser of its own; cold: with nothing cached. A context without permissions asks nobody: it denies.
export async function open(url, { cold = false, script, ...options } = {}) {
  const context = await browser.newContext({ acceptDownloads: true, permissions: ['microphone', 'clipboard-read', 'clipboard-write'], ...options });
  await context.addInitScript(observe);
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  page.on('console', (m) => m.type() === 'error' && !/Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE/.test(m.text()) && page.faults.push(m.text()));
  page.on('dialog', (d) => { page.faults.push(`a dialog: ${d.message()}`); d.dismiss(); });
  page.transfer = 0;
  if (cold) {
    const client = await context.newCDPSession(page);
    await client.send('Network.enable');
    client.on('Network.loadingFinished', (e) => { page.transfer += e.encodedDataLength; });
    await client.send('Network.setCacheDisabled', { cacheDisabled: true });
  }
  await page.goto(url, { waitUntil: cold ? 'commit' : 'load' });
  await page.waitForSelector('html[data-ready]');
  return page;
}

// close checks what must be so in every page at its end.
export async function close(page) {
  const violations = await page.evaluate(() => globalThis.seen.violations);
  check(page.faults.length === 0 && violations.length === 0, `no faults in the page, and the policy is kept: ${[...page.faults, ...violations].join('; ')}`);
  check(await page.locator('img[src=x]').count() === 0, 'no name has become markup');
  await page.context().close();
}

// heard waits until the analyser of the page measures a level.
export const heard = (page) => page.waitForFunction(() => document.getElementById('level').value > 0.0002, null, { polling: 20 });
export const silent = (page) => page.waitForFunction(() => document.getElementById('level').value < 0.0001, null, { polling: 20 });
export const shown = (page, text) => page.waitForFunction((t) => document.getElementById('clip-name').textContent.includes(t), text);

// told waits for a message of the page, an error where it is meant to be one.
export async function told(page, text, isError = true) {
  await page.locator(isError ? '#notice.error' : '#notice:not(.error)', { hasText: text }).waitFor();
  check(true, `the page says: ${await page.locator('#notice').textContent()}`);
}

export const digest = (content) => createHash('sha256').update(content).digest('hex');

export async function bytesOf(page, url) {
  const response = await page.request.get(new URL(url, page.url()).href);
  check(response.ok(), `${response.status()} for ${url.slice(0, 60)}`);
  return digest(await response.body());
}

// drop drops files and folders of the disk on an element, as a file manager does.
export async function drop(page, selector, files) {
  const client = await page.context().newCDPSession(page);
  await page.locator(selector).scrollIntoViewIfNeeded();
  const box = await page.locator(selector).boundingBox();
  const at = { x: box.x + box.width / 2, y: box.y + 10, data: { items: [], files, dragOperationsMask: 1 } };
  for (const type of ['dragEnter', 'dragOver', 'drop']) await client.send('Input.dispatchDragEvent', { type, ...at });
  await client.detach();
}

export async function violations(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  for (const v of found.violations) console.log(`axe: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} (${n.failureSummary})`).join(' | ')}`);
  check(found.violations.length === 0, `axe finds nothing in ${name}`);
}

// fits checks that nothing is wider than the window.
export async function fits(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `${name} fits ${page.viewportSize().width} px`);
}

// frames waits until what has changed is drawn: a change of size is noticed in one frame and drawn in the next.
export const frames = (page) => page.evaluate(async () => { for (let i = 0; i < 3; i++) await new Promise((r) => { requestAnimationFrame(r); }); });

// picture keeps a screenshot of the whole page, where they are wanted. The window is made as high as the page for it: what is
// out of sight is not drawn.
export async function picture(page, name) {
  if (!given.screenshots) return;
  mkdirSync(given.screenshots, { recursive: true });
  const size = page.viewportSize();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: size.width, height: Math.max(height, size.height) });
  await frames(page);
  await page.screenshot({ path: join(given.screenshots, `${name}.png`), fullPage: true });
  await page.setViewportSize(size);
}
