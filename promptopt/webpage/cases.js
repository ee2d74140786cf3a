// The cases: search, filters, order, a list of which only the rows in sight exist, and one case with its answers.

const STATES = {
  p: ["✓", "pass", "good"], f: ["✗", "fail", "bad"], e: ["!", "no answer", "mixed"],
  b: ["?", "scorer broke", "mixed"], u: ["–", "not judged", "unclear"],
};
const FILTERS = {
  all: "All", results: "Results differ", answers: "Answers differ", failures: "Failures", every: "Fail with all", errors: "Errors", cut: "Cut off",
};
const PRINTED = 100, EXCERPT = 160, PIECE = 20000, SPARE_ROWS = 6, MOST_COLUMNS = 5, REPEATS_SHOWN = 3;

function measureText(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "percent") return `${(value * 100).toFixed(1)}%`;
  if (unit === "dollars") return `$${value.toFixed(value >= 100 ? 2 : 4)}`;
  return value.toLocaleString("en", { maximumFractionDigits: 1 });
}

function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

class Cases {
  constructor(place, data) {
    Object.assign(this, { place, data, state: {}, index: null, rows: [], at: -1 });
    this.starts = [];
    let trial = 0;
    for (const repeats of data.repeats) {
      this.starts.push(trial);
      trial += repeats;
    }
    this.flags = data.names.map((_, number) => this.flagsOf(number));
    this.build();
    this.read();
    addEventListener("hashchange", () => this.read());
    addEventListener("keydown", (event) => this.press(event));
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => this.printed.replaceChildren());
  }

  trials(number) {
    return Array.from({ length: this.data.repeats[number] }, (_, at) => this.starts[number] + at);
  }

  flagsOf(number) {
    const first = this.starts[number], last = first + this.data.repeats[number], [one] = this.data.answers;
    const found = { all: true, every: last > first };
    for (const answers of this.data.answers) {
      for (let trial = first; trial < last; trial++) {
        const state = answers.states[trial];
        if (state === "f") found.failures = true;
        if (state === "p" || state === "u") found.every = false;
        if (state === "e" || state === "b") found.errors = true;
        if (answers.endings[trial] === "length") found.cut = true;
        if (state !== one.states[trial]) found.results = true;
        if (answers.texts[trial] !== one.texts[trial]) found.answers = true;
      }
    }
    return found;
  }

  build() {
    const many = this.data.answers.length > 1;
    const kinds = Object.keys(FILTERS).filter((kind) => many || !["results", "answers", "every"].includes(kind));
    const counts = Object.fromEntries(kinds.map((kind) => [kind, this.flags.filter((flags) => flags[kind]).length]));
    this.buttons = kinds.map((kind) => element(
      "button", { type: "button", "data-filter": kind, disabled: !counts[kind] && kind !== "all", onclick: () => this.set({ filter: kind }) },
      `${FILTERS[kind]} `, element("span", { class: "count" }, counts[kind].toLocaleString("en")),
    ));
    this.search = element("input", { type: "search", placeholder: "Search names, inputs, answers  ( / )", "aria-label": "Search in cases", spellcheck: "false" });
    let waiting;
    this.search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.set({ q: this.search.value }), 120);
    });
    this.order = element("select", { "aria-label": "Order", onchange: () => this.set({ sort: this.order.value }) }, ...this.orders());
    this.found = element("p", { class: "found note", role: "status" });
    this.sizer = element("div", { class: "sizer", role: "rowgroup" });
    this.list = element("div", {
      class: "list", role: "grid", tabindex: "0", "aria-label": this.data.title, "aria-describedby": "keys", onscroll: () => this.paint(),
    }, this.sizer);
    this.printed = element("div", { class: "printed" });
    this.place.replaceChildren(
      element("div", { class: "filters", role: "group", "aria-label": "Filter" }, ...this.buttons),
      element("div", { class: "tools" }, this.search, this.order), this.found, this.list,
      element("p", { class: "note keys", id: "keys" }, "Keys: / search, ↑ ↓ or k j move, Enter opens, ← → next case, Esc closes."),
      this.printed,
    );
    this.dialog = element("dialog", { "aria-labelledby": "case-name", onclose: () => this.set({ case: "" }) });
    document.body.append(this.dialog);
    new ResizeObserver(() => this.paint()).observe(this.list);
  }

  orders() {
    const options = [element("option", { value: "" }, "Order of the suite"), element("option", { value: "name" }, "Name")];
    this.data.metrics.forEach(([name], metric) => {
      const add = (value, text) => options.push(element("option", { value }, text));
      const group = (which, label) => {
        add(`${metric}.${which}.up`, `${visible(name)}, ${label}: lowest first`);
        add(`${metric}.${which}.down`, `${visible(name)}, ${label}: highest first`);
      };
      this.data.answers.forEach((answers, which) => group(which, visible(answers.label)));
      if (this.data.answers.length > 1) add(`${metric}.d.down`, `${visible(name)}: largest difference first`);
    });
    if (this.data.repeats.some((repeats) => repeats > 1)) options.push(element("option", { value: "agree" }, "Agreement of repetitions: lowest first"));
    return options;
  }

  /** What the address says; the list follows. */
  read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const wanted = { filter: given.get("filter") || "all", q: given.get("q") || "", sort: given.get("sort") || "", case: given.get("case") || "", only: given.get("only") || "" };
    if (!(wanted.filter in FILTERS)) wanted.filter = "all";
    const before = this.state;
    this.state = wanted;
    if (this.search.value !== wanted.q) this.search.value = wanted.q;
    this.order.value = wanted.sort;
    if (this.order.selectedIndex < 0) this.order.value = "";
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.filter === wanted.filter));
    if (["filter", "q", "sort"].some((name) => before[name] !== wanted[name])) this.choose();
    if (wanted.case !== before.case || wanted.only !== before.only) this.open(wanted.case);
  }

  /** Changes what is looked at, and so the address. */
  set(changes) {
    const wanted = { ...this.state, ...changes };
    if (Object.keys(wanted).every((name) => wanted[name] === this.state[name])) return;
    const kept = Object.entries(wanted).filter(([name, value]) => value && !(name === "filter" && value === "all"));
    const hash = new URLSearchParams(kept).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    this.read();
  }

  /** The text that is searched, made when somebody first searches. */
  texts() {
    this.index ||= this.data.names.map((name, number) => {
      const answers = this.data.answers.flatMap((each) => this.trials(number).map((trial) => `${each.texts[trial]}\n${each.said[trial]}`));
      return [name, this.data.inputs[number], this.data.notes[number], ...answers].join("\n").toLowerCase();
    });
    return this.index;
  }

  choose() {
    const { filter, q, sort } = this.state, wanted = q.trim().toLowerCase();
    const texts = wanted ? this.texts() : null;
    this.rows = [];
    for (let number = 0; number < this.flags.length; number++) {
      if (this.flags[number][filter] && (!texts || texts[number].includes(wanted))) this.rows.push(number);
    }
    if (sort) this.arrange(sort);
    this.at = this.rows.length ? 0 : -1;
    this.found.textContent = `${this.rows.length.toLocaleString("en")} of ${this.flags.length.toLocaleString("en")} cases`;
    this.list.scrollTop = 0;
    this.paint();
  }

  arrange(sort) {
    if (sort === "name") {
      const order = new Intl.Collator("en", { numeric: true });
      this.rows.sort((a, b) => order.compare(this.data.names[a], this.data.names[b]));
      return;
    }
    const [metric, which, direction] = sort.split(".");
    const value = sort === "agree" ? (number) => Math.min(...this.data.answers.map((answers) => this.agreement(answers, number)))
      : which === "d" ? (number) => this.spread(metric, number) : (number) => this.value(this.data.answers[which], metric, number);
    const sign = direction === "down" ? -1 : 1;
    const keys = new Map(this.rows.map((number) => [number, value(number)]));
    // What is not known comes last in either direction.
    this.rows.sort((a, b) => {
      const one = keys.get(a), other = keys.get(b);
      return one === other ? a - b : one === null ? 1 : other === null ? -1 : sign * (one - other);
    });
  }

  value(answers, metric, number) {
    return mean(this.trials(number).map((trial) => answers.measures[metric][trial]));
  }

  spread(metric, number) {
    const values = this.data.answers.map((answers) => this.value(answers, metric, number)).filter((value) => value !== null);
    return values.length > 1 ? Math.max(...values) - Math.min(...values) : null;
  }

  /** The most frequent answer, and the share of the repetitions that gave it. */
  mostFrequent(answers, number) {
    const counts = new Map();
    let best = "", most = 0;
    for (const trial of this.trials(number)) {
      const text = answers.texts[trial], count = (counts.get(text) || 0) + 1;
      counts.set(text, count);
      if (count > most) [best, most] = [text, count];
    }
    return [best, most];
  }

  agreement(answers, number) {
    return this.mostFrequent(answers, number)[1] / Math.max(1, this.data.repeats[number]);
  }

  /** Pass or fail in a word and a colour; of repetitions how many passed. */
  mark(answers, number) {
    const trials = this.trials(number), states = trials.map((trial) => answers.states[trial]);
    const [sign, word, tone] = STATES[states.every((state) => state === states[0]) ? states[0] ?? "u" : "f"];
    const passed = states.filter((state) => state === "p").length;
    const text = trials.length > 1 ? `${passed}/${trials.length} pass` : word;
    const mixed = new Set(states).size > 1;
    const cut = trials.some((trial) => answers.endings[trial] === "length");
    return element("span", { class: `state ${mixed ? "mixed" : tone}` }, `${mixed ? "±" : sign} ${text}${cut ? ", cut off" : ""}`);
  }

  paint() {
    // A variant more is a line more where columns do not fit beside each other.
    const columns = this.columns().length, narrow = this.list.clientWidth < 200 + 180 * columns;
    const height = narrow ? 34 + 24 * columns : 62;
    this.list.classList.toggle("narrow", narrow);
    this.list.style.setProperty("--variants", columns);
    this.list.style.setProperty("--row", `${height}px`);
    this.list.setAttribute("aria-rowcount", this.rows.length);
    this.list.style.maxHeight = `${this.flags.length * height + 2}px`;
    this.sizer.style.height = `${this.rows.length * height}px`;
    this.height = height;
    const first = Math.max(0, Math.floor(this.list.scrollTop / height) - SPARE_ROWS);
    const last = Math.min(this.rows.length, Math.ceil((this.list.scrollTop + this.list.clientHeight) / height) + SPARE_ROWS);
    const rows = [];
    for (let at = first; at < last; at++) rows.push(this.row(at));
    this.sizer.replaceChildren(...rows);
    if (this.at >= first && this.at < last) this.list.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.list.removeAttribute("aria-activedescendant");
  }

  /** The answers that a row shows: of many variants the first one, beside how many pass. */
  columns() {
    return this.data.answers.length > MOST_COLUMNS ? this.data.answers.slice(0, 1) : this.data.answers;
  }

  /** How many of many variants pass a case in all its repetitions. */
  tally(number) {
    const { answers } = this.data, all = (each) => this.trials(number).every((trial) => each.states[trial] === "p");
    return `${answers.filter(all).length} of ${answers.length} variants pass`;
  }

  row(at) {
    const number = this.rows[at], { data } = this;
    const row = element("div", { class: at === this.at ? "row at" : "row", role: "row", id: `row-${at}`, "aria-rowindex": at + 1, onclick: () => this.go(at) },
      element("div", { role: "gridcell", class: "name" }, element("b", {}, shown(data.names[number].slice(0, EXCERPT))), element("span", { class: "excerpt" }, shown(data.inputs[number].slice(0, EXCERPT)))));
    row.style.transform = `translateY(${at * this.height}px)`;
    for (const answers of this.columns()) {
      const [text, most] = this.mostFrequent(answers, number), repeats = data.repeats[number];
      row.append(element("div", { role: "gridcell", class: "answer" },
        element("span", { class: "head" }, element("span", { class: "label" }, shown(answers.label)), this.mark(answers, number), repeats > 1 ? element("span", { class: "agree" }, `${most} of ${repeats} alike`) : null,
          data.answers.length > MOST_COLUMNS ? element("span", { class: "agree" }, this.tally(number)) : null),
        element("span", { class: "excerpt", dir: "auto" }, shown(text.slice(0, EXCERPT)))));
    }
    return row;
  }

  go(at) {
    this.at = at;
    this.set({ case: this.key(this.rows[at]) });
    this.paint();
  }

  move(step) {
    if (!this.rows.length) return;
    this.at = Math.min(this.rows.length - 1, Math.max(0, this.at + step));
    const top = this.at * this.height, { scrollTop, clientHeight } = this.list;
    if (top < scrollTop) this.list.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.list.scrollTop = top + this.height - clientHeight;
    if (this.dialog.open) this.go(this.at);
    else this.paint();
  }

  press(event) {
    const typing = event.target.matches("input, select, textarea");
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "/" && !typing && !this.dialog.open) {
      event.preventDefault();
      this.search.focus();
    } else if (typing) {
      if (event.target === this.search && ["Enter", "ArrowDown"].includes(event.key)) this.list.focus();
    } else if (this.dialog.open) {
      if (event.key === "ArrowRight" || event.key === "j") this.move(1);
      if (event.key === "ArrowLeft" || event.key === "k") this.move(-1);
    } else if (document.activeElement === this.list) this.listKey(event);
  }

  listKey(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) && event.key !== "Enter") return;
    // Otherwise the same key would press the button that a case opens with.
    event.preventDefault();
    if (event.key in steps) this.move(steps[event.key]);
    else if (this.at >= 0) this.go(this.at);
  }

  /** What the address calls a case. It cannot hold half of a surrogate pair, and an empty name says nothing. */
  key(number) {
    return wellFormed(this.data.names[number]) || `#${number + 1}`;
  }

  open(name) {
    const number = name ? this.data.names.findIndex((_, at) => this.key(at) === name) : -1;
    if (number < 0) {
      if (this.dialog.open) {
        this.dialog.close();
        this.list.focus();
      }
      return;
    }
    const at = this.rows.indexOf(number);
    if (at >= 0) this.at = at;
    this.dialog.replaceChildren(...this.detail(number));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  }

  detail(number) {
    const { data } = this, only = element("input", { type: "checkbox", id: "only", checked: Boolean(this.state.only), onchange: () => this.set({ only: only.checked ? "1" : "" }) });
    const button = (text, label, action, off = false) => element("button", { type: "button", "aria-label": label, disabled: off, onclick: action }, text);
    const place = this.rows.includes(number) ? `${(this.at + 1).toLocaleString("en")} of ${this.rows.length.toLocaleString("en")}` : "";
    return [
      element("div", { class: "bar" },
        element("h3", { id: "case-name" }, shown(data.names[number] || `case ${number + 1}`)), element("span", { class: "note" }, place),
        button("←", "Previous case", () => this.move(-1), this.at <= 0), button("→", "Next case", () => this.move(1), this.at >= this.rows.length - 1), button("✕", "Close", () => this.dialog.close())),
      data.inputs[number] ? element("details", { open: true }, element("summary", {}, "Input"), longText(data.inputs[number], [])) : null,
      data.notes[number] ? element("p", { class: "note" }, shown(data.notes[number])) : null,
      data.answers.length > 1 ? element("p", { class: "only" }, only, element("label", { for: "only" }, ` Only where they differ from ${visible(data.answers[0].label)}`)) : null,
      ...this.repetitions(number),
    ].filter((part) => part !== null);
  }

  /** The first repetitions of a case; the others come when asked for. */
  repetitions(number) {
    const trials = this.trials(number), make = (trial, repeat) => this.trial(number, trial, repeat);
    const found = trials.slice(0, REPEATS_SHOWN).map(make), left = trials.length - found.length;
    if (left <= 0) return found;
    const rest = () => more.replaceWith(...trials.slice(REPEATS_SHOWN).map((trial, at) => make(trial, REPEATS_SHOWN + at)));
    const more = element("button", { type: "button", onclick: rest }, `Show ${left === 1 ? "one more repetition" : `${left.toLocaleString("en")} more repetitions`}`);
    return [...found, more];
  }

  trial(number, trial, repeat) {
    const [first, ...others] = this.data.answers, only = Boolean(this.state.only), several = this.data.repeats[number] > 1;
    const short = (text) => text.slice(0, PIECE);
    const sides = others.map((answers) => differences(short(first.texts[trial]), short(answers.texts[trial])));
    const stretches = others.length === 1 ? [sides[0][0], sides[0][1]] : [null, ...sides.map((side) => side[1])];
    const cards = this.data.answers.map((answers, which) => this.card(answers, trial, stretches[which], only && others.length > 0, several));
    const heading = several ? element("h4", {}, `Repetition ${repeat + 1}`) : null;
    return element("div", { class: "trial" }, heading || "", element("div", { class: "cards" }, ...cards));
  }

  card(answers, trial, stretches, only, several) {
    const [sign, word, tone] = STATES[answers.states[trial]], { metrics, asserts } = this.data;
    const ending = answers.endings[trial];
    const measures = metrics.map(([name, unit], at) => element("span", {}, `${visible(name)} `, element("b", {}, measureText(answers.measures[at][trial], unit))));
    const scores = (answers.scores[trial] || []).map(([which, value, passed, why]) => element("li", {},
      element("span", { class: `state ${["bad", "good", "mixed"][passed]}` }, ["✗", "✓", "?"][passed]), " ", shown(asserts[which]),
      Number.isInteger(value) ? "" : ` ${value.toFixed(2)}`, why ? element("span", { class: "note" }, " ", shown(why)) : ""));
    return element("article", { class: "card" },
      element(several ? "h5" : "h4", {}, shown(answers.label), " ", element("span", { class: `state ${tone}` }, `${sign} ${word}`), ending ? element("span", { class: "note" }, ` ${ending === "length" ? "cut off" : visible(ending)}`) : ""),
      longText(answers.texts[trial], stretches, only),
      answers.said[trial] && !(answers.scores[trial] || []).some((score) => score[3] === answers.said[trial]) ? element("p", { class: "said" }, shown(answers.said[trial])) : "",
      scores.length ? element("ul", { class: "scores" }, ...scores) : "",
      element("p", { class: "measures note" }, ...measures));
  }

  /** Paper has no scrolling: the first rows with their answers, and how many are left out. */
  print() {
    const rows = this.rows.slice(0, PRINTED), { data } = this, left = this.rows.length - rows.length;
    const head = element("tr", {}, element("th", {}, "case"), ...this.columns().map((answers) => element("th", {}, shown(answers.label))));
    const body = rows.map((number) => element("tr", {},
      element("td", {}, element("b", {}, shown(data.names[number]))),
      ...this.columns().map((answers) => element("td", {}, this.mark(answers, number), " ", shown(this.mostFrequent(answers, number)[0].slice(0, 200))))));
    this.printed.replaceChildren(
      element("p", { class: "note" }, `${this.found.textContent}${left > 0 ? `; the first ${PRINTED} are printed: filter before you print` : ""}`),
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
  }
}

function wellFormed(text) {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

/** A text with its marked stretches; a very long one in pieces, the next of which comes when asked for. */
function longText(text, stretches, only = false) {
  const box = element("div", { class: "long", dir: "auto", tabindex: "0", role: "group", "aria-label": "Text" });
  const piece = element("div", {});
  if (stretches && stretches.length) piece.append(...stretches.map(([part, kind]) => stretch(part, kind, only)));
  else piece.append(only && stretches ? "" : shown(text.slice(0, PIECE)));
  box.append(piece);
  if (!text) piece.append(element("span", { class: "note" }, "(empty)"));
  let at = PIECE;
  if (text.length > at) {
    const more = element("button", { type: "button" });
    const label = () => { more.textContent = `Show more (${(text.length - at).toLocaleString("en")} of ${text.length.toLocaleString("en")} characters are left)`; };
    more.addEventListener("click", () => {
      more.before(element("div", {}, shown(text.slice(at, at + PIECE))));
      at += PIECE;
      if (at >= text.length) more.remove();
      else label();
    });
    label();
    box.append(more);
  }
  return box;
}

function stretch(part, kind, only) {
  if (kind === "old") return element("del", {}, shown(part));
  if (kind === "new") return element("ins", {}, shown(part));
  if (!only || part.length < 40) return shown(part);
  const words = part.trim().split(/\s+/).length;
  return element("span", { class: "gap" }, ` … ${words.toLocaleString("en")} words the same … `);
}
