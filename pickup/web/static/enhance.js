// Comfort only: every page does its work without this file, and the server checks everything again. Texts come from
// the page, so this file needs no translation.

// The criteria of a password, ticked while it is typed (C11). The rules mirror those of package account; their ids and
// numbers come from data attributes. What only the server can tell (data-rule without a rule here) stays a plain circle
// until the server has said.
document.querySelectorAll('form[data-criteria]').forEach((form) => {
  const box = form.querySelector('.criteria');
  const min = Number(box.dataset.min);
  const max = Number(box.dataset.max);
  const long = Number(box.dataset.long);
  const own = box.dataset.own.split(' ').filter(Boolean);
  const value = (name) => form.elements.namedItem(name).value.normalize('NFC');
  const count = (p) => [...p].length;
  const rules = {
    length: (p) => count(p) >= min && count(p) <= max,
    case: (p) => count(p) >= long || (/\p{Lu}/u.test(p) && /\p{Ll}/u.test(p)),
    digit: (p) => count(p) >= long || /[^\p{L}\s]/u.test(p),
    own: (p) => p !== '' && !own.some((w) => p.toLowerCase().includes(w)),
    same: (p) => p !== '' && p === value('password2'),
  };
  const items = [...box.querySelectorAll('[data-rule]')];
  const mark = (li, state) => {
    li.className = state;
    li.querySelector('.mark').replaceChildren(...(state ? [box.querySelector(`template.${state}`).content.cloneNode(true)] : []));
    li.querySelector('.state').textContent = state ? box.dataset[state] : '';
  };
  const show = () => {
    const p = value('password');
    if (p === '' && value('password2') === '') {
      items.forEach((li) => mark(li, ''));
      box.querySelector('[data-tally]').textContent = '';
      return;
    }
    let met = 0;
    let known = 0;
    items.forEach((li) => {
      const rule = rules[li.dataset.rule];
      if (!rule) {
        mark(li, '');
        return;
      }
      const ok = rule(p);
      known += 1;
      met += ok;
      mark(li, ok ? 'met' : 'unmet');
    });
    box.querySelector('[data-tally]').textContent = box.dataset.tally.replace('{met}', met).replace('{all}', known);
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

// Filters the questions of the help page while one types (B17); without script the form asks the server.
document.querySelectorAll('form[data-filter]').forEach((form) => {
  const parts = [...document.querySelectorAll(`.${form.dataset.filter} > section`)];
  const found = form.querySelector('[data-found]');
  form.addEventListener('input', () => {
    const q = form.elements.namedItem('q').value.trim().toLowerCase();
    const hits = parts.filter((s) => !(s.hidden = !s.textContent.toLowerCase().includes(q)));
    found.textContent = q ? found.dataset.found.replace('{n}', hits.length).replace('{all}', parts.length) : '';
  });
});

// Says before the upload that the chosen files are too many or too large.
document.querySelectorAll('input[type="file"][data-max-bytes]').forEach((input) => {
  const warning = document.getElementById(input.dataset.warning);
  input.addEventListener('change', () => {
    const files = [...input.files];
    const size = files.reduce((sum, f) => sum + f.size, 0);
    const bad = files.length > Number(input.dataset.maxFiles) || size > Number(input.dataset.maxBytes);
    warning.hidden = !bad;
    input.toggleAttribute('aria-invalid', bad);
  });
});

// The error summary takes the focus, so that it is read first.
document.querySelector('.summary')?.focus();
