// A List shows any number of rows and makes elements only for those in sight.
import { make } from './dom.js';

const height = 40; // of a row, as in the style sheet

export class List {
  // row(i) returns the element of row i.
  constructor(parent, row) {
    this.parent = parent;
    this.row = row;
    this.count = 0;
    this.space = make('div', { class: 'list-space', role: 'list' });
    parent.replaceChildren(this.space);
    this.rows = new Map();
    parent.addEventListener('scroll', () => this.schedule(), { passive: true });
    new ResizeObserver(() => this.schedule()).observe(parent);
  }

  resize(count) {
    this.count = count;
    this.space.style.setProperty('--height', `${count * height}px`);
    this.refresh();
  }

  refresh() {
    for (const e of this.rows.values()) e.remove();
    this.rows.clear();
    this.schedule();
  }

  schedule() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.parent.scrollTop / height) - 4);
    const last = Math.min(this.count, Math.ceil((this.parent.scrollTop + this.parent.clientHeight) / height) + 4);
    for (const [i, e] of this.rows) {
      if (i < first || i >= last) {
        if (e.contains(document.activeElement)) continue; // The focus must not be lost.
        e.remove();
        this.rows.delete(i);
      }
    }
    for (let i = first; i < last; i++) {
      if (this.rows.has(i)) continue;
      const e = this.row(i);
      e.classList.add('list-row');
      e.setAttribute('role', 'listitem');
      e.setAttribute('aria-setsize', this.count);
      e.setAttribute('aria-posinset', i + 1);
      e.style.setProperty('--top', `${i * height}px`);
      this.rows.set(i, e);
      this.space.append(e);
    }
  }
}
