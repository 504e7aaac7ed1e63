// The menu on phones, the search, and small helps for reading. All of it works on files opened from the disk.
'use strict';

const top_ = document.body.dataset.top || '';
const element = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
};

// Menu ---------------------------------------------------------------------------------------------------------------
const menu = document.querySelector('button.menu');
menu.addEventListener('click', () => {
  const open = document.body.classList.toggle('menu-open');
  menu.setAttribute('aria-expanded', open);
});
document.querySelector('.sidebar [aria-current]')?.scrollIntoView({block: 'nearest'});

// Search -------------------------------------------------------------------------------------------------------------
const box = document.querySelector('.search input');
const list = document.querySelector('.hits');
const words = () => box.value.toLowerCase().split(/[\s`()]+/).filter(Boolean);

// How well `word` fits `text`: the whole of it, a word of it, the beginning of a word, a part of it, not at all
function fit(text, word) {
  if (text === word) return 8;
  const i = text.indexOf(word);
  if (i < 0) return 0;
  const parts = text.split(/[^\p{L}\p{N}]+/u);
  return parts.includes(word) ? 4 : parts.some(o => o.startsWith(word)) ? 3 : 1;
}

// Every word must occur; in a heading it counts more than in the text. Equal records stay in the sidebar's order.
function score(record, wanted) {
  let sum = 0;
  for (const word of wanted) {
    const page = fit(record.page.toLowerCase(), word);
    const points = 10*fit(record.section.toLowerCase(), word) + (record.section ? 1 : 10)*page
                   + fit(record.text.toLowerCase(), word);
    if (!points) return 0;
    sum += points;
  }
  return sum;
}

function marked(text, wanted) {
  const pattern = new RegExp(`(${wanted.map(o => o.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`, 'giu');
  return text.split(pattern).map((part, i) => i % 2 ? element('mark', {}, part) : part);
}

function excerpt(record, wanted) {
  const found = wanted.map(o => record.text.toLowerCase().indexOf(o)).filter(i => i >= 0);
  const near = Math.max(0, (found.length ? Math.min(...found) : 0) - 50);
  const start = near && record.text.indexOf(' ', near) + 1;
  const end = record.text.indexOf(' ', start + 140);
  return (start ? '… ' : '') + (end < 0 ? record.text.slice(start) : record.text.slice(start, end) + ' …');
}

function hit(record, wanted) {
  const title = element('span', {className: 'where'}, ...marked(record.section || record.page, wanted));
  const page = record.section ? [element('small', {}, record.page)] : [];
  const text = element('p', {}, ...marked(excerpt(record, wanted), wanted));
  return element('li', {}, element('a', {href: top_ + record.url}, title, ...page, text));
}

function search() {
  const wanted = words();
  list.hidden = !wanted.length;
  if (!wanted.length) return;
  const found = window.SEARCH_INDEX.map(record => [score(record, wanted), record]).filter(o => o[0]);
  found.sort((a, b) => b[0] - a[0]);
  const items = found.slice(0, 15).map(o => hit(o[1], wanted));
  list.replaceChildren(...(items.length ? items : [element('li', {className: 'none'}, 'Nothing found')]));
}

function leave() {
  box.value = '';
  search();
  box.blur();
}

// The arrow keys walk from the box through the hits and back
function step(by) {
  const stops = [box, ...list.querySelectorAll('a')];
  const i = stops.indexOf(document.activeElement);
  if (i >= 0) stops[(i + by + stops.length) % stops.length].focus();
}

box.addEventListener('input', search);
list.addEventListener('click', event => { if (event.target.closest('a')) leave(); });
document.addEventListener('click', event => { if (!event.target.closest('.search')) list.hidden = true; });
box.addEventListener('focus', search);
document.addEventListener('keydown', event => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key === '/' && !typing) box.focus();
  else if (event.key === 'Escape' && event.target.closest('.search')) leave();
  else if (event.key === 'ArrowDown' && event.target.closest('.search')) step(1);
  else if (event.key === 'ArrowUp' && event.target.closest('.search')) step(-1);
  else if (event.key === 'Enter' && event.target === box) list.querySelector('a')?.click();
  else return;
  event.preventDefault();
});

// `?q=words` in the address searches at once; the index is loaded after this script
window.addEventListener('DOMContentLoaded', () => {
  box.value = new URLSearchParams(location.search).get('q') || '';
  search();
});

// Reading ------------------------------------------------------------------------------------------------------------
for (const heading of document.querySelectorAll('main :is(h2, h3, h4)[id]')) {
  heading.append(element('a', {className: 'anchor', href: '#' + heading.id, ariaLabel: 'Link to this section'}, '#'));
}

for (const code of document.querySelectorAll('main div.sourceCode')) {
  const button = element('button', {type: 'button', className: 'copy', ariaLabel: 'Copy the code'}, 'Copy');
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(code.querySelector('code').innerText);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  if (navigator.clipboard) code.append(button);
}
