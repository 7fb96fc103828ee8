// Drives the studio in a browser as a person would; TestBrowser starts the server and runs this with the names of steps. It
// prints what it saw, and ends with 1 at the first thing that is not so.
import { browser, given, picture } from './page.mjs';
import * as devices from './devices.mjs';
import * as look from './look.mjs';
import * as play from './play.mjs';
import * as run from './run.mjs';
import * as train from './train.mjs';

const steps = { ...play, ...devices, ...look, ...train, ...run };

// What hangs without an end of its own, such as a call into a page, fails.
const limit = setTimeout(() => { console.log('failed: the steps take longer than 10 minutes'); process.exit(1); }, 600000);

try {
  for (const name of given.steps) {
    const began = Date.now();
    await steps[name]();
    console.log(`step ${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
} catch (e) {
  console.log(`failed: ${e.stack}`);
  for (const c of browser.contexts()) for (const p of c.pages()) await picture(p, 'failed');
  process.exitCode = 1;
}
clearTimeout(limit);
await browser.close();
process.exit();
