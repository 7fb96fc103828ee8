// A Chart draws the curves of a training: each figure scaled to its own range, so that losses and distances share a picture.
import { fill, make, number } from './dom.js';

const colours = { light: ['#0b6b61', '#9a3d9e', '#b3561b', '#2459b8'], dark: ['#5fd4c3', '#e29be5', '#f0a36b', '#8fb4ff'] };
const preferred = ['train/loss', 'val/loss', 'preview/distance', 'preview/accuracy'];

export class Chart {
  constructor(canvas, legend) {
    Object.assign(this, { canvas, legend, rows: [] });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  // names are the figures that are drawn: four at most.
  names() {
    const all = new Set(this.rows.flatMap((r) => Object.keys(r)).filter((k) => /^(train|val|preview)\//.test(k)));
    const first = preferred.filter((p) => all.has(p));
    return [...first, ...[...all].filter((n) => !first.includes(n))].slice(0, 4);
  }

  draw() {
    const { canvas, rows } = this;
    if (!canvas.clientWidth) return;
    const scale = Math.min(devicePixelRatio || 1, 2);
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    const g = canvas.getContext('2d');
    const palette = colours[matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'];
    const last = Math.max(1, ...rows.map((r) => r.step));
    const names = this.names();
    const pad = 10 * scale;
    names.forEach((name, i) => {
      const points = rows.filter((r) => Number.isFinite(r[name])).map((r) => [r.step, r[name]]);
      const low = Math.min(...points.map((p) => p[1]));
      const high = Math.max(...points.map((p) => p[1]));
      g.strokeStyle = g.fillStyle = palette[i];
      g.lineWidth = 2 * scale;
      g.lineJoin = 'round';
      g.setLineDash([[], [8, 4], [3, 3], [12, 4, 2, 4]][i].map((v) => v * scale)); // Told apart without colours too.
      g.beginPath();
      points.forEach(([step, v], k) => {
        const x = pad + (step / last) * (canvas.width - 2 * pad);
        const y = canvas.height - pad - (high > low ? (v - low) / (high - low) : 0.5) * (canvas.height - 2 * pad);
        if (k) g.lineTo(x, y);
        else g.moveTo(x, y);
        if (points.length < 30) g.fillRect(x - 2 * scale, y - 2 * scale, 4 * scale, 4 * scale);
      });
      g.stroke();
    });
    fill(this.legend, ...names.map((name, i) => {
      const values = rows.filter((r) => Number.isFinite(r[name])).map((r) => r[name]);
      const mark = make('i', { class: `dash-${i}`, 'aria-hidden': 'true' }); // As the line is dashed.
      mark.style.setProperty('--colour', palette[i]);
      return make('span', {}, mark, `${name} ${number(values.at(-1), 3)} (${number(Math.min(...values), 3)} – ${number(Math.max(...values), 3)})`);
    }));
  }
}
