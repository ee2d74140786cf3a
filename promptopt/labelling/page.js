"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const store = "promptopt-label " + data.suite + " " + data.id;
const labelNames = data.scored ? ["0", "0.25", "0.5", "0.75", "1"] : ["pass", "fail"];
const keyOf = data.scored ? ["1", "2", "3", "4", "5"] : ["p", "f"];
let state = { labels: {}, notes: {}, history: [], skipped: {}, who: data.labeller, place: 0 };
try {
  const kept = JSON.parse(localStorage.getItem(store) || "null");
  if (kept && kept.labels && kept.notes && kept.skipped && kept.history) state = Object.assign(state, kept);
} catch (error) { at("said").textContent = "This browser keeps nothing: save before you close the page."; }

function keep() {
  try { localStorage.setItem(store, JSON.stringify(state)); }
  catch (error) { at("said").textContent = "This browser keeps nothing: save before you close the page."; }
}
function isLabelled(number) { return Object.hasOwn(state.labels, number); }
function count() { return Object.keys(state.labels).length; }
function next(from) {
  const total = data.answers.length;
  for (const free of [(n) => !isLabelled(n) && !state.skipped[n], (n) => !isLabelled(n)])
    for (let step = 1; step <= total; step++)
      if (free((from + step) % total)) return (from + step) % total;
  return from;
}
function section(name, text) {
  const head = document.createElement("h2"), body = document.createElement("pre");
  head.textContent = name;
  body.textContent = text;
  body.dir = "auto";
  body.tabIndex = 0;
  at("inputs").append(head, body);
}
function show() {
  const answer = data.answers[state.place], found = state.labels[state.place];
  at("inputs").replaceChildren();
  for (const [name, text] of answer.inputs) section(name, text);
  at("answer").textContent = answer.text || "(empty)";
  at("answer").scrollTop = 0;
  at("note").value = state.notes[state.place] || "";
  at("place").textContent = (state.place + 1) + " of " + data.answers.length + ", " + count() + " labelled";
  at("done").max = data.answers.length;
  at("done").value = count();
  at("undo").disabled = !state.history.length;
  for (const button of at("labels").children)
    button.setAttribute("aria-pressed", String(!!found && found.label === button.dataset.label));
}
function say(text) { at("said").textContent = text; }
function go(number) { state.place = number; keep(); show(); }
function label(name) {
  const place = state.place;
  state.history.push([place, state.labels[place] || null]);
  state.labels[place] = { label: name, at: new Date().toISOString().slice(0, 19) + "Z" };
  delete state.skipped[place];
  say(name + (count() === data.answers.length ? ": all are labelled, save them" : ""));
  go(next(place));
}
function undo() {
  const last = state.history.pop();
  if (!last) return;
  if (last[1]) state.labels[last[0]] = last[1]; else delete state.labels[last[0]];
  say("taken back");
  go(last[0]);
}
function skip() { state.skipped[state.place] = true; say("skipped"); go(next(state.place)); }
function back() { go((state.place + data.answers.length - 1) % data.answers.length); }
function rows() {
  return Object.keys(state.labels).map(Number).sort((a, b) => a - b).map((n) => ({
    case: data.answers[n].case, answer_sha256: data.answers[n].answer_sha256, label: state.labels[n].label,
    labeller: state.who, at: state.labels[n].at, note: state.notes[n] || "" }));
}
function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say("saved " + rows().length + " labels as " + name);
}
function json() { return JSON.stringify({ v: 1, suite: data.suite, labels: rows() }, null, 1) + "\n"; }
function csv() {
  const names = ["case", "answer_sha256", "label", "labeller", "at", "note"];
  const cell = (text) => /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  return [names, ...rows().map((row) => names.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
labelNames.forEach((name, number) => {
  const button = document.createElement("button"), key = document.createElement("kbd");
  button.dataset.label = name;
  button.append(name, key);
  key.textContent = keyOf[number];
  button.addEventListener("click", () => label(name));
  at("labels").append(button);
});
at("back").addEventListener("click", back);
at("skip").addEventListener("click", skip);
at("undo").addEventListener("click", undo);
at("json").addEventListener("click", () => save(data.suite + "-labels.json", "application/json", json()));
at("csv").addEventListener("click", () => save(data.suite + "-labels.csv", "text/csv", csv()));
at("note").addEventListener("input", () => { state.notes[state.place] = at("note").value; keep(); });
at("who").addEventListener("input", () => { state.who = at("who").value; keep(); });
// The same page in another tab: both hold what either says.
window.addEventListener("storage", (event) => {
  if (event.key !== store || !event.newValue) return;
  const other = JSON.parse(event.newValue);
  Object.assign(state, { labels: other.labels, notes: other.notes, skipped: other.skipped });
  show();
});
document.addEventListener("keydown", (event) => {
  // A key that is held down is pressed once.
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.tagName === "INPUT") {
    if (event.key === "Enter" || event.key === "Escape") event.target.blur();
    return;
  }
  const number = keyOf.indexOf(event.key.toLowerCase());
  if (number >= 0) label(labelNames[number]);
  else if (event.key === "s" || event.key === "ArrowRight") skip();
  else if (event.key === "u") undo();
  else if (event.key === "ArrowLeft") back();
  else if (event.key === "n") at("note").focus();
  else return;
  event.preventDefault();
});
at("who").value = state.who;
if (state.place >= data.answers.length) state.place = 0;
show();
