// Requests to the server. Every one that changes something has the header that no other site can set.
import { t } from './messages.js';

const header = { 'Wavemill-Studio': '1' };

async function checked(response) {
  if (response.ok) return response;
  let text = response.statusText;
  try {
    text = (await response.json()).error || text;
  } catch { /* The answer is no JSON: its status line has to do. */ }
  throw new Error(text);
}

async function ask(method, path, { query, body, signal } = {}) {
  const options = { method, signal, headers: { ...header } };
  if (body instanceof Blob || body instanceof ArrayBuffer) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(query ? `${path}?${query}` : path, options);
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Error(t('unreachable'));
  }
  return checked(response);
}

export const get = async (path, o) => (await ask('GET', path, o)).json();
export const bytes = async (path, o) => (await ask('GET', path, o)).arrayBuffer();
export const post = async (path, body = {}, o = {}) => {
  const response = await ask('POST', path, { ...o, body });
  return response.status === 204 ? null : response.json();
};
export const put = async (path, body) => (await ask('PUT', path, { body })).json();
export const remove = (path) => ask('DELETE', path);

// follow listens to the events of an address until the returned function is called. The browser connects again by itself;
// where it gives up, because the server answered with an error, another try is made after a second.
export function follow(path, handlers, onState = () => {}) {
  let source;
  let ended = false;
  let timer;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => onState(true);
    source.onerror = () => {
      onState(false);
      if (source.readyState === EventSource.CLOSED && !ended) timer = setTimeout(open, 1000);
    };
    for (const [name, f] of Object.entries(handlers)) source.addEventListener(name, (e) => f(JSON.parse(e.data)));
  };
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}
