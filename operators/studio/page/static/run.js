// The view Run: a pipeline with its operators, dead letters, quarantine and served models.
import { $, fill, guarded, icon, make, notify, number } from './dom.js';
import { t, onLanguage } from './messages.js';
import { follow, get, post, remove } from './api.js';
import { playAddress } from './audio.js';

let unfollow;
let before; // the state before, for rates
let changed;

function rate(stage, now) {
  const was = before?.stages.find((s) => s.name === stage.name);
  const seconds = before ? (Date.parse(now.time) - Date.parse(before.time)) / 1000 : 0;
  return was && seconds > 0 ? Math.max(0, (stage.done - was.done) / seconds) : 0;
}

function show(now) {
  $('bus').hidden = false;
  $('bus-state').textContent = now.connected ? t('bus_connected', { name: now.pipeline }) : t('bus_away', { name: now.pipeline });
  fill($('stages'), ...now.stages.map((s) => {
    const facts = [[t('lag'), s.waiting], [t('in_work'), s.unacked], [t('retries'), Math.max(s.retried, s.redelivered)], [t('done'), s.done]];
    if (s.known) facts.push([t('letters'), s.dead]);
    return make('li', { class: s.waiting > 100 ? 'behind' : '' },
      make('strong', { text: s.name }), ' ', s.known ? make('span', { class: s.ready ? 'badge' : 'badge bad', text: s.ready ? t('ready') : t('not_ready') }) : null,
      make('span', { class: 'sub hint', text: ` ${[s.from, s.to].filter(Boolean).join(' → ')}` }),
      make('dl', { class: 'facts' }, make('dt', { text: t('rate') }), make('dd', { text: t('per_second', { n: number(rate(s, now), 1) }) }),
        ...facts.flatMap(([key, v]) => [make('dt', { text: key }), make('dd', { text: number(v, 0) })])),
      s.known && !s.ready ? make('p', { class: 'hint', text: s.reason }) : null);
  }));
  before = now;
  if (now.connected && now.changed !== changed) {
    changed = now.changed;
    guarded(messages)();
  }
}

function player(address, name) {
  return make('button', { class: 'icon', 'aria-label': t('play_name', { name }), onclick: guarded(() => playAddress(address)) }, icon('play'));
}

const act = (key, action, kind = '') => make('button', { class: `small ${kind}`, text: t(key), onclick: guarded(async () => { notify(''); await action(); await messages(); }) });

// list shows an item for each message. What is shown already stays, with what was typed into it.
function list(id, key, messages, build) {
  const wanted = new Set(messages.map((m) => `${m.number}`));
  for (const item of [...$(id).children]) if (!wanted.has(item.dataset[key])) item.remove();
  const shown = new Map([...$(id).children].map((item) => [item.dataset[key], item]));
  messages.forEach((m, i) => {
    const item = shown.get(`${m.number}`) ?? build(m);
    if ($(id).children[i] !== item) $(id).insertBefore(item, $(id).children[i] ?? null);
  });
}

async function messages() {
  const [{ letters }, { messages: held }] = await Promise.all([get('/api/bus/letters'), get('/api/bus/quarantine')]);
  $('no-letters').hidden = letters.length > 0;
  list('letters', 'letter', letters, (l) => {
    const name = l.source || l.label || `${l.number}`;
    return make('li', { data: { letter: l.number } }, player(`/api/bus/letters/${l.number}/sound`, name),
      make('span', { class: 'grow' }, make('strong', { text: name }), make('span', { class: 'sub', text: `${l.operator} · ${l.label} · ${l.kind}: ${l.reason}` })),
      act('replay', async () => { await post(`/api/bus/letters/${l.number}/replay`); notify(t('replayed', { name })); }),
      act('remove', () => remove(`/api/bus/letters/${l.number}`), 'danger'));
  });
  $('no-quarantine').hidden = held.length > 0;
  list('quarantine', 'held', held, (m) => {
    const name = m.source || m.label;
    const label = make('input', { type: 'text', value: m.label, 'aria-label': t('new_label', { name }) });
    return make('li', { data: { held: m.number } }, player(`/api/bus/quarantine/${m.number}/sound`, name),
      make('span', { class: 'grow' }, make('strong', { text: name }), make('span', { class: 'sub', text: `${m.label} · ${m.rules.join(', ')} · ${m.reason}` })),
      make('span', { class: 'field compact' }, label),
      act('accept', () => post(`/api/bus/quarantine/${m.number}/accept`, { label: label.value === m.label ? '' : label.value })),
      act('drop', () => remove(`/api/bus/quarantine/${m.number}`), 'danger'));
  });
  await versions();
}

const figure = (f) => (f ? `${number(f.value, 3)} (${number(f.low, 3)} – ${number(f.high, 3)})` : '–');

async function versions() {
  const { versions: all } = await get('/api/bus/versions');
  $('no-versions').hidden = all.length > 0;
  $('versions').hidden = all.length === 0;
  const change = (v, key, body, kind) => act(key, () => post(`/api/bus/versions/${encodeURIComponent(v.model)}`, { ...body, version: v.version }), kind);
  const buttons = (v) => {
    if (v.state === 'pinned') return [change(v, 'unpin', { do: 'unpin' })];
    if (v.state === 'served' || v.state === 'trial') return [change(v, 'pin', { do: 'pin' }), change(v, 'rollback', { do: 'rollback' }, 'danger')];
    return [change(v, 'serve', { do: 'serve' })];
  };
  const head = (...keys) => keys.map((k) => make('th', { scope: 'col', class: ['version', 'clips'].includes(k) ? 'num' : '', text: t(k) }));
  fill($('versions'), make('thead', {}, make('tr', {}, ...head('model', 'version', 'state'), make('td'), ...head('clips', 'accuracy', 'distance', 'verdict'))), make('tbody', {}, ...all.map((v) => make('tr', {},
    make('th', { scope: 'row', text: v.model }), make('td', { class: 'num', text: v.version }), make('td', {}, make('span', { class: v.state === 'withdrawn' ? 'badge bad' : 'badge', text: t(`version_${v.state}`) })),
    make('td', {}, make('span', { class: 'buttons' }, ...buttons(v))),
    make('td', { class: 'num', text: v.clips ? number(v.clips, 0) : '–' }), make('td', { text: figure(v.accuracy) }), make('td', { text: figure(v.distance) }), make('td', { text: v.withdrawn?.reason || v.verdict || '' })))));
}

export function begin() {
  onLanguage(() => {
    fill($('letters'));
    fill($('quarantine'));
    if ($('view-run').hidden || !before) return;
    show(before);
    guarded(messages)();
  });
}

export function enter() {
  unfollow?.();
  changed = undefined;
  unfollow = follow('/api/bus/events', { bus: guarded(show) });
}

export function leave() {
  unfollow?.();
  unfollow = null;
}
