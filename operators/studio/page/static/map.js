// The map of a model's latents: one colour for each label, and a point that sounds when it moves.
import { $ } from './dom.js';
import { get } from './api.js';

export class LatentMap {
  // state has the label and the place x, y; moved is called when the place changes.
  constructor(canvas, state, moved) {
    Object.assign(this, { canvas, state, moved, map: null });
    const move = (e) => {
      if (!this.map || !(e.buttons & 1)) return;
      const r = canvas.getBoundingClientRect();
      const at = (range, share) => Number((range[0] + (range[1] - range[0]) * Math.max(0, Math.min(1, share))).toFixed(3));
      state.x = at(this.map.x, (e.clientX - r.left) / r.width);
      state.y = at(this.map.y, 1 - (e.clientY - r.top) / r.height);
      moved();
    };
    canvas.addEventListener('pointerdown', (e) => {
      canvas.setPointerCapture(e.pointerId);
      move(e);
    });
    canvas.addEventListener('pointermove', move);
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  // open asks for the map of a model that has one.
  async open(model) {
    this.map = model.encodes ? await get('/api/map', { query: new URLSearchParams({ model: model.id }) }).catch(() => null) : null;
    if (!this.map) return;
    for (const key of ['x', 'y']) {
      const [low, high] = this.map[key];
      Object.assign($(key), { min: low, max: high, step: (high - low) / 200 });
      this.state[key] = Math.max(low, Math.min(high, this.state[key]));
      $(key).value = this.state[key];
    }
    this.draw();
  }

  draw() {
    const { canvas, map, state } = this;
    if (!map || !canvas.clientWidth) return;
    const scale = Math.min(devicePixelRatio || 1, 2);
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    const g = canvas.getContext('2d');
    const x = (v) => ((v - map.x[0]) / (map.x[1] - map.x[0])) * canvas.width;
    const y = (v) => (1 - (v - map.y[0]) / (map.y[1] - map.y[0])) * canvas.height;
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    map.labels.forEach((l, i) => {
      const own = l.label === state.label;
      g.fillStyle = `hsl(${(i * 360) / map.labels.length} ${own ? 80 : 45}% ${dark ? 65 : 40}% / ${own ? 1 : 0.45})`;
      for (const p of l.points) {
        g.beginPath();
        g.arc(x(p[0]), y(p[1]), (own ? 4 : 2.5) * scale, 0, 7);
        g.fill();
      }
      const middle = l.points.reduce((m, p) => [m[0] + p[0] / l.points.length, m[1] + p[1] / l.points.length], [0, 0]);
      g.font = `${own ? 700 : 500} ${13 * scale}px system-ui, sans-serif`;
      g.textAlign = 'center';
      g.fillStyle = getComputedStyle(canvas).color;
      g.fillText(l.label, x(middle[0]), y(middle[1]));
    });
    g.strokeStyle = getComputedStyle(canvas).color;
    g.lineWidth = 2 * scale;
    g.beginPath();
    g.arc(x(state.x), y(state.y), 9 * scale, 0, 7);
    g.moveTo(x(state.x) - 15 * scale, y(state.y));
    g.lineTo(x(state.x) + 15 * scale, y(state.y));
    g.moveTo(x(state.x), y(state.y) - 15 * scale);
    g.lineTo(x(state.x), y(state.y) + 15 * scale);
    g.stroke();
  }
}
