// What the page uses of the machine: the microphone, MIDI, and dragging a clip to another program.
import { bytesOf, check, close, given, heard, open, picture, silent, told } from './page.mjs';

// deny makes the browser refuse a page a permission, as a person who says no does.
async function deny(page, name) {
  const client = await page.context().newCDPSession(page);
  const { targetInfo } = await client.send('Target.getTargetInfo');
  await client.send('Browser.setPermission', { permission: { name }, setting: 'denied', origin: new URL(page.url()).origin, browserContextId: targetInfo.browserContextId });
}

export async function microphone() {
  const page = await open(given.url);
  await page.getByText('Vary', { exact: true }).click();
  await page.locator('#record').click();
  await page.locator('#record[aria-pressed=true]').waitFor();
  await page.evaluate(() => new Promise((r) => { setTimeout(r, 1500); })); // What is recorded has this length; the device beeps every second.
  await page.locator('#record').click();
  await page.waitForURL(/given=/);
  await page.locator('#given-name', { hasText: 'recording.wav' }).waitFor();
  await heard(page);
  const id = new URL(page.url()).searchParams.get('given');
  const wav = await (await page.request.get(new URL(`/api/given/${id}`, page.url()).href)).body();
  let peak = 0;
  for (let i = 44; i + 1 < wav.length; i += 2) peak = Math.max(peak, Math.abs(wav.readInt16LE(i)));
  const seconds = (wav.length - 44) / 2 / wav.readUInt32LE(24);
  check(peak > 1000 && seconds > 0.5, `the microphone was recorded: ${seconds.toFixed(1)} s, peak ${(peak / 32768).toFixed(2)}`);
  const varied = await bytesOf(page, await page.locator('#download').getAttribute('href'));
  const q = new URL(page.url()).searchParams;
  q.delete('given');
  q.delete('strength');
  check(varied !== await bytesOf(page, `/api/clip?${q}`), 'a variation of the recording is heard, and no new clip');
  await picture(page, 'vary-1280-light');
  await deny(page, 'microphone');
  await page.locator('#record').click();
  await told(page, 'does not let this page record');
  await close(page);
}

// keyboard stands for a MIDI keyboard: the page's requestMIDIAccess gives it, and a test plays it.
function keyboard() {
  globalThis.keyboard = {};
  navigator.requestMIDIAccess = async () => ({ inputs: new Map([['keys', globalThis.keyboard]]) });
}

export async function midi() {
  const page = await open(given.url, { script: keyboard });
  await page.locator('#sound').click();
  await heard(page);
  await page.locator('#midi').click();
  await told(page, 'MIDI is on; inputs: 1', false);
  // loudest is the greatest level that the analyser measures while a note of a velocity sounds.
  const loudest = async (velocity) => {
    await silent(page);
    return page.evaluate(async (v) => {
      globalThis.keyboard.onmidimessage({ data: [0x90, 36, v] });
      let most = 0;
      for (let quiet = 0; quiet < 5;) {
        await new Promise((r) => { requestAnimationFrame(r); });
        const level = document.getElementById('level').value;
        most = Math.max(most, level);
        quiet = most > 0 && level === 0 ? quiet + 1 : 0;
      }
      return most;
    }, velocity);
  };
  // A busy machine measures seldom and may miss the loudest moment of a note: the loud one is played twice.
  const [soft, loud] = [await loudest(40), Math.max(await loudest(127), await loudest(127))];
  check(soft > 0 && soft < 0.5 * loud, `the pad's level follows the velocity: ${soft.toFixed(4)} for 40, ${loud.toFixed(4)} for 127`);
  await close(page);

  const denied = await open(given.url);
  await deny(denied, 'midi');
  await denied.locator('#midi').click();
  await told(denied, 'does not let this page use MIDI');
  await close(denied);
}

// drag begins to drag an element with the mouse, as the browser sees it, and returns the DownloadURL that another program would
// be given. The drag itself is taken over from the browser, which has no other program to drop it on. An element that moves, or is
// laid out anew, between the press and the move is not dragged, for a person neither: then the button is released and pressed again
// where the element is now.
async function drag(page, link) {
  const client = await page.context().newCDPSession(page);
  await client.send('Input.setInterceptDrags', { enabled: true });
  await page.evaluate(() => {
    globalThis.dragged = '';
    addEventListener('dragstart', (e) => { globalThis.dragged = e.dataTransfer.getData('DownloadURL'); });
  });
  for (let attempt = 1; ; attempt++) {
    let mouse = async () => {};
    try {
      await link.scrollIntoViewIfNeeded({ timeout: 10000 });
      const box = await link.boundingBox({ timeout: 10000 });
      // Some of these are answered when the drag has ended only, which is with the page.
      mouse = (type, by) => client.send('Input.dispatchMouseEvent', {
        type, x: box.x + box.width / 2 + by, y: box.y + box.height / 2 + by, button: 'left', buttons: type === 'mouseReleased' ? 0 : 1, clickCount: 1,
      }).catch(() => {});
      for (const [type, by] of [['mousePressed', 0], ['mouseMoved', 10], ['mouseMoved', 40]]) mouse(type, by);
      await page.waitForFunction(() => globalThis.dragged, undefined, { timeout: 10000 });
      return page.evaluate(() => globalThis.dragged);
    } catch (e) {
      if (attempt === 6) throw e;
      mouse('mouseReleased', 40);
    }
  }
}

export async function out() {
  const label = given.labels[1];
  for (const [selector, wanted] of [['#download', `${label}_1.wav`], ['#stars a[draggable]', `${label} 1.wav`]]) {
    const page = await open(given.url);
    await page.getByRole('button', { name: label, exact: true }).click();
    await heard(page);
    // The list may hold the star already, from the round before: it is laid out anew when the answer is there.
    const listed = page.waitForResponse((r) => r.url().endsWith('/api/stars') && r.request().method() === 'GET');
    await page.locator('#star').click();
    await listed;
    await page.waitForFunction((name) => document.querySelector('#stars input')?.value === name, `${label} 1`);
    const link = page.locator(selector).first();
    const file = await drag(page, link);
    const [, type, name, address] = /^([^:]*):([^:]*):(.*)$/.exec(file) || [];
    check(type === 'audio/wav' && name === wanted, `dragged out: ${file}`);
    check(await bytesOf(page, address) === await bytesOf(page, await link.getAttribute('href')), 'its address has the bytes of the clip');
    await close(page);
  }
}
