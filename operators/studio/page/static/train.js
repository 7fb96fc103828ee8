// The view Train: recordings are sent, planned and trained on; curves and previews follow the training.
import { $, fill, guarded, icon, make, number } from './dom.js';
import { t, onLanguage } from './messages.js';
import { follow, get, post, put, remove } from './api.js';
import { playAddress } from './audio.js';
import { recall } from './play.js';
import { Chart } from './chart.js';
import { dropOn } from './play.js';

const cards = new Map(); // of trainings, by id
const atOnce = 4; // files that are sent at a time
let source = '';

// entries lists the files below a dropped folder.
async function entries(entry, path = '') {
  if (entry.isFile) {
    const file = await new Promise((ok, no) => { entry.file(ok, no); });
    return [{ file, path: path + file.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((ok, no) => { reader.readEntries(ok, no); });
    if (!some.length) return found;
    for (const child of some) found.push(...(await entries(child, `${path}${entry.name}/`)));
  }
}

async function dropped(transfer) {
  const roots = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const r of roots) found.push(...(await entries(r)));
  await send(found.length ? found : [...transfer.files].map((file) => ({ file, path: file.name })));
}

const wanted = /\.(wav|wave|flac|ogg|oga|mp3|m4a|aac|opus|aif|aiff|csv|tsv|jsonl|zip)$/i;

// send sends files and shows the plan for them.
async function send(files) {
  const all = files.filter((f) => wanted.test(f.path));
  if (!all.length) throw new Error(t('no_audio'));
  const upload = await post('/api/uploads');
  $('upload-bar').hidden = false;
  let next = 0;
  let sent = 0;
  const worker = async () => {
    while (next < all.length) {
      const { file, path } = all[next++];
      await put(`/api/uploads/${upload.id}/files?${new URLSearchParams({ path })}`, file);
      sent++;
      $('upload-bar').value = sent / all.length;
      if (sent % 25 === 0 || sent === all.length) $('upload-state').textContent = t('sent', { n: sent, all: all.length });
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, worker));
  } finally {
    $('upload-bar').hidden = true;
  }
  source = upload.id;
  await refresh();
  $('train-source').value = source;
  await plan();
}

// plan shows what a training would make of the chosen recordings.
async function plan() {
  $('plan').hidden = true;
  const id = $('train-source').value;
  if (!id) return;
  $('upload-state').textContent = t('planning');
  const q = new URLSearchParams();
  if ($('train-labels').value) q.set('labels', $('train-labels').value);
  const p = await get(`/api/sources/${id}/plan`, { query: q }).catch((e) => { $('upload-state').textContent = ''; throw e; });
  $('upload-state').textContent = '';
  const fact = (key, value) => [make('dt', { text: t(key) }), make('dd', { text: value })];
  const ceiling = p.plan?.ceiling;
  fill($('plan-facts'), ...fact('files', t('used_of', { used: number(p.used, 0), all: number(p.files, 0) })), ...fact('label_rule', p.rule),
    ...fact('labels', p.labels.slice(0, 40).map((l) => `${l.label} (${l.files})`).join(', ') + (p.labels.length > 40 ? ' …' : '')),
    ...(p.plan ? fact('front_end', t('front_end_is', { rate: number(p.plan.front_end.spectrogram.sample_rate, 0), seconds: number(p.plan.seconds, 2) })) : []),
    ...(ceiling ? fact('ceiling', t('ceiling_is', { db: number(ceiling.log_spectral_db, 1), snr: number(ceiling.spectral_snr_db, 1) })) : []));
  fill($('findings'), ...[...p.findings, ...(p.plan?.warnings || [])].map((text) => make('li', { text })));
  $('plan-lines').textContent = p.lines.join('\n');
  $('plan').hidden = false;
}

async function start(e) {
  e.preventDefault();
  if (!$('train-source').value) throw new Error(t('material_first'));
  const made = await post('/api/trainings', {
    name: $('train-name').value, source: $('train-source').value, labels: $('train-labels').value, arch: $('train-arch').value,
    minutes: +$('train-budget').value, seed: Math.max(0, Math.floor(+$('train-seed').value || 0)),
  });
  await refresh();
  cards.get(made.id)?.element.scrollIntoView({ block: 'start' });
}

const active = (v) => v.state === 'running' || v.state === 'preparing';

// A Card shows one training.
class Card {
  constructor(training) {
    this.id = training.id;
    this.rows = [];
    this.title = make('h2');
    this.badge = make('span', { class: 'badge' });
    this.bar = make('progress', { max: 1, value: 0 });
    this.state = make('p', { class: 'hint' });
    this.canvas = make('canvas', { class: 'chart', role: 'img' });
    this.legend = make('div', { class: 'legend' });
    this.chart = new Chart(this.canvas, this.legend);
    this.warnings = make('ul', { class: 'findings' });
    this.previews = make('div', { class: 'previews' });
    this.notes = make('pre');
    const button = (key, name, action) => make('button', { class: name, data: { t: key }, text: t(key), onclick: guarded(action) });
    this.pause = button('pause', '', () => post(`/api/trainings/${this.id}/pause`));
    this.resume = button('resume', '', () => this.goOn());
    this.play = button('play_it', 'primary', () => this.open());
    this.remove = button('remove', 'danger', async () => { await remove(`/api/trainings/${this.id}`); await refresh(); });
    this.more = make('input', { type: 'number', min: 0, step: 'any', value: 0 });
    this.moreField = make('label', { class: 'field compact' }, make('span', { data: { t: 'more_minutes' }, text: t('more_minutes') }), this.more);
    this.element = make('article', { class: 'card', data: { training: this.id } },
      make('div', { class: 'card-head' }, this.title, this.badge, this.play, this.pause, this.moreField, this.resume, this.remove),
      this.bar, this.state, this.canvas, this.legend, this.warnings, make('h3', { data: { t: 'previews' }, text: t('previews') }), this.previews,
      make('details', {}, make('summary', { data: { t: 'details' }, text: t('details') }), this.notes));
    this.update(training);
    this.listen();
  }

  // listen follows the training while it runs. Of others the state is read once: a browser opens six connections to a server.
  listen() {
    this.unlisten();
    this.unfollow = follow(`/api/trainings/${this.id}/events`, {
      training: (v) => {
        const ended = this.training && active(this.training) && !active(v);
        this.update(v);
        if (ended) this.listen(); // The last rows of the curves may have been written since.
        else if (!active(v)) this.unlisten();
      },
      curves: ({ again, rows }) => {
        this.rows = again ? rows : [...this.rows, ...rows];
        this.chart.show(this.rows);
        this.showPreviews();
      },
    });
  }

  unlisten() {
    this.unfollow?.();
    this.unfollow = null;
  }

  close() {
    this.unlisten();
    this.element.remove();
  }

  async goOn() {
    await post(`/api/trainings/${this.id}/resume`, { more: +this.more.value || 0 });
    this.more.value = 0;
    this.listen();
  }

  async open() {
    location.hash = '#play';
    await recall(new URLSearchParams({ model: this.training.model }));
  }

  update(v) {
    const was = this.training?.state;
    this.training = v;
    this.title.textContent = v.name;
    this.badge.textContent = t(`state_${v.state}`);
    this.badge.classList.toggle('bad', v.state === 'failed');
    this.bar.setAttribute('aria-label', t('progress_of', { name: v.name }));
    if (v.state === 'done') this.bar.value = 1;
    else if (v.steps) this.bar.value = v.step / v.steps;
    this.pause.hidden = !active(v);
    this.resume.hidden = this.moreField.hidden = this.remove.hidden = active(v);
    this.play.hidden = !v.model;
    const parts = [v.arch, t('minutes_n', { n: number(v.minutes, 2) })];
    if (v.step) parts.push(v.steps ? t('step_of', { step: number(v.step, 0), steps: number(Math.max(v.step, v.steps), 0) }) : t('step_n', { step: number(v.step, 0) }));
    if (active(v) && v.remaining) parts.push(t('remaining', { n: number(v.remaining, 0) }));
    if (v.status) parts.push(v.status);
    if (v.error) parts.push(v.error);
    this.state.textContent = parts.join(' · ');
    const warnings = v.warnings.map((w) => make('li', { text: `${w.kind}: ${w.saw}. ${t('try')}: ${w.try}` }));
    if (this.shownWarnings !== JSON.stringify(v.warnings)) {
      this.shownWarnings = JSON.stringify(v.warnings);
      fill(this.warnings, ...warnings);
    }
    const text = v.lines.join('\n');
    if (this.notes.textContent !== text) this.notes.textContent = text;
    this.canvas.setAttribute('aria-label', t('curves_of', { name: v.name, status: v.status }));
    if (was && was !== v.state && !active(v)) this.showPreviews();
  }

  async showPreviews() {
    const { previews } = await get(`/api/trainings/${this.id}/previews`).catch(() => ({ previews: [] }));
    const key = previews.map((p) => p.step).join();
    if (key === this.shownPreviews) return;
    this.shownPreviews = key;
    const file = (name) => `/api/trainings/${this.id}/previews/${encodeURIComponent(name)}`;
    fill(this.previews, ...previews.slice(0, 3).flatMap((p) => [
      make('span', { class: 'badge', text: t('step_n', { step: number(p.step, 0) }) }),
      ...p.sounds.filter((s, i, all) => all.findIndex((o) => o.label === s.label) === i).slice(0, 24).map((s) => make('button', {
        class: 'small', 'aria-label': t('play_name', { name: `${s.label}, ${t('step_n', { step: p.step })}` }), onclick: guarded(() => playAddress(file(s.file))),
      }, icon('play'), make('span', { text: s.label }))),
    ]));
  }
}

// refresh asks for the trainings and what can be trained on.
async function refresh() {
  const answer = await get('/api/trainings');
  const names = answer.architectures.map((a) => make('option', { value: a, text: a }));
  if (!$('train-arch').options.length) fill($('train-arch'), ...names);
  const chosen = source || $('train-source').value;
  $('no-trainings').hidden = answer.trainings.length > 0;
  fill($('train-source'), answer.sources.length ? null : make('option', { value: '', text: t('no_source') }), ...answer.sources.map((s) => make('option', { value: s.id, text: s.id === 'data' ? t('source_data') : t('source_upload', { id: s.id.slice(0, 6), n: s.files }) })));
  if (answer.sources.some((s) => s.id === chosen)) $('train-source').value = chosen;
  const there = new Set(answer.trainings.map((v) => v.id));
  for (const [id, card] of cards) {
    if (!there.has(id)) {
      card.close();
      cards.delete(id);
    }
  }
  for (const v of answer.trainings) if (!cards.has(v.id)) cards.set(v.id, new Card(v));
  for (const v of [...answer.trainings].reverse()) $('trainings').prepend(cards.get(v.id).element);
}

export function begin() {
  dropOn($('drop'), dropped);
  const chosen = (input) => guarded(async () => {
    const files = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = '';
    if (files.length) await send(files);
  });
  $('folder').addEventListener('change', chosen($('folder')));
  $('zip-file').addEventListener('change', chosen($('zip-file')));
  $('train-source').addEventListener('change', guarded(() => { source = $('train-source').value; return plan(); }));
  $('train-labels').addEventListener('change', guarded(plan));
  $('train-form').addEventListener('submit', guarded(start));
  onLanguage(() => {
    for (const card of cards.values()) card.update(card.training);
    if (!$('view-train').hidden) guarded(refresh)();
  });
}

export async function enter() {
  for (const card of cards.values()) if (!card.unfollow) card.listen();
  await refresh();
}

// leave ends the event streams.
export function leave() {
  for (const card of cards.values()) card.unlisten();
}
