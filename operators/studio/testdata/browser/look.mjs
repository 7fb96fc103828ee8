// The view Look, and how all views look: width, colours, accessibility, languages.
import { check, close, fits, frames, given, heard, open, picture, silent, violations } from './page.mjs';

export async function look() {
  const page = await open(`${given.url}#look`);
  await page.locator('#nearest').click();
  await page.locator('#nearest-list .badge').first().waitFor();
  await silent(page);
  await page.locator('#nearest-list button').nth(1).click();
  await heard(page);
  check(true, 'a nearest recording is heard');
  await page.locator('#listener').fill('test');
  await page.locator('#blind-begin').click();
  for (let i = 0; i < 20; i++) {
    await page.locator('#blind-progress', { hasText: `Pair ${i + 1} ` }).waitFor();
    if (i === 0) {
      await silent(page);
      await page.locator('#blind-b').click();
      await heard(page);
      await picture(page, 'blind-1280-light');
    }
    await page.locator(i % 2 ? '#choose-a' : '#choose-b').click();
  }
  await page.locator('#blind-score', { hasText: 'of 20 right' }).waitFor();
  check(true, `a blind test: ${await page.locator('#blind-score').textContent()}`);
  await close(page);
}

export async function looks() {
  for (const [width, height] of [[360, 780], [1280, 900], [2560, 1440]]) {
    const page = await open(given.url, { viewport: { width, height }, reducedMotion: 'reduce' });
    for (const view of given.views) {
      await page.evaluate((v) => { location.hash = `#${v}`; }, view);
      await page.locator(`#view-${view}`).waitFor();
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        await frames(page);
        if ((width === 360 && colorScheme === 'light') || (width === 1280 && colorScheme === 'dark')) await violations(page, `${view} at ${width} px, ${colorScheme}`);
        await picture(page, `${view}-${width}-${colorScheme}`);
      }
      await fits(page, view);
    }
    await close(page);
  }
  for (const language of ['de', 'zh']) {
    const page = await open(given.url, { locale: language });
    await page.waitForFunction((l) => document.documentElement.lang === l, language);
    check(await page.locator('nav a').first().textContent() !== 'Play', `the page speaks ${language}`);
    await close(page);
  }
}
