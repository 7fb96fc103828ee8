// The view Train: folders and zips of the disk are dropped, a training is killed and goes on, and its model is played.
import { check, close, drop, given, heard, load, open, patience, picture, silent, tell } from './page.mjs';

// planned waits for the plan of what was dropped and checks its files and labels.
async function planned(page, { files, labels }, what) {
  await page.locator('#plan-facts', { hasText: `${files} of ${files} can be used` }).waitFor();
  const facts = await page.locator('#plan-facts').textContent();
  check(true, `${what}: all of ${files} files can be used`);
  for (const [label, n] of Object.entries(labels)) check(facts.includes(`${label} (${n})`), `${what} has the label ${label} with ${n} files`);
  check(/dB/.test(facts), 'the ceiling is shown');
}

export async function train() {
  const page = await open(`${given.url}#train`);
  await page.locator('#no-trainings').waitFor();
  await drop(page, '#drop', [given.zip.path]);
  await planned(page, given.zip, 'a dropped zip');
  await drop(page, '#drop', [given.folder.path]);
  await planned(page, given.folder, 'a dropped folder');
  await picture(page, 'plan-1280-light');
  await page.locator('#train-name').fill(given.markup);
  await page.locator('#train-arch').selectOption('vae');
  const minutes = given.minutes * (given.minutes < 1 ? Math.min(3, Math.max(1, load())) : 1); // so that it lasts beyond the restart of the server
  await page.locator('#train-budget').fill(String(minutes));
  await page.locator('#train-start').click();
  const card = page.locator('[data-training]').first();
  await card.getByText('training', { exact: true }).waitFor();
  check((await card.textContent()).includes(given.markup), 'a name with markup is shown as text');
  await card.locator('.legend span').first().waitFor();
  check(true, 'curves are live');

  // The trainer is killed, with the server, while the page is open, and goes on.
  await tell('kill');
  await page.locator('#link-state', { hasText: 'No connection' }).waitFor();
  await tell('start');
  await page.locator('#notice', { hasText: 'Connected again' }).waitFor();
  check(true, 'the page reconnects after the server is killed and begun again');
  // On a busy machine the budget may be used up by now.
  const state = card.getByText(/^(training|done)$/);
  await state.waitFor();
  check(true, `after that the training goes on: ${await state.textContent()}`);
  await card.getByText('done', { exact: true }).waitFor({ timeout: minutes * 60000 + patience });
  await card.locator('.previews button').first().waitFor();
  await silent(page);
  await card.locator('.previews button').first().click();
  await heard(page);
  check(true, 'a preview sounds');
  check(await page.locator('img[src=x]').count() === 0, 'no name has become markup in Train');

  // It is given more minutes, far more than this takes, and paused.
  await card.locator('input[type=number]').fill('5');
  await card.getByRole('button', { name: 'Resume' }).click();
  await card.getByText('training', { exact: true }).waitFor();
  await card.getByRole('button', { name: 'Pause' }).click();
  await card.getByText('paused', { exact: true }).waitFor();
  check(true, 'a training is given more minutes and paused');
  await card.getByRole('button', { name: 'Play it' }).click();
  await page.waitForFunction((text) => document.querySelector('#model option:checked').textContent.includes(text), given.markup);
  for (const label of Object.keys(given.folder.labels)) {
    await page.getByRole('button', { name: label, exact: true }).click();
    await page.locator('#clip-name', { hasText: label }).waitFor();
    await heard(page);
    check(true, `a clip ${label} of the trained model is heard`);
  }
  await page.getByRole('button', { name: given.markup, exact: true }).click();
  await page.locator('#clip-name', { hasText: given.markup }).waitFor();
  await page.locator('#star').click();
  await page.locator('#stars li').first().waitFor();
  await page.locator('nav [data-view=look]').click();
  await page.locator('#look-name', { hasText: given.markup }).waitFor();
  check((await page.locator('#compare').textContent()).includes(given.markup), 'a name with markup is shown as text in Look');
  await close(page);
}
