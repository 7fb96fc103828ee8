// The view Look: the chosen clip large, the recordings nearest to it, models side by side, and the blind test.
import { $, fill, guarded, icon, make, number } from './dom.js';
import { t, onLanguage } from './messages.js';
import { get, post } from './api.js';
import { load, play } from './audio.js';
import { SoundView } from './view.js';
import { List } from './list.js';
import * as studio from './play.js';

let large;
let list;
let recordings = [];
let test;

async function show(address, name) {
  const buffer = await load(address);
  large.show(buffer, name);
  $('look-name').textContent = name;
  return buffer;
}

const recordingName = (r) => `${r.label} · ${r.name}`;

function playButton(r) {
  return make('button', { class: 'icon', 'aria-label': t('play_name', { name: recordingName(r) }), onclick: guarded(async () => {
    large.follow(play(await show(`/api/recordings/${r.n}`, recordingName(r))));
  }) }, icon('play'));
}

async function nearest() {
  const q = studio.query();
  q.set('n', '8');
  fill($('nearest-list'), make('li', { class: 'hint', text: t('searching') }));
  const answer = await get('/api/nearest', { query: q }).catch((e) => { fill($('nearest-list')); throw e; });
  const mine = make('li', {}, make('button', { class: 'icon', 'aria-label': t('play_name', { name: studio.name(q) }), onclick: guarded(async () => {
    large.follow(play(await show(studio.address(studio.query()), studio.name(q))));
  }) }, icon('play')), make('span', { class: 'grow', text: t('this_clip', { name: studio.name(q) }) }));
  fill($('nearest-list'), mine, ...answer.nearest.map((r) => make('li', {}, playButton(r),
    make('span', { class: 'grow', text: recordingName(r) }), make('span', { class: 'badge', text: t('decibel', { n: number(r.distance, 1) }) }))));
}

// compare shows the figures of the models side by side: the smaller, the better, where it is a distance.
function compare() {
  const models = studio.allModels();
  const figures = ['preview/distance', 'preview/accuracy', 'preview/diversity', 'val/loss'].filter((f) => models.some((m) => f in (m.metrics || {})));
  const others = [...new Set(models.flatMap((m) => Object.keys(m.metrics || {})))].filter((f) => f.startsWith('preview/') && !figures.includes(f)).slice(0, 4);
  const rows = [...figures, ...others];
  const best = {};
  for (const f of rows.filter((r) => /distance|loss/.test(r))) best[f] = Math.min(...models.map((m) => m.metrics?.[f] ?? Infinity));
  const cell = (m, f) => {
    const v = m.metrics?.[f];
    return make('td', { class: `num${models.length > 1 && v !== undefined && v === best[f] ? ' best' : ''}`, text: v === undefined ? '–' : number(v, 3) });
  };
  const line = (key, f) => make('tr', {}, make('th', { scope: 'row', text: key }), ...models.map(f));
  fill($('compare'),
    make('thead', {}, make('tr', {}, make('td'), ...models.map((m) => make('th', { scope: 'col', class: 'num', text: m.name })))),
    make('tbody', {},
      line(t('architecture'), (m) => make('td', { class: 'num', text: m.arch })),
      line(t('steps'), (m) => make('td', { class: 'num', text: number(m.step, 0) })),
      line(t('recordings'), (m) => make('td', { class: 'num', text: m.recordings ? number(m.recordings, 0) : '–' })),
      line(t('parameters'), (m) => make('td', { class: 'num', text: number(m.parameters, 0) })),
      ...rows.map((f) => line(f, (m) => cell(m, f))),
      line(t('warnings'), (m) => make('td', { class: 'num', text: number(m.warnings.length, 0) }))));
}

async function begin20() {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const made = await post('/api/blind', { model: studio.state.model, listener: $('listener').value, seed });
  test = { id: made.id, labels: made.labels, at: 0 };
  $('blind-start').hidden = true;
  $('blind-test').hidden = false;
  $('blind-score').textContent = '';
  question();
}

function question() {
  $('blind-progress').textContent = t('blind_question', { n: test.at + 1, all: test.labels.length, label: test.labels[test.at] });
  $('blind-a').focus();
}

const listen = (side) => guarded(async () => play(await load(`/api/blind/${test.id}/${test.at}/${side}`)));

const answer = (side) => guarded(async () => {
  const result = await post(`/api/blind/${test.id}/${test.at}`, { recording: side });
  if (!result.done) {
    test.at++;
    question();
    return;
  }
  const s = result.score;
  $('blind-test').hidden = true;
  $('blind-start').hidden = false;
  $('blind-score').textContent = t('blind_result', { correct: s.correct, pairs: s.pairs, low: number(100 * s.low, 0), high: number(100 * s.high, 0) });
});

export function begin() {
  large = new SoundView($('look-view'));
  list = new List($('recordings'), (i) => {
    const r = recordings[i];
    return make('div', {}, playButton(r), make('span', { class: 'grow', text: recordingName(r) }), make('span', { class: 'num', text: t('seconds', { n: number(r.seconds, 2) }) }));
  });
  $('nearest').addEventListener('click', guarded(nearest));
  $('blind-begin').addEventListener('click', guarded(begin20));
  for (const side of ['a', 'b']) {
    $(`blind-${side}`).addEventListener('click', listen(side));
    $(`choose-${side}`).addEventListener('click', answer(side));
  }
  const words = () => {
    $('choose-a').textContent = t('is_recording', { side: 'A' });
    $('choose-b').textContent = t('is_recording', { side: 'B' });
    if (!$('view-look').hidden) compare();
    list.refresh();
  };
  words();
  onLanguage(words);
}

export async function enter() {
  compare();
  const has = studio.recordingsThere();
  $('nearest').disabled = $('blind-begin').disabled = !has || !studio.model();
  $('recordings-card').hidden = !has;
  for (const e of document.querySelectorAll('.needs-data')) e.hidden = has;
  if (studio.model()) await show(studio.address(studio.query()), studio.name(studio.query()));
  if (has && recordings.length === 0) {
    recordings = (await get('/api/recordings')).recordings;
    list.resize(recordings.length);
  }
}
