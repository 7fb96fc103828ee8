// The view Run: dead letters, quarantine and versions of a pipeline that a guard watches. What each decision does is asked of
// the bus and of the commands, by the test.
import { check, close, fits, given, heard, open, patience, picture, told, until, violations } from './page.mjs';

export async function run() {
  const page = await open(`${given.url}#run`);
  await page.locator('#stages li').nth(1).waitFor();
  const letter = page.locator('[data-letter]').first();
  await letter.waitFor();
  const text = await letter.textContent();
  check(text.includes('invalid') && text.includes(given.markup), `a dead letter is shown, a label with markup as text: ${text.slice(0, 120)}`);
  await letter.getByRole('button', { name: /^Play/ }).click();
  await page.locator('#notice.error').waitFor();
  check(true, `its player says why: ${(await page.locator('#notice').textContent()).slice(0, 80)}`);
  const number = await letter.getAttribute('data-letter');
  await letter.getByRole('button', { name: 'Replay' }).click();
  await page.waitForFunction((n) => !document.querySelector(`[data-letter="${n}"]`), number);
  check(true, 'it is replayed');

  // Quarantine: two clips that a guard has refused are let pass, one of them under another label, and one is dropped.
  const held = page.locator('[data-held]');
  await page.waitForFunction(() => document.querySelectorAll('[data-held]').length === 3, null, { timeout: patience });
  const marked = held.filter({ hasText: given.markup });
  check(await marked.count() === 1 && await marked.locator('input').inputValue() === given.markup, 'a label with markup is text in the quarantine');
  await violations(page, 'run');
  await picture(page, 'run-1280-light');
  await held.first().getByRole('button', { name: /^Play/ }).click();
  await heard(page);
  check(true, 'a clip in quarantine is heard');
  const left = (n) => page.waitForFunction((k) => document.querySelectorAll('[data-held]').length === k, n);
  const bells = held.filter({ hasNotText: given.markup });
  await bells.nth(1).locator('input').fill('chirp');
  await bells.first().getByRole('button', { name: 'Accept' }).click();
  await left(2);
  await until('checked', 'bell accepted', 'an accepted clip is on the stream after the guard');
  check(await bells.first().locator('input').inputValue() === 'chirp', 'what was typed stays when the list changes');
  await bells.first().getByRole('button', { name: 'Accept' }).click();
  await left(1);
  await until('checked', 'bell accepted, chirp accepted bell', 'a relabelled clip is there under its new label');
  await marked.getByRole('button', { name: 'Drop' }).click();
  await page.locator('#no-quarantine').waitFor();
  await until('checked', 'bell accepted, chirp accepted bell', 'a dropped clip is not');
  await until('quarantine', '0', 'messages in quarantine, by the command');

  // Versions: the newest is rolled back, the one before is pinned, and the newest is served again.
  const row = (version) => page.locator('#versions tbody tr').filter({ has: page.locator('td:nth-child(2)', { hasText: new RegExp(`^${version}$`) }) });
  await until('models', '2 served, 1 kept', 'versions, by the command');
  check((await row(2).textContent()).includes(given.markup), 'a verdict with markup is shown as text');
  await row(2).getByRole('button', { name: 'Roll back' }).click();
  await row(1).getByText('served').waitFor();
  await until('models', '2 withdrawn, 1 served', 'after the newest is rolled back');
  await row(1).getByRole('button', { name: 'Pin', exact: true }).click();
  await row(1).getByText('pinned').waitFor();
  await until('models', '2 withdrawn, 1 pinned', 'after the other is pinned');
  await row(2).getByRole('button', { name: 'Serve' }).click();
  await told(page, 'pinned');
  await until('models', '2 withdrawn, 1 pinned', 'a pinned version stays');
  await row(1).getByRole('button', { name: 'Unpin' }).click();
  await row(1).getByText('served').waitFor();
  await row(2).getByRole('button', { name: 'Serve' }).click();
  await row(2).getByText('served').waitFor();
  await until('models', '2 served, 1 kept', 'after the newest is served again');
  await page.setViewportSize({ width: 360, height: 780 });
  await fits(page, 'run');
  await picture(page, 'run-360-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture(page, 'run-360-dark');
  await page.setViewportSize({ width: 2560, height: 1440 });
  await picture(page, 'run-2560-dark');
  await page.setViewportSize({ width: 1280, height: 720 });

  // A served model can be played.
  await page.locator('nav [data-view=play]').click();
  await page.locator('#sound').click();
  await heard(page);
  check(true, 'a served model is heard');
  await close(page);
}
