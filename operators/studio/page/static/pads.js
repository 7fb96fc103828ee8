// The pads hold the last sixteen clips. They are played with the mouse, with sixteen keys of the keyboard by their place, and
// over Web MIDI by the notes 36 to 51 with velocity.
import { $, denied, fill, guarded, make, notify } from './dom.js';
import { t, onLanguage } from './messages.js';
import { play } from './audio.js';

const codes = ['Digit1', 'Digit2', 'Digit3', 'Digit4', 'KeyQ', 'KeyW', 'KeyE', 'KeyR', 'KeyA', 'KeyS', 'KeyD', 'KeyF', 'KeyZ', 'KeyX', 'KeyC', 'KeyV'];
const firstNote = 36;
const pads = []; // { query, buffer, name }
let next = 0;

export function add(query, buffer, name) {
  const key = String(query);
  if (pads.some((p) => p && p.key === key)) return;
  pads[next] = { key, buffer, name };
  next = (next + 1) % codes.length;
  draw();
}

function draw() {
  $('no-pads').hidden = pads.length > 0;
  fill($('pads'), ...codes.map((code, i) => {
    const p = pads[i];
    return make('button', {
      class: p ? 'filled' : '', disabled: !p,
      onpointerdown: (e) => e.button === 0 && hit(i, 1), onclick: (e) => e.detail === 0 && hit(i, 1),
    }, make('kbd', { text: code.slice(-1) }), make('span', { class: 'hidden', text: p ? t('pad_n', { n: i + 1 }) : t('pad_empty', { n: i + 1 }) }), p ? make('span', { text: p.name }) : null);
  }));
}

function hit(i, gain) {
  if (!pads[i]) return;
  play(pads[i].buffer, { gain, alone: false });
  const b = $('pads').children[i];
  b.classList.add('hit');
  setTimeout(() => b.classList.remove('hit'), 140);
}

async function midi() {
  if (!isSecureContext) throw new Error(t('insecure'));
  if (!navigator.requestMIDIAccess) throw new Error(t('no_midi'));
  const access = await navigator.requestMIDIAccess().catch((e) => { throw denied(e) ? new Error(t('midi_denied')) : e; });
  const listen = () => {
    for (const input of access.inputs.values()) {
      input.onmidimessage = ({ data: [status, note, velocity] }) => {
        if ((status & 0xf0) === 0x90 && velocity > 0) hit((note - firstNote + 160) % 16, (velocity / 127) ** 1.5);
      };
    }
  };
  access.onstatechange = listen;
  listen();
  notify(t('midi_on', { n: access.inputs.size }));
}

export function begin() {
  draw();
  onLanguage(draw);
  $('midi').addEventListener('click', guarded(midi));
  document.addEventListener('keydown', (e) => {
    const i = codes.indexOf(e.code);
    if (i < 0 || e.repeat || e.ctrlKey || e.metaKey || e.altKey || !$('pad-keys').checked || $('view-play').hidden) return;
    if (e.target.closest('input:not([type=range], [type=checkbox], [type=radio]), select, textarea')) return;
    hit(i, 1);
  });
}
