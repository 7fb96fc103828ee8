// Elements are made and filled here. Text is always set as text, so that names of labels and files cannot become markup.
import { t } from './messages.js';

export const $ = (id) => document.getElementById(id);

// make returns an element; properties that begin with "on" are listeners, "data" is its dataset, "aria-…" and others attributes.
export function make(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'text') e.textContent = value;
    else if (name === 'class') e.className = value;
    else if (name === 'data') Object.assign(e.dataset, value);
    else if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((c) => c !== null && c !== undefined));
}

// icon is a small picture inside a button that has a name of its own.
const paths = { play: 'M8 5v14l11-7z', stop: 'M6 6h12v12H6z', close: 'M6 6l12 12M18 6L6 18', pen: 'M4 20l4-1L19 8l-3-3L5 16z' };
export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', paths[name]);
  if (name !== 'close') path.setAttribute('class', 'solid');
  svg.append(path);
  return svg;
}

let timer;
// notify shows a message for a while. Errors stay until the next one.
export function notify(text, isError = false) {
  const n = $('notice');
  n.textContent = text;
  n.hidden = !text;
  n.classList.toggle('error', isError);
  clearTimeout(timer);
  if (text && !isError) timer = setTimeout(() => notify(''), 5000);
}

// denied reports whether the browser, or a person whom it asked, refuses the page the use of a device.
export const denied = (e) => e.name === 'NotAllowedError' || e.name === 'SecurityError';

// guarded runs an action of a control and shows what went wrong.
export function guarded(action) {
  return async (...args) => {
    try {
      return await action(...args);
    } catch (e) {
      if (e.name !== 'AbortError') notify(e.message || t('failed'), true);
      return undefined;
    }
  };
}

export const number = (v, digits = 2) => new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: digits }).format(v);
