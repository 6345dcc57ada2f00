// Comfort only: every page does its work without this file, and the server checks everything again. Texts come from
// the page, so this file needs no translation.

// The criteria of a password, ticked while it is typed (C11). The rules mirror those of package account; their ids,
// numbers and words come from data attributes. Two of them the server judges better: often used passwords are known here
// by a hash and from the least length on, and the guesses are a careful estimate, so that what is ticked here passes
// there.
document.querySelectorAll('form[data-criteria]').forEach((form) => {
  const box = form.querySelector('.criteria');
  const min = Number(box.dataset.min);
  const max = Number(box.dataset.max);
  const long = Number(box.dataset.long);
  const bits = Number(box.dataset.bits);
  const own = box.dataset.own.split(' ').filter(Boolean);
  const common = new Set(box.dataset.common.split(' '));
  const value = (name) => form.elements.namedItem(name).value.normalize('NFC');
  const count = (p) => [...p].length;
  const words = () => (form.elements.namedItem('email')?.value ?? '').normalize('NFC').toLowerCase().split(/[^\p{L}\p{Nd}]+/u).filter((w) => count(w) >= 4);
  const kind = (c) => (/\p{Lu}/u.test(c) ? 'A' : /\p{L}/u.test(c) ? 'a' : /\p{N}/u.test(c) ? '0' : '!');
  const fnv = (p) => [...p].reduce((h, c) => Math.imul(h ^ c.codePointAt(0), 16777619) >>> 0, 2166136261).toString(16);
  // Every character that goes on with a run (abc, 321) or repeats one of the three before it counts for nothing, and so
  // does a year; a change of the kind of character counts extra.
  const estimate = (p) => {
    const chars = [...p.toLowerCase().replace(/(19|20)\d\d/g, '#')];
    const plain = chars.filter((c, i) => {
      const step = i > 0 && c.codePointAt(0) - chars[i - 1].codePointAt(0);
      return !(i > 0 && Math.abs(step) <= 1) && !chars.slice(Math.max(0, i - 3), i).includes(c);
    });
    if (new Set(chars).size < 5) return 0;
    const typed = [...p];
    const turns = typed.filter((c, i) => i > 0 && kind(c) !== kind(typed[i - 1])).length;
    return plain.length * 2.2 + Math.min(turns, plain.length) * 1.5;
  };
  const rules = {
    length: (p) => count(p) >= min && count(p) <= max,
    case: (p) => count(p) >= long || (/\p{Lu}/u.test(p) && /\p{Ll}/u.test(p)),
    digit: (p) => count(p) >= long || /[^\p{L}\s]/u.test(p),
    own: (p) => p !== '' && ![...own, ...words()].some((w) => p.toLowerCase().includes(w)),
    common: (p) => count(p) >= min && !common.has(fnv(p.toLowerCase())),
    guess: (p) => rules.own(p) && estimate(p) >= bits,
    same: (p) => p !== '' && p === value('password2'),
  };
  const items = [...box.querySelectorAll('[data-rule]')];
  const tally = box.querySelector('[data-tally]');
  const say = (text) => { // a screen reader says it again even if nothing but the node changed
    if (tally.textContent !== text) tally.textContent = text;
  };
  const mark = (li, state) => {
    li.className = state;
    li.querySelector('.mark').replaceChildren(...(state ? [box.querySelector(`template.${state}`).content.cloneNode(true)] : []));
    li.querySelector('.state').textContent = state ? box.dataset[state] : '';
  };
  const show = () => {
    const p = value('password');
    if (p === '' && value('password2') === '') {
      items.forEach((li) => mark(li, ''));
      say('');
      return;
    }
    let met = 0;
    items.forEach((li) => {
      const ok = rules[li.dataset.rule](p);
      met += ok;
      mark(li, ok ? 'met' : 'unmet');
    });
    say(box.dataset.tally.replace('{met}', met).replace('{all}', items.length));
  };
  form.addEventListener('input', show);
});

// Copies the facts for the help desk (C7).
document.querySelectorAll('[data-copy]').forEach((button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.parentElement.querySelector('[data-copied]').textContent = button.dataset.done;
  });
});

// Filters the questions of the help page while one types (B17); without script the form asks the server. Headings and
// contents without an answer go with them.
document.querySelectorAll('form[data-filter]').forEach((form) => {
  const faq = document.querySelector(`.${form.dataset.filter}`);
  const parts = [...faq.querySelectorAll(':scope > section')];
  const found = form.querySelector('[data-found]');
  const hideEmpty = () => {
    let some = false;
    [...faq.children].reverse().forEach((el) => {
      if (el.matches('section')) some = some || !el.hidden;
      else if (el.matches('h2')) {
        el.hidden = !some;
        for (let n = el.nextElementSibling; n && !n.matches('h2'); n = n.nextElementSibling) if (n.matches('.top')) n.hidden = !some;
        some = false;
      }
    });
    document.querySelectorAll('[data-contents] a').forEach((a) => {
      a.parentElement.hidden = document.getElementById(a.hash.slice(1)).hidden;
    });
  };
  form.addEventListener('input', () => {
    const words = form.elements.namedItem('q').value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = (s) => words.every((w) => s.textContent.toLowerCase().includes(w));
    const hits = parts.filter((s) => !(s.hidden = !holds(s)));
    found.textContent = words.length ? found.dataset.found.replace('{n}', hits.length).replace('{all}', parts.length) : '';
    hideEmpty();
  });
});

// Says before the upload that the chosen files are too many or too large, and spares the reader the wait for it.
document.querySelectorAll('input[type="file"][data-max-bytes]').forEach((input) => {
  const warning = document.getElementById(input.dataset.warning);
  const described = input.getAttribute('aria-describedby');
  input.addEventListener('change', () => {
    const files = [...input.files];
    const size = files.reduce((sum, f) => sum + f.size, 0);
    const bad = files.length > Number(input.dataset.maxFiles) || size > Number(input.dataset.maxBytes);
    warning.hidden = !bad;
    input.setAttribute('aria-invalid', bad);
    input.setAttribute('aria-describedby', bad ? `${described} ${warning.id}` : described);
  });
  input.form.addEventListener('submit', (e) => {
    if (warning.hidden) return;
    e.preventDefault();
    input.focus();
  });
});

// A text that was not sent is not lost by leaving the page unasked, and is not sent twice by pressing twice.
document.querySelectorAll('form[data-unsent]').forEach((form) => {
  const text = form.elements.namedItem('text');
  const twice = 3000; // ms; afterwards somebody means it, say after stopping the upload
  let sent = -Infinity;
  let leaving = false;
  form.addEventListener('submit', (e) => {
    if (e.defaultPrevented) return;
    if (e.timeStamp - sent < twice) e.preventDefault();
    else sent = e.timeStamp;
    leaving = true;
  });
  form.querySelector('[data-discard]').addEventListener('click', () => { leaving = true; });
  window.addEventListener('pageshow', () => { leaving = false; });
  window.addEventListener('beforeunload', (e) => {
    if (!leaving && text.value.trim() !== '') e.preventDefault();
  });
});

// The error summary takes the focus, so that it is read first.
document.querySelector('.summary')?.focus();
