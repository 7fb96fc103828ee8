// The view Play: a clip for a label, a seed and settings. What is chosen is the query of the page's own address and of the
// clip's, so that a link is a sound.
import { $, denied, fill, guarded, icon, make, notify, number } from './dom.js';
import { t, onLanguage } from './messages.js';
import { get, post, put, remove } from './api.js';
import { audioContext, load, play, stopAll, toWAV } from './audio.js';
import { SoundView } from './view.js';
import { List } from './list.js';
import * as pads from './pads.js';
import { LatentMap } from './map.js';

export const state = { model: '', label: '', seed: 1, temperature: null, mode: 'new', other: '', weight: 0.5, given: '', strength: 0.4, x: 0, y: 0 };
let known = []; // models
let hasRecordings = false;
let stage;
let series;
let plane;
let wanted = 0; // counts what was asked for, so that a late answer does not replace a newer one

export const model = () => known.find((m) => m.id === state.model);
export const allModels = () => known;
export const recordingsThere = () => hasRecordings;

// query describes the clip of a seed.
export function query(seed = state.seed) {
  const q = new URLSearchParams({ model: state.model, label: state.label, seed: String(seed) });
  if (state.temperature !== null) q.set('temperature', String(state.temperature));
  if (state.mode === 'mix') {
    q.set('other', state.other);
    q.set('weight', String(state.weight));
  } else if (state.mode === 'vary' && state.given) {
    q.set('given', state.given);
    q.set('strength', String(state.strength));
  } else if (state.mode === 'map') {
    q.set('x', String(state.x));
    q.set('y', String(state.y));
  }
  return q;
}

export const address = (q) => `/api/clip?${q}`;

// read takes over a query, such as that of the page's address.
function read(q) {
  const m = known.find((k) => q.get('model') && k.id.startsWith(q.get('model'))) || known[0];
  if (!m) return;
  if (q.get('model') && !m.id.startsWith(q.get('model'))) notify(t('model_gone', { id: q.get('model').slice(0, 12) }), true);
  state.model = m.id;
  state.label = m.labels.includes(q.get('label')) ? q.get('label') : m.labels[0];
  state.seed = Number.isSafeInteger(+q.get('seed')) && q.has('seed') ? Math.max(0, +q.get('seed')) : 1;
  state.temperature = q.has('temperature') ? +q.get('temperature') : null;
  state.mode = q.has('other') ? 'mix' : q.has('given') ? 'vary' : q.has('x') ? 'map' : 'new';
  state.other = m.labels.includes(q.get('other')) ? q.get('other') : m.labels[Math.min(1, m.labels.length - 1)];
  if (q.has('weight')) state.weight = +q.get('weight');
  if (q.has('given')) state.given = q.get('given');
  if (q.has('strength')) state.strength = +q.get('strength');
  if (q.has('x')) [state.x, state.y] = [+q.get('x'), +q.get('y')];
}

export function name(q) {
  const at = q.get('seed');
  if (q.has('other')) return `${q.get('label')} + ${q.get('other')} · ${at}`;
  return `${q.get('label')} · ${at}`;
}

// models asks for the models again, and keeps what is chosen where it is still there.
export async function models() {
  const answer = await get('/api/models');
  known = answer.models;
  hasRecordings = answer.recordings;
  $('no-model').hidden = known.length > 0;
  $('player').hidden = known.length === 0;
  if (known.length === 0) return;
  read(state.model && known.some((m) => m.id === state.model) ? query() : new URLSearchParams(location.search));
  fill($('model'), ...known.map((m) => make('option', { value: m.id, text: `${m.name} (${m.arch})` })));
  showModel();
}

// showModel fills the controls for the model.
function showModel() {
  const m = model();
  $('model').value = m.id;
  fill($('labels'), ...m.labels.slice(0, 60).map((l) => make('button', { type: 'button', text: l, data: { label: l }, 'aria-pressed': 'false', onclick: guarded(() => choose(l)) })));
  $('label-type').hidden = m.labels.length <= 12;
  fill($('label-list'), ...m.labels.map((l) => make('option', { value: l })));
  fill($('other'), ...m.labels.map((l) => make('option', { value: l, text: l })));
  for (const [mode, can] of [['mix', m.blends && m.labels.length > 1], ['vary', m.encodes], ['map', m.encodes]]) {
    document.querySelector(`[name=mode][value=${mode}]`).disabled = !can;
    if (!can && state.mode === mode) state.mode = 'new';
  }
  showState();
  guarded(() => plane.open(m))();
}

// showState puts the chosen values into the controls and the address.
function showState() {
  for (const b of $('labels').children) b.setAttribute('aria-pressed', String(b.dataset.label === state.label));
  $('seed').value = state.seed;
  $('temperature').value = state.temperature ?? 1;
  $('temperature-value').textContent = state.temperature === null ? t('own') : number(state.temperature);
  $('other').value = state.other;
  for (const key of ['weight', 'strength', 'x', 'y']) {
    $(key).value = state[key];
    $(`${key}-value`).textContent = number(state[key]);
  }
  document.querySelector(`[name=mode][value=${state.mode}]`).checked = true;
  for (const mode of ['mix', 'vary', 'map']) $(`mode-${mode}`).hidden = state.mode !== mode;
  const q = query();
  history.replaceState(null, '', `?${q}${location.hash}`);
  $('clip-name').textContent = name(q);
  $('download').href = address(q);
  $('download').download = `${state.label}_${state.seed}.wav`;
  plane?.draw();
}

// sound makes the chosen clip, plays it and shows it.
export async function sound({ quiet = false } = {}) {
  if (!model()) return;
  if (state.mode === 'vary' && !state.given) {
    notify(t('given_first'));
    return;
  }
  const turn = ++wanted;
  showState();
  const q = query();
  const buffer = await load(address(q));
  if (turn !== wanted) return;
  stage.show(buffer, name(q));
  if (!quiet) {
    stage.follow(play(buffer));
    pads.add(q, buffer, name(q));
  }
  load(address(query(state.seed + 1))).catch(() => {}); // The next one is wanted next, most of the time.
}

export const choose = (label) => {
  state.label = label;
  series.refresh();
  return sound();
};

export const step = (by) => {
  state.seed = Math.max(0, state.seed + by);
  return sound();
};

// recall takes over the settings of a query and plays its clip.
export async function recall(q) {
  read(q);
  showModel();
  await sound();
}

let later;
// soon makes the sound when a slider has rested for a moment.
function soon(wait = 90) {
  showState();
  clearTimeout(later);
  later = setTimeout(guarded(() => sound()), wait);
}

async function stars() {
  const { stars: all } = await get('/api/stars');
  $('no-stars').hidden = all.length > 0;
  $('zip').hidden = all.length === 0;
  fill($('stars'), ...all.reverse().map((s) => {
    const field = make('input', { type: 'text', value: s.name, maxlength: 60, 'aria-label': t('name') });
    field.addEventListener('change', guarded(() => put(`/api/stars/${s.id}`, { name: field.value })));
    const file = `/api/stars/${s.id}`;
    return make('li', { data: { star: s.id } },
      make('button', { class: 'icon', 'aria-label': t('play_name', { name: s.name }), onclick: guarded(async () => play(await load(file))) }, icon('play')),
      make('span', { class: 'grow' }, field),
      make('a', { class: 'button small', href: `?${s.query}#play`, text: t('open'), onclick: guarded((e) => { e.preventDefault(); return recall(new URLSearchParams(s.query)); }) }),
      dragOut(make('a', { class: 'button small', href: file, download: `${s.name}.wav`, text: 'WAV', 'aria-label': t('download_name', { name: s.name }) })),
      make('button', { class: 'icon', 'aria-label': t('remove_name', { name: s.name }), onclick: guarded(async () => { await remove(file); await stars(); }) }, icon('close')));
  }));
}

// dragOut lets a link be dragged to a folder or another program as the file that it downloads.
function dragOut(link) {
  link.draggable = true;
  link.addEventListener('dragstart', (e) => e.dataTransfer.setData('DownloadURL', `audio/wav:${link.download.replace(/[:/\\]/g, '-')}:${link.href}`));
  return link;
}

// give sends a sound to the server and varies it from now on.
async function give(content, file) {
  const q = new URLSearchParams({ name: file, model: state.model });
  const given = await post('/api/given', content, { query: q });
  state.given = given.id;
  state.mode = 'vary';
  if (given.label) state.label = given.label;
  $('given-name').textContent = t('given_is', { name: given.name, seconds: number(given.seconds, 2) });
  await sound();
}

async function giveFile(file) {
  if (file) await give(file, file.name);
}

let recorder;
// record records the microphone until it is called again.
async function record() {
  if (recorder) {
    recorder.stop();
    return;
  }
  if (!isSecureContext) throw new Error(t('insecure'));
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch((e) => {
    throw denied(e) ? new Error(t('no_microphone')) : e.name === 'NotFoundError' ? new Error(t('microphone_missing')) : e;
  });
  const parts = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (e) => parts.push(e.data);
  recorder.onstop = guarded(async () => {
    for (const track of stream.getTracks()) track.stop();
    recorder = null;
    $('record').setAttribute('aria-pressed', 'false');
    const decoded = await audioContext().decodeAudioData(await new Blob(parts).arrayBuffer());
    await give(toWAV(decoded), 'recording.wav');
  });
  recorder.start();
  $('record').setAttribute('aria-pressed', 'true');
}

// keys are the shortcuts of the view. They leave alone what has a meaning of its own in a control.
function keys(e) {
  if ($('view-play').hidden || !model() || e.ctrlKey || e.metaKey || e.altKey) return;
  const inside = e.target.closest('input, select, textarea, button, a, summary, [role=region]');
  if (e.code === 'Space' && (!inside || e.target.closest('#labels, #sound'))) {
    e.preventDefault();
    if (e.repeat) return;
    const label = e.target.closest('#labels button')?.dataset.label;
    guarded(() => (label ? choose(label) : sound()))();
  } else if (!inside || e.target.closest('#labels, #sound, #back, #forward')) {
    const by = { ArrowRight: 1, ArrowUp: 10, ArrowLeft: -1, ArrowDown: -10 }[e.key];
    if (by) {
      e.preventDefault();
      guarded(() => step(by))();
      return;
    }
    if (e.key === 'Escape') stopAll();
  }
}

function row(i) {
  const q = query(i + 1);
  return make('div', {},
    make('button', { class: 'icon', 'aria-label': t('play_name', { name: name(q) }), onclick: guarded(() => { state.seed = i + 1; return sound(); }) }, icon('play')),
    make('span', { class: 'grow', text: name(q) }));
}

function controls() {
  $('sound').addEventListener('click', guarded(() => sound()));
  $('back').addEventListener('click', guarded(() => step(-1)));
  $('forward').addEventListener('click', guarded(() => step(1)));
  $('model').addEventListener('change', guarded(async () => {
    const q = query();
    q.set('model', $('model').value);
    read(q);
    showModel();
    series.refresh();
    await sound({ quiet: true });
  }));
  $('label-find').addEventListener('change', guarded(() => (model().labels.includes($('label-find').value) ? choose($('label-find').value) : notify(t('no_label'), true))));
  $('seed').addEventListener('change', guarded(() => { state.seed = Math.max(0, Math.floor(+$('seed').value || 0)); return sound(); }));
  $('temperature').addEventListener('input', () => { state.temperature = +$('temperature').value; soon(); });
  $('other').addEventListener('change', guarded(() => { state.other = $('other').value; return sound(); }));
  for (const key of ['weight', 'strength']) $(key).addEventListener('input', () => { state[key] = +$(key).value; soon(); });
  for (const key of ['x', 'y']) $(key).addEventListener('input', () => { state[key] = +$(key).value; soon(40); });
  for (const radio of document.querySelectorAll('[name=mode]')) {
    radio.addEventListener('change', guarded(async () => {
      state.mode = radio.value;
      showState();
      series.refresh();
      if (state.mode !== 'vary' || state.given) await sound();
    }));
  }
  $('star').addEventListener('click', guarded(async () => {
    const s = await post('/api/stars', { query: String(query()), name: '' });
    notify(t('starred', { name: s.name }));
    await stars();
  }));
  $('copy').addEventListener('click', guarded(async () => {
    if (!isSecureContext) throw new Error(t('insecure'));
    await navigator.clipboard.writeText(location.href);
    notify(t('copied'));
  }));
  dragOut($('download'));
  $('given-file').addEventListener('change', guarded(() => giveFile($('given-file').files[0])));
  $('record').addEventListener('click', guarded(record));
  dropOn($('given-drop'), (transfer) => giveFile(transfer.files[0]));
  $('series-n').addEventListener('change', () => series.resize(Math.min(100000, Math.max(1, Math.floor(+$('series-n').value || 1)))));
  document.addEventListener('keydown', keys);
}

// dropOn calls f with what is dropped on an element.
export function dropOn(element, f) {
  const over = (on) => (e) => {
    e.preventDefault();
    element.classList.toggle('over', on);
  };
  element.addEventListener('dragover', over(true));
  element.addEventListener('dragleave', over(false));
  element.addEventListener('drop', (e) => {
    over(false)(e);
    guarded(f)(e.dataTransfer);
  });
}

export async function begin() {
  stage = new SoundView($('stage-view'));
  series = new List($('series'), row);
  plane = new LatentMap($('map'), state, () => soon(25));
  pads.begin(recall);
  controls();
  await models();
  series.resize(+$('series-n').value);
  if (model() && !(state.mode === 'vary' && !state.given)) guarded(() => sound({ quiet: true }))();
  onLanguage(() => {
    if (!model()) return;
    showState();
    series.refresh();
    guarded(stars)();
  });
}

export const enter = () => stars();
