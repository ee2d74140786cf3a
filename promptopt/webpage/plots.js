// One function for each kind of plot: data and a width in, an SVG element out.

const INK = "var(--ink)", SOFT = "var(--soft)", LINE = "var(--line)";
const TONES = { good: "var(--good)", bad: "var(--bad)", unclear: "var(--unclear)", mixed: "var(--mixed)" };
const KINDS = ["var(--first)", "var(--second)", "var(--third)", "var(--fourth)", "var(--fifth)"];
const PERCENT = { tickFormat: (value) => `${Math.round(value * 100)}%` };

function usd(value) {
  if (value === 0) return "$0";
  const size = Math.abs(value);
  return (value < 0 ? "-$" : "$") + size.toLocaleString("en", { maximumSignificantDigits: size < 1 ? 2 : 4 });
}

function shorten(label, width) {
  const most = Math.max(8, Math.floor(width / 6.6));
  const text = visible(label);
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** Room on the left for labels, at most 40% of the width, and a function that fits a label into it. */
function labelRoom(labels, width) {
  const longest = Math.max(...labels.map((label) => visible(label).length), 4);
  const room = Math.min(Math.ceil(longest * 6.8) + 14, Math.floor(width * 0.4));
  return { marginLeft: room, fit: (label) => shorten(label, room - 14) };
}

/** One row for each label, in the order given: labels that are cut to the same text stay two rows. */
function rowScale(labels, room) {
  return { domain: labels, label: null, tickSize: 0, tickFormat: room.fit };
}

/** The points whose labels do not lie on one another; the table below the plot has all. */
function apart(points, most, width, height) {
  const values = points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  const low = Math.min(...values), span = Math.max(...values) - low || 1;
  const taken = [];
  return [...points].sort((a, b) => b.baseline - a.baseline).filter((point) => {
    const long = shorten(point.label, width * 0.42).length * 6.6, x = 46 + (point.x / (most * 1.08 || 1)) * (width - 66);
    const left = point.x > most * 0.55 ? x - 9 - long : x + 9, y = (1 - (point.y - low) / span) * (height - 64);
    if (taken.some((box) => Math.abs(box.y - y) < 15 && left < box.left + box.long && box.left < left + long)) return false;
    return taken.push({ left, long, y });
  });
}

const DRAW = {
  front(data, width) {
    const points = data.points.filter((point) => point.x !== null && point.y !== null);
    const front = points.filter((point) => point.front).sort((a, b) => a.x - b.x);
    const most = Math.max(...points.map((point) => point.x), 0);
    const top = Math.min(1, Math.ceil(Math.max(...points.map((point) => point.high ?? point.y), 0.1) * 10) / 10);
    const low = Math.min(top - 0.1, ...points.map((point) => Math.floor((point.low ?? point.y) * 10) / 10));
    const height = Math.min(380, Math.max(260, width * 0.5));
    const named = apart(points.length > 8 ? points.filter((point) => point.front || point.baseline) : points, most, width, height);
    // A point in the right half has its label on its left.
    const label = (right) => Plot.text(named.filter((point) => (point.x > most * 0.55) === right), {
      x: "x", y: "y", text: (point) => shorten(point.label, width * 0.42), dx: right ? -9 : 9, dy: -9,
      textAnchor: right ? "end" : "start", fill: INK, stroke: "var(--paper)", strokeWidth: 4, paintOrder: "stroke",
    });
    return Plot.plot({
      width, height, marginLeft: 46, marginBottom: 40, marginTop: 24,
      x: { label: data.x || "dollars per 1,000 calls →", domain: [0, most * 1.08 || 1], tickFormat: data.x && !data.x.startsWith("dollars") ? undefined : usd, ticks: Math.min(6, width / 90) },
      y: data.points_of_quality
        ? { label: data.y, grid: true, nice: true, zero: true, tickFormat: (value) => (value > 0 ? "+" : "") + value }
        : { label: data.y || "↑ quality", domain: [Math.max(0, low), top], grid: true, ...PERCENT, ticks: 6 },
      marks: [
        Plot.line(front, { x: "x", y: "y", stroke: "var(--good)", strokeOpacity: 0.5, curve: "step-after" }),
        Plot.ruleX(points.filter((point) => point.low !== null), { x: "x", y1: "low", y2: "high", stroke: SOFT }),
        Plot.dot(points, {
          x: "x", y: "y", r: 5, symbol: (point) => (point.baseline ? "square" : "circle"),
          fill: (point) => (point.front ? "var(--good)" : "var(--paper)"),
          stroke: (point) => (point.front ? "var(--good)" : SOFT), strokeWidth: 1.75,
        }),
        label(false), label(true),
      ],
    });
  },

  bars(data, width) {
    const labels = [...new Set(data.bars.map((bar) => bar.label))], room = labelRoom(labels, width);
    // Of counts there are no halves.
    const most = Math.max(...labels.map((label) => data.bars.reduce((sum, bar) => sum + (bar.label === label ? bar.value : 0), 0)), 0);
    const counts = data.bars.every((bar) => Number.isInteger(bar.value));
    return Plot.plot({
      width, ...room, marginRight: 24, marginBottom: 36, height: labels.length * 30 + 52,
      x: { label: `${data.unit} →`, grid: true, ticks: Math.min(8, width / 80, counts && most ? most : 8) },
      y: rowScale(labels, room), color: { domain: data.kinds, range: KINDS },
      marks: [
        Plot.barX(data.bars, { x: "value", y: "label", fill: "kind", inset: 3, insetLeft: 0, insetRight: 0 }),
        Plot.ruleX([0], { stroke: SOFT }),
      ],
    });
  },

  intervals(data, width) {
    const room = labelRoom(data.rows.map((row) => row.label), width);
    const reach = 1.08 * Math.max(...data.rows.flatMap((row) => [row.value, row.low, row.high]).map(Math.abs), data.band || 0) || 1;
    return Plot.plot({
      width, ...room, marginRight: 16, marginBottom: 36, height: data.rows.length * 30 + 50,
      x: { label: data.x, domain: [-reach, reach], ticks: Math.min(7, width / 80), tickFormat: (value) => (value > 0 ? "+" : "") + value },
      y: rowScale(data.rows.map((row) => row.label), room),
      marks: [
        data.band ? Plot.rectX([0], { x1: -data.band, x2: data.band, fill: LINE, fillOpacity: 0.55 }) : null,
        Plot.ruleX([0], { stroke: SOFT }),
        Plot.ruleY(data.rows, { y: "label", x1: "low", x2: "high", stroke: (row) => TONES[row.tone], strokeWidth: 2.5 }),
        Plot.dot(data.rows, { y: "label", x: "value", r: 5, fill: (row) => TONES[row.tone], stroke: "var(--paper)" }),
      ],
    });
  },

  histogram(data, width) {
    const groups = [...new Set(data.bins.map((bin) => bin.group))];
    return Plot.plot({
      width, marginLeft: 46, marginBottom: 38, marginTop: 22, height: groups.length * 96 + 52,
      x: { label: `${data.x} →`, domain: [0, 1], ticks: 5 }, y: { label: null, grid: true, ticks: 3 },
      fy: { domain: groups, axis: null },
      marks: [
        Plot.rect(data.bins, { x1: "low", x2: "high", y2: "count", y1: 0, fy: "group", fill: "var(--first)", insetLeft: 0.5, insetRight: 0.5 }),
        Plot.text(groups, { fy: (group) => group, text: (group) => shorten(group, width - 60), frameAnchor: "top-left", dy: -12, fill: INK, fontWeight: 600 }),
        Plot.ruleY([0], { stroke: SOFT }),
      ],
    });
  },

  waterfall(data, width) {
    const room = labelRoom(data.steps.map((step) => step.label), width);
    const most = Math.max(...data.steps.flatMap((step) => [step.from, step.to]), 0) || 1;
    return Plot.plot({
      width, ...room, marginRight: 70, marginBottom: 36, height: data.steps.length * 30 + 50,
      x: { label: `${data.x} →`, domain: [0, most], grid: true, tickFormat: usd, ticks: Math.min(6, width / 90) },
      y: rowScale(data.steps.map((step) => step.label), room),
      marks: [
        Plot.barX(data.steps, {
          x1: "from", x2: "to", y: "label", inset: 4, insetLeft: 0, insetRight: 0,
          fill: (step) => (step.kind === "total" ? "var(--first)" : step.to <= step.from ? "var(--good)" : "var(--bad)"),
        }),
        Plot.text(data.steps, {
          x: (step) => Math.max(step.from, step.to), y: "label", dx: 6, textAnchor: "start", fill: INK,
          text: (step) => (step.kind === "total" ? usd(step.to) : (step.to > step.from ? "+" : "") + usd(step.to - step.from)),
        }),
        Plot.ruleX([0], { stroke: SOFT }),
      ],
    });
  },

  curve(data, width) {
    const points = data.lines.flatMap((line) => line.points.map(([x, y]) => ({ label: line.label, x, y })));
    const labels = data.lines.map((line) => line.label);
    return Plot.plot({
      width: Math.min(width, 560), height: Math.min(width, 560) * 0.7, marginLeft: 50, marginBottom: 40, marginTop: 24,
      x: { label: `${data.x} →`, domain: [0, 1], ...PERCENT, ticks: 5 },
      y: { label: `↑ ${data.y}`, domain: [0, 1], grid: true, ...PERCENT, ticks: 5 },
      color: { domain: labels, range: KINDS },
      marks: [
        Plot.line([[0, 0], [1, 1]], { stroke: LINE, strokeDasharray: "3 4" }),
        Plot.line(points, { x: "x", y: "y", stroke: "label", strokeWidth: 2 }),
      ],
    });
  },

  ranges(data, width) {
    const room = labelRoom(data.rows.map((row) => row.label), width);
    return Plot.plot({
      width, ...room, marginRight: 24, marginBottom: 36, height: data.rows.length * 30 + 50,
      x: { label: `${data.x} →`, grid: true, tickFormat: usd, zero: true, ticks: Math.min(6, width / 90) },
      y: rowScale(data.rows.map((row) => row.label), room),
      marks: [
        Plot.ruleX([0], { stroke: SOFT }),
        Plot.ruleY(data.rows, { y: "label", x1: "low", x2: "high", stroke: "var(--first)", strokeWidth: 3 }),
        Plot.dot(data.rows, { y: "label", x: "value", r: 5, fill: "var(--first)", stroke: "var(--paper)" }),
      ],
    });
  },
};

function colourKey(data) {
  const names = data.kinds || (data.lines || []).map((line) => line.label);
  if (names.length < 2) return null;
  const swatch = (at) => {
    const box = element("i");
    box.style.background = KINDS[at % KINDS.length];
    return box;
  };
  return element("p", { class: "key" }, ...names.map((name, at) => element("span", {}, swatch(at), shown(name))));
}

/** Draws a plot into its place, again whenever the place has another width. */
function placePlot(place, data) {
  let drawn = 0;
  const key = colourKey(data);
  if (key) place.before(key);
  const draw = (width) => {
    if (!width || Math.abs(width - drawn) < 8) return;
    drawn = width;
    const drawing = DRAW[data.kind](data, width);
    // The place has the role of an image and says what it shows; its marks say nothing more.
    drawing.setAttribute("aria-hidden", "true");
    place.replaceChildren(drawing);
  };
  new ResizeObserver(() => draw(place.clientWidth)).observe(place);
  draw(place.clientWidth);
  return draw;
}
