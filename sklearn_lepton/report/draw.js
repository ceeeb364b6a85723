"use strict";
// Parts of the figures: elements, scales, axes, and the trial under the pointer.
// All text is inserted as text nodes, so that no parameter value is ever parsed as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const trials = data.trials;
const nTrials = trials.number.length;
const plots = [];

function make(tag, attributes, parent, text) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function draw(parent, tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    element.setAttribute(name, typeof value === "number" ? Math.round(value * 100) / 100 : value);
  }
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function show(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return String(value.toExponential(3)).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return String(Number(value.toPrecision(5)));
}

// Shorten a text in the middle.
function short(text, maxLength) {
  if (text.length <= maxLength) return text;
  const tail = Math.floor(((maxLength - 1) * 2) / 3);
  return text.slice(0, maxLength - 1 - tail) + "…" + text.slice(text.length - tail);
}

// Deterministic offsets in [-0.5, 0.5) that separate trials with the same choice.
function jitterOf(k, axis) {
  const step = axis ? 0.5698403 : 0.7548777;
  return (k * step) % 1 - 0.5;
}

function makeScale(limits, range, axis) {
  const log = Boolean(axis && axis.log);
  const labels = (axis && axis.labels) || null;
  const f = log ? Math.log10 : (v) => v;
  const low = f(limits[0]);
  const high = f(limits[1]);
  const at = (value) => {
    const share = high > low ? (f(value) - low) / (high - low) : 0.5;
    return range[0] + (range[1] - range[0]) * Math.min(Math.max(share, -0.5), 1.5);
  };
  return { at, log, labels, limits, range, whole: Boolean(axis && axis.whole) };
}

function niceTicks(low, high, maxTicks, whole) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(maxTicks, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  let step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  if (whole) step = Math.max(1, Math.round(step));
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

function ticksOf(scale, maxTicks) {
  if (scale.labels) {
    const step = Math.ceil(scale.labels.length / maxTicks);
    return scale.labels.map((text, k) => [k, text]).filter((_, k) => k % step === 0);
  }
  const [low, high] = scale.limits;
  if (!scale.log) return niceTicks(low, high, maxTicks, scale.whole).map((v) => [v, show(v)]);
  const from = Math.ceil(Math.log10(low) - 1e-9);
  const to = Math.floor(Math.log10(high) + 1e-9);
  const decades = [];
  for (let k = from; k <= to; k += 1) decades.push(k);
  if (decades.length < 2) return niceTicks(low, high, maxTicks, scale.whole).map((v) => [v, show(v)]);
  const step = Math.ceil(decades.length / maxTicks);
  return decades.filter((_, k) => k % step === 0).map((k) => [10 ** k, show(Number(`1e${k}`))]);
}

// Whether the labels of choices must be rotated so that they do not overlap.
function isRotated(axis, room) {
  if (!axis.labels) return false;
  const found = ticksOf(axis, Math.max(2, Math.floor(room / 16)));
  const widest = Math.max(...found.map(([, text]) => Math.min(text.length, 16)));
  return widest * 6.6 > room / found.length;
}

let nClips = 0;

// A figure with two axes; the pointer selects the nearest of `points`.
class Plot {
  constructor(host, { height, margin, label, width }) {
    this.width = width || Math.max(host.clientWidth, 180);
    this.height = height;
    this.margin = margin;
    this.svg = draw(host, "svg", {
      viewBox: `0 0 ${this.width} ${height}`, role: "img", tabindex: "0", "aria-label": label,
    });
    this.points = [];
    this.places = new Map();
    this.over = null;
    plots.push(this);
    this.listen();
  }

  get inner() {
    const [top, right, bottom, left] = this.margin;
    return { left, right: this.width - right, top, bottom: this.height - bottom };
  }

  axes(x, y, names, withLines = true) {
    const { left, right, top, bottom } = this.inner;
    const group = draw(this.svg, "g", {});
    for (const [value, text] of ticksOf(y, Math.max(3, Math.floor((bottom - top) / 34)))) {
      const at = y.at(value);
      if (withLines) draw(group, "line", { class: "lines", x1: left, x2: right, y1: at, y2: at });
      else draw(group, "line", { class: "axis", x1: left - 4, x2: left, y1: at, y2: at });
      draw(group, "text", { x: left - 5, y: at + 4, "text-anchor": "end" }, short(text, 11));
    }
    const room = right - left;
    const found = ticksOf(x, x.labels ? Math.max(2, Math.floor(room / 16)) : Math.max(2, Math.floor(room / 58)));
    const rotated = isRotated(x, room);
    for (const [value, text] of found) {
      const at = x.at(value);
      draw(group, "line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 4 });
      const place = rotated
        ? { x: 0, y: 0, "text-anchor": "end", transform: `translate(${at + 4},${bottom + 12}) rotate(-35)` }
        : { x: at, y: bottom + 15, "text-anchor": "middle" };
      draw(group, "text", place, short(text, rotated ? 10 : 16));
    }
    draw(group, "path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` });
    if (names[0]) this.name(names[0], (left + right) / 2, this.height - 5, right - left);
    if (names[1]) {
      const label = draw(this.svg, "text", {
        class: "name", "text-anchor": "middle", transform: `translate(12,${(top + bottom) / 2}) rotate(-90)`,
      }, short(names[1], Math.floor((bottom - top) / 6.4)));
      draw(label, "title", {}, names[1]);
    }
  }

  // A group that is clipped to the area between the axes.
  clipped() {
    const { left, right, top, bottom } = this.inner;
    const id = `clip${nClips++}`;
    draw(draw(this.svg, "clipPath", { id }), "rect", { x: left, y: top, width: right - left, height: bottom - top });
    return draw(this.svg, "g", { "clip-path": `url(#${id})` });
  }

  name(text, x, y, room) {
    const label = draw(this.svg, "text", { class: "name", "text-anchor": "middle", x, y }, short(text, Math.floor(room / 6.4)));
    draw(label, "title", {}, text);
  }

  // Draw the mark of a trial; by default the one of its status.
  mark(row, x, y, kind) {
    const shape = kind || kindOf(row);
    drawMark(this.svg, shape, x, y);
    this.remember(row, x, y);
  }

  remember(row, x, y) {
    this.points.push({ row, x, y });
    if (!this.places.has(row)) this.places.set(row, []);
    this.places.get(row).push([x, y]);
  }

  nearest(event) {
    const box = this.svg.getBoundingClientRect();
    const factor = this.width / box.width;
    const [x, y] = [(event.clientX - box.left) * factor, (event.clientY - box.top) * factor];
    let best = null;
    let smallest = 26 ** 2;
    for (const point of this.points) {
      const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (distance < smallest) [best, smallest] = [point.row, distance];
    }
    return best;
  }

  find(event) {
    const row = event.target.dataset ? event.target.dataset.row : undefined;
    return row === undefined ? this.nearest(event) : Number(row);
  }

  listen() {
    const at = (event) => choose(this.find(event), event.clientX, event.clientY);
    this.svg.addEventListener("pointermove", at);
    this.svg.addEventListener("pointerdown", at);
    this.svg.addEventListener("pointerleave", () => choose(null));
    this.svg.addEventListener("click", (event) => openRow(this.find(event)));
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") choose(null);
      if (event.key === "Enter" && chosen !== null) openRow(chosen);
      if (!step || !nTrials) return;
      event.preventDefault();
      const box = this.svg.getBoundingClientRect();
      const next = chosen === null ? (step > 0 ? 0 : nTrials - 1) : (chosen + step + nTrials) % nTrials;
      choose(next, box.left + 30, Math.max(box.top, 0) + 10);
    });
    this.svg.addEventListener("blur", () => choose(null));
  }

  highlight(row) {
    if (this.over) this.over.remove();
    this.over = null;
    if (row === null || !this.places.has(row)) return;
    this.over = draw(this.svg, "g", {});
    for (const [x, y] of this.places.get(row)) draw(this.over, "circle", { class: "ring", cx: x, cy: y, r: 7 });
  }
}

function kindOf(row) {
  if (trials.status[row] === "failed") return "lost";
  if (trials.status[row] === "pruned") return trials.score[row] === null ? "lost" : "cross";
  return trials.fidelity && trials.fidelity[row] < 1 ? "part-dot" : "dot";
}

function drawMark(parent, kind, x, y) {
  const d = 3.4;
  if (kind === "cross" || kind === "lost") {
    return draw(parent, "path", { class: kind, d: `M${x - d} ${y - d}L${x + d} ${y + d}M${x - d} ${y + d}L${x + d} ${y - d}` });
  }
  if (kind === "below") return draw(parent, "path", { class: "dot", d: `M${x - 4} ${y - 5}H${x + 4}L${x} ${y + 2}Z` });
  if (kind === "star") {
    let path = "";
    for (let k = 0; k < 10; k += 1) {
      const r = k % 2 ? 3.4 : 8;
      const angle = (Math.PI * k) / 5 - Math.PI / 2;
      path += `${k ? "L" : "M"}${(x + r * Math.cos(angle)).toFixed(1)} ${(y + r * Math.sin(angle)).toFixed(1)}`;
    }
    return draw(parent, "path", { class: "star", d: `${path}Z` });
  }
  return draw(parent, "circle", { class: kind, cx: x, cy: y, r: kind === "on-contour" ? 3.2 : 2.8 });
}

function legend(host, entries) {
  const box = make("div", { class: "legend" }, host);
  for (const [kind, text] of entries) {
    const entry = make("span", {}, box);
    const svg = draw(entry, "svg", { viewBox: "0 0 22 12", "aria-hidden": "true" });
    if (kind === "mean" || kind === "untuned") draw(svg, "path", { class: kind, d: "M0 6H22" });
    else if (kind === "band" || kind === "alone" || kind === "both" || kind.startsWith("fit")) {
      draw(svg, "rect", { class: kind, x: 2, y: 1, width: 18, height: 10 });
    } else drawMark(svg, kind, 11, 6);
    entry.append(text);
  }
}

function statusLegend() {
  const kinds = new Set(trials.number.map((_, row) => kindOf(row)));
  const names = { dot: "trial", "part-dot": "lower fidelity", cross: "pruned (expected score)", lost: "failed" };
  return Object.entries(names).filter(([kind]) => kinds.has(kind));
}

// The trial under the pointer is highlighted in all figures.

let chosen = null;
const tip = document.getElementById("tip");

function valueOf(column, row) {
  const value = column.values[row];
  return value === null ? null : column.texts ? column.texts[value] : value;
}

function choose(row, x, y) {
  if (row !== chosen) {
    chosen = row;
    for (const plot of plots) plot.highlight(row);
    if (row !== null) describe(row);
  }
  tip.hidden = row === null;
  if (row === null || x === undefined) return;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = x + 16 + width > window.innerWidth ? x - 16 - width : x + 16;
  tip.style.left = `${Math.max(4, Math.min(left, window.innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 14, window.innerHeight - height - 4))}px`;
}

function describe(row) {
  const marks = [];
  if (row === data.best) marks.push("best");
  if (row === data.untuned) marks.push("untuned");
  if (row !== data.best && data.close.includes(row)) marks.push("not significantly worse than the best");
  tip.replaceChildren();
  make("b", {}, tip, `Trial ${trials.number[row]}${marks.length ? ` (${marks.join(", ")})` : ""}`);
  const list = make("dl", {}, tip);
  const add = (name, text) => {
    make("dt", {}, list, name);
    make("dd", {}, list, text);
  };
  const score = trials.score[row];
  const error = trials.error[row] ? ` ± ${Number(trials.error[row].toPrecision(2))}` : "";
  if (score !== null) add(trials.status[row] === "pruned" ? "expected score" : data.scoreName, show(score) + error);
  if (data.minimized && score !== null) add("value", show(-score));
  add("status", trials.status[row]);
  add("seconds", show(trials.seconds[row]));
  if (trials.fidelity) add("fidelity", show(trials.fidelity[row]));
  if (trials.why[row] !== null) add("reason", short(data.reasons[trials.why[row]][0], 160));
  const active = data.columns.filter((column) => column.values[row] !== null);
  tip.classList.toggle("many", active.length > 12);
  for (const column of active.slice(0, 30)) add(short(column.name, 40), short(show(valueOf(column, row)), 60));
}
