// The messages of the page, in one table for all languages: messages.json.
let table = { en: {} };
let language = 'en';
const listeners = [];

export async function load() {
  table = await (await fetch('/messages.json')).json();
  const wanted = [localStorage.getItem('language'), ...navigator.languages.map((l) => l.slice(0, 2))];
  use(wanted.find((l) => l && table[l]) || 'en');
}

export function use(name) {
  language = table[name] ? name : 'en';
  document.documentElement.lang = language;
  translate(document);
  for (const f of listeners) f();
}

export const current = () => language;
export const onLanguage = (f) => listeners.push(f);

// t returns a message; {name} in it is replaced by the value of that name.
export function t(key, values = {}) {
  const text = table[language][key] ?? table.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

export function translate(root) {
  for (const e of root.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const e of root.querySelectorAll('[data-t-label]')) e.setAttribute('aria-label', t(e.dataset.tLabel));
}
