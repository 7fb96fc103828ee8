// A SoundView shows a sound as waveform and spectrogram, with a cursor, zoom, and a selection that can be played in a loop.
import { fill, make, number } from './dom.js';
import { t, onLanguage } from './messages.js';
import { play } from './audio.js';

const columns = 480; // frames at most
const range = 80; // dB

// fft transforms re and im in place (Cooley and Tukey 1965).
function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < n; half *= 2) {
    for (let k = 0; k < half; k++) {
      const c = Math.cos((-Math.PI * k) / half);
      const s = Math.sin((-Math.PI * k) / half);
      for (let i = k; i < n; i += 2 * half) {
        const j = i + half;
        const x = re[j] * c - im[j] * s;
        const y = re[j] * s + im[j] * c;
        re[j] = re[i] - x;
        im[j] = im[i] - y;
        re[i] += x;
        im[i] += y;
      }
    }
  }
}

// colour is a map from dark violet over red to yellow, dark to light for every reader.
const stops = [[0, 8, 6, 22], [0.25, 66, 20, 104], [0.5, 166, 45, 96], [0.75, 237, 105, 37], [1, 252, 245, 170]];
const colours = (() => {
  const out = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const v = i / 255;
    const k = Math.min(stops.findIndex((s) => s[0] >= v) || 1, stops.length - 1);
    const [a, b] = [stops[k - 1], stops[k]];
    for (let c = 0; c < 3; c++) out[3 * i + c] = a[c + 1] + ((b[c + 1] - a[c + 1]) * (v - a[0])) / (b[0] - a[0]);
  }
  return out;
})();

// spectrogram draws the samples from..to as a picture of its own size.
export function spectrogram(samples, rate, from, to) {
  const size = rate <= 12000 ? 256 : rate <= 25000 ? 512 : 1024; // samples of a frame: some 30 ms
  const width = Math.max(2, Math.min(columns, Math.floor((to - from) / 8)));
  const height = size / 2;
  const image = new ImageData(width, height);
  const window = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  const db = new Float32Array(width * height);
  let top = -200;
  for (let x = 0; x < width; x++) {
    const middle = from + ((to - from) * (x + 0.5)) / width;
    const first = Math.round(middle - size / 2);
    for (let i = 0; i < size; i++) {
      re[i] = (samples[first + i] || 0) * window[i];
      im[i] = 0;
    }
    fft(re, im);
    for (let k = 0; k < height; k++) {
      const v = 10 * Math.log10(re[k] * re[k] + im[k] * im[k] + 1e-12);
      db[x * height + k] = v;
      if (v > top) top = v;
    }
  }
  for (let x = 0; x < width; x++) {
    for (let k = 0; k < height; k++) {
      const v = Math.max(0, Math.min(255, Math.round((255 * (db[x * height + k] - top + range)) / range)));
      const at = 4 * ((height - 1 - k) * width + x);
      image.data[at] = colours[3 * v];
      image.data[at + 1] = colours[3 * v + 1];
      image.data[at + 2] = colours[3 * v + 2];
      image.data[at + 3] = 255;
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d').putImageData(image, 0, 0);
  return canvas;
}

export class SoundView {
  constructor(parent) {
    this.wave = make('canvas', { class: 'wave', role: 'img' });
    this.spectrum = make('canvas', { class: 'spectrum', role: 'img' });
    this.times = make('div', { class: 'times', 'aria-hidden': 'true' });
    this.cursor = make('div', { class: 'cursor', 'aria-hidden': 'true', hidden: true });
    this.marked = make('div', { class: 'marked', 'aria-hidden': 'true' });
    this.box = make('div', { class: 'canvases' }, this.wave, this.spectrum, this.times, this.marked, this.cursor);
    const button = (key, action) => make('button', { class: 'small', data: { t: key }, text: t(key), onclick: action });
    const slider = (key) => {
      const input = make('input', { type: 'range', min: 0, max: 1, step: 'any', data: { tLabel: key }, 'aria-label': t(key) });
      input.addEventListener('input', () => this.select(+this.first.value, +this.last.value));
      return input;
    };
    this.first = slider('selection_from');
    this.last = slider('selection_to');
    this.first.value = 0;
    this.last.value = 1;
    this.loopBox = make('input', { type: 'checkbox' });
    this.loopBox.addEventListener('change', () => (this.loopBox.checked ? this.play() : this.stop()));
    this.state = make('output', { class: 'hint' });
    this.tools = make('div', { class: 'tools' },
      button('zoom_in', () => this.zoom(0.5)), button('zoom_out', () => this.zoom(2)), button('zoom_all', () => this.reset()),
      make('span', { class: 'range-pair' }, this.first, this.last), button('play_selection', () => this.play()),
      make('label', { class: 'check' }, this.loopBox, make('span', { data: { t: 'loop' }, text: t('loop') })), this.state);
    fill(parent, this.box, this.tools);
    this.reset();
    this.pointer();
    new ResizeObserver(() => this.schedule()).observe(this.box);
    onLanguage(() => this.describe());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.schedule());
  }

  show(buffer, name) {
    this.stop();
    this.buffer = buffer;
    this.name = name;
    this.reset();
  }

  describe() {
    const seconds = this.buffer ? number(this.buffer.duration, 2) : '0';
    this.wave.setAttribute('aria-label', t('waveform_of', { name: this.name || '', seconds }));
    this.spectrum.setAttribute('aria-label', t('spectrogram_of', { name: this.name || '', seconds }));
  }

  reset() {
    this.view = [0, 1];
    this.select(0, 1);
    this.schedule();
  }

  // zoom shows a part of the sound around the selection, as shares of its length.
  zoom(factor) {
    const middle = this.selection[0] > 0 || this.selection[1] < 1 ? (this.selection[0] + this.selection[1]) / 2 : (this.view[0] + this.view[1]) / 2;
    const width = Math.min(1, Math.max(0.01, (this.view[1] - this.view[0]) * factor));
    const from = Math.max(0, Math.min(1 - width, middle - width / 2));
    this.view = [from, from + width];
    this.schedule();
  }

  select(a, b) {
    this.selection = [Math.min(a, b), Math.max(a, b)];
    if (this.selection[1] - this.selection[0] < 0.002) this.selection = [0, 1];
    [this.first.value, this.last.value] = this.selection;
    const d = this.buffer ? this.buffer.duration : 0;
    const [from, to] = this.selection.map((v) => number(v * d, 3));
    this.state.textContent = this.buffer ? t('selected', { from, to }) : '';
    for (const [input, v] of [[this.first, from], [this.last, to]]) input.setAttribute('aria-valuetext', t('seconds', { n: v }));
    this.mark();
  }

  play() {
    if (!this.buffer) return;
    this.stop();
    const [from, to] = this.selection.map((v) => v * this.buffer.duration);
    this.follow(play(this.buffer, { from, to, loop: this.loopBox.checked }));
  }

  stop() {
    if (this.handle?.active) this.handle.stop();
    this.handle = null;
  }

  // follow moves the cursor with what is played.
  follow(handle) {
    this.handle = handle;
    const step = () => {
      const active = this.handle === handle && handle.active && this.buffer;
      this.cursor.hidden = !active;
      if (!active) return;
      this.put(this.cursor, handle.position() / this.buffer.duration);
      requestAnimationFrame(step);
    };
    step();
  }

  put(element, share) {
    const x = (share - this.view[0]) / (this.view[1] - this.view[0]);
    element.style.setProperty('--at', `${(100 * Math.max(0, Math.min(1, x))).toFixed(3)}%`);
  }

  mark() {
    const whole = this.selection[0] === 0 && this.selection[1] === 1;
    this.marked.hidden = whole;
    const part = (v) => Math.max(0, Math.min(1, (v - this.view[0]) / (this.view[1] - this.view[0])));
    this.marked.style.setProperty('--at', `${100 * part(this.selection[0])}%`);
    this.marked.style.setProperty('--width', `${100 * (part(this.selection[1]) - part(this.selection[0]))}%`);
  }

  pointer() {
    let begun = null;
    const share = (e) => {
      const r = this.box.getBoundingClientRect();
      return this.view[0] + (this.view[1] - this.view[0]) * Math.max(0, Math.min(1, (e.clientX - r.left) / r.width));
    };
    this.box.addEventListener('pointerdown', (e) => {
      begun = share(e);
      this.box.setPointerCapture(e.pointerId);
    });
    this.box.addEventListener('pointermove', (e) => begun !== null && this.select(begun, share(e)));
    this.box.addEventListener('pointerup', (e) => {
      if (begun !== null) this.select(begun, share(e));
      begun = null;
    });
    this.box.addEventListener('dblclick', () => this.reset());
  }

  schedule() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    this.describe();
    this.mark();
    const scale = Math.min(devicePixelRatio || 1, 2);
    const area = [this.wave, this.spectrum].map((c) => {
      c.width = Math.max(1, Math.round(c.clientWidth * scale));
      c.height = Math.max(1, Math.round(c.clientHeight * scale));
      return c.getContext('2d');
    });
    if (!this.buffer || this.wave.width < 2) return;
    const samples = this.buffer.getChannelData(0);
    const [from, to] = this.view.map((v) => Math.round(v * samples.length));
    this.drawWave(area[0], samples, from, to);
    area[1].imageSmoothingQuality = 'high';
    area[1].drawImage(spectrogram(samples, this.buffer.sampleRate, from, to), 0, 0, this.spectrum.width, this.spectrum.height);
    const d = this.buffer.duration;
    fill(this.times, ...[0, 0.25, 0.5, 0.75, 1].map((v) => make('span', { text: `${number((this.view[0] + (this.view[1] - this.view[0]) * v) * d, 2)} s` })));
  }

  drawWave(g, samples, from, to) {
    const { width, height } = g.canvas;
    g.clearRect(0, 0, width, height);
    g.fillStyle = getComputedStyle(this.wave).color;
    let peak = 0.05;
    for (let i = from; i < to; i++) peak = Math.max(peak, Math.abs(samples[i]));
    for (let x = 0; x < width; x++) {
      const a = from + Math.floor(((to - from) * x) / width);
      const b = Math.max(a + 1, from + Math.floor(((to - from) * (x + 1)) / width));
      let low = 0;
      let high = 0;
      for (let i = a; i < b; i++) {
        if (samples[i] < low) low = samples[i];
        if (samples[i] > high) high = samples[i];
      }
      const y = height / 2 - (high / peak) * (height / 2 - 2);
      const z = height / 2 - (low / peak) * (height / 2 - 2);
      g.fillRect(x, y, 1, Math.max(1, z - y));
    }
  }
}
