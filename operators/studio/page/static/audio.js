// Sound: decoding, playing, and the level of what is played.
import { $ } from './dom.js';

let context;
let analyser;
const playing = new Set();

export function audioContext() {
  if (!context) {
    context = new AudioContext({ latencyHint: 'interactive' });
    analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    analyser.connect(context.destination);
    meter();
  }
  if (context.state === 'suspended') context.resume();
  return context;
}

// meter shows the root mean square of what is played; it falls by half in an eighth of a second, so that short sounds are seen.
function meter() {
  const block = new Float32Array(analyser.fftSize);
  let shown = 0;
  let last = performance.now();
  const draw = (now) => {
    analyser.getFloatTimeDomainData(block);
    let sum = 0;
    for (const v of block) sum += v * v;
    const level = Math.max(Math.sqrt(sum / block.length), shown * 0.5 ** (Math.min(now - last, 100) / 125));
    last = now;
    if (level !== shown) $('level').value = level < 1e-5 ? 0 : Math.min(level, 0.5);
    shown = level < 1e-5 ? 0 : level;
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}

// decode returns the samples of a file: of 16-bit WAV at its own rate, of other formats as the browser decodes them.
export async function decode(buffer) {
  return fromWAV(buffer) || audioContext().decodeAudioData(buffer.slice(0));
}

function fromWAV(buffer) {
  const d = new DataView(buffer);
  if (buffer.byteLength < 44 || d.getUint32(0) !== 0x52494646 || d.getUint32(8) !== 0x57415645) return null;
  let format;
  for (let at = 12; at + 8 <= buffer.byteLength;) {
    const id = d.getUint32(at);
    const size = d.getUint32(at + 4, true);
    const from = at + 8;
    if (id === 0x666d7420 && size >= 16) {
      format = { kind: d.getUint16(from, true), channels: d.getUint16(from + 2, true), rate: d.getUint32(from + 4, true), bits: d.getUint16(from + 14, true) };
    } else if (id === 0x64617461) {
      if (!format || format.kind !== 1 || format.bits !== 16 || format.rate < 3000 || format.channels < 1) return null;
      const frames = Math.floor(Math.min(size, buffer.byteLength - from) / 2 / format.channels);
      if (!frames) return null;
      const out = new AudioBuffer({ length: frames, numberOfChannels: format.channels, sampleRate: format.rate });
      for (let c = 0; c < format.channels; c++) {
        const samples = out.getChannelData(c);
        for (let i = 0; i < frames; i++) samples[i] = d.getInt16(from + 2 * (i * format.channels + c), true) / 32768;
      }
      return out;
    }
    at = from + size + (size & 1);
  }
  return null;
}

// toWAV encodes samples as a 16-bit WAV file of one channel.
export function toWAV(buffer) {
  const samples = buffer.getChannelData(0);
  const out = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, s) => [...s].forEach((c, i) => out.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF');
  out.setUint32(4, 36 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  out.setUint32(16, 16, true);
  out.setUint16(20, 1, true);
  out.setUint16(22, 1, true);
  out.setUint32(24, buffer.sampleRate, true);
  out.setUint32(28, 2 * buffer.sampleRate, true);
  out.setUint16(32, 2, true);
  out.setUint16(34, 16, true);
  text(36, 'data');
  out.setUint32(40, 2 * samples.length, true);
  samples.forEach((v, i) => out.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, v)) * 32767, true));
  return out.buffer;
}

// play plays a buffer, from and to in seconds. It returns a handle with the position and stop. With alone, everything else ends.
export function play(buffer, { gain = 1, from = 0, to = buffer.duration, loop = false, alone = true, ended = () => {} } = {}) {
  const c = audioContext();
  if (alone) stopAll();
  const source = c.createBufferSource();
  source.buffer = buffer;
  const volume = c.createGain();
  volume.gain.value = gain;
  source.connect(volume).connect(analyser);
  if (loop) Object.assign(source, { loop: true, loopStart: from, loopEnd: to });
  const begin = c.currentTime;
  const handle = {
    position() {
      const passed = c.currentTime - begin;
      return from + (loop ? passed % Math.max(to - from, 0.01) : Math.min(passed, to - from));
    },
    active: true,
    stop: () => source.stop(),
  };
  source.onended = () => {
    handle.active = false;
    playing.delete(handle);
    ended();
  };
  if (loop) source.start(0, from);
  else source.start(0, from, to - from);
  playing.add(handle);
  return handle;
}

export function stopAll() {
  for (const handle of playing) handle.stop();
  playing.clear();
}

const cache = new Map();
const cached = 96;

// load fetches and decodes a sound, once.
export function load(address) {
  if (!cache.has(address)) {
    const loading = (async () => {
      const response = await fetch(address);
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error || response.statusText);
      return decode(await response.arrayBuffer());
    })();
    loading.catch(() => cache.delete(address));
    cache.set(address, loading);
    if (cache.size > cached) cache.delete(cache.keys().next().value);
  }
  return cache.get(address);
}

export async function playAddress(address, options) {
  audioContext();
  return play(await load(address), options);
}
