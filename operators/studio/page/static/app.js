// The page begins here: language, views, and the state of the connection.
import { $, guarded, notify } from './dom.js';
import * as messages from './messages.js';
import { follow, get } from './api.js';
import { audioContext } from './audio.js';
import * as play from './play.js';
import * as look from './look.js';
import * as train from './train.js';
import * as run from './run.js';

const views = { play, look, train, run };
let shown;

// show opens the view that the address names.
function show() {
  const name = location.hash.slice(1) in views ? location.hash.slice(1) : 'play';
  if (name === shown) return;
  if (shown) {
    views[shown].leave?.();
    notify(''); // An error of the view that is left has no meaning in this one.
  }
  shown = name;
  for (const key of Object.keys(views)) $(`view-${key}`).hidden = key !== name;
  for (const a of document.querySelectorAll('nav [data-view]')) {
    if (a.dataset.view === name) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  document.title = `${messages.t(name)} – Wavemill`;
  guarded(() => views[name].enter?.())();
}

// connection keeps an event stream open: the page knows when the server is away, and takes up what it shows when it is back.
function connection() {
  let id;
  let lost = false;
  follow('/api/server', {
    server: guarded(async (s) => {
      const again = id !== undefined && (lost || s.id !== id);
      id = s.id;
      lost = false;
      $('link-state').textContent = '';
      if (again) {
        notify(messages.t('reconnected'));
        await play.models();
        views[shown].enter?.();
      }
    }),
    models: guarded(() => play.models()),
  }, (open) => {
    if (!open) {
      lost = true;
      $('link-state').textContent = messages.t('disconnected');
    }
  });
}

async function begin() {
  const [parts] = await Promise.all([get('/api/parts'), messages.load()]);
  $('language').value = messages.current();
  $('language').addEventListener('change', () => {
    localStorage.setItem('language', $('language').value);
    messages.use($('language').value);
    document.title = `${messages.t(shown)} – Wavemill`;
  });
  for (const name of ['train', 'run']) document.querySelector(`nav [data-view=${name}]`).hidden = !parts[name];
  await play.begin();
  look.begin();
  if (parts.train) train.begin();
  if (parts.run) run.begin();
  addEventListener('hashchange', show);
  show();
  connection();
  // A browser lets a page sound after a gesture only.
  for (const gesture of ['pointerdown', 'keydown']) addEventListener(gesture, () => audioContext(), { once: true });
  document.documentElement.dataset.ready = 'true';
}

guarded(begin)();
