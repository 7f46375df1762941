// Which claims are shown?  Those with every word of the search, and with one of the verdicts that are pressed, if any is.
// The filter stands in the address, #words=sigmoid&verdicts=half,false; so does a claim, #P4, which is shown in any case.

const form = document.querySelector('form'), words = document.getElementById('words'), count = document.getElementById('count');
const toggles = [...form.querySelectorAll('[aria-pressed]')];
const claims = [...document.querySelectorAll('article')].map((at) => ({ at, text: at.textContent.toLowerCase() }));
const links = [...document.querySelectorAll('nav a')];
const pressed = () => toggles.filter((one) => one.getAttribute('aria-pressed') === 'true').map((one) => one.value);

function show() {
  const wanted = words.value.toLowerCase().split(/\s+/), verdicts = pressed();
  claims.forEach(({ at, text }, k) => {
    at.hidden = links[k].hidden = !wanted.every((word) => text.includes(word)) || (verdicts.length > 0 && !verdicts.includes(at.dataset.verdict));
  });
  const shown = claims.filter(({ at }) => !at.hidden).length;
  count.textContent = `${shown} of ${claims.length} claims`;
  document.getElementById('all').hidden = shown === claims.length;
}

function changed() {
  const state = new URLSearchParams();
  if (words.value) state.set('words', words.value);
  if (pressed().length) state.set('verdicts', pressed().join(','));
  history.replaceState(null, '', `#${state}`);
  show();
}

function set(text, verdicts) {
  words.value = text;
  for (const one of toggles) one.setAttribute('aria-pressed', verdicts.includes(one.value));
  show();
}

function arrived() {
  const hash = location.hash.slice(1), place = document.getElementById(hash), state = new URLSearchParams(hash);
  if (!place) set(state.get('words') ?? '', (state.get('verdicts') ?? '').split(','));
  else if (place.hidden) {
    set('', []);
    place.scrollIntoView();
  }
}

for (const one of toggles) one.addEventListener('click', () => {
  one.setAttribute('aria-pressed', one.getAttribute('aria-pressed') !== 'true');
  changed();
});
words.addEventListener('input', changed);
form.addEventListener('submit', (event) => event.preventDefault());
form.addEventListener('reset', (event) => { event.preventDefault(); set('', []); changed(); words.focus(); });
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target === words || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  words.focus();
});
addEventListener('hashchange', arrived);
form.hidden = false;
show();
arrived();
