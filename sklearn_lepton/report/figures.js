// The figures. Each function takes the element to draw in and the arrays of the figure.

const viridis = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151",
  "#bddf26", "#fde725"].map((text) => [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16)));

// Dark lines are invisible on a dark page: there the colours of lines begin further up the scale.
const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(value, limits, from = 0) {
  const whole = limits[1] > limits[0] ? (value - limits[0]) / (limits[1] - limits[0]) : 1;
  const share = from + (1 - from) * Math.min(Math.max(whole, 0), 1);
  const place = share * (viridis.length - 1);
  const k = Math.min(Math.floor(place), viridis.length - 2);
  const mixed = viridis[k].map((part, c) => Math.round(part + (viridis[k + 1][c] - part) * (place - k)));
  return `rgb(${mixed.join(",")})`;
}

function colourBar(host, limits, text, isCut, from) {
  const box = make("div", { class: "legend" }, host);
  make("span", {}, box, `${text}: ${isCut ? "up to " : ""}${show(limits[0])}`);
  const svg = draw(box, "svg", { viewBox: "0 0 120 12", "aria-hidden": "true", style: "width:120px" });
  for (let k = 0; k < 40; k += 1) {
    draw(svg, "rect", { x: k * 3, y: 1, width: 3.3, height: 10, fill: colour(k, [0, 39], from) });
  }
  make("span", {}, box, show(limits[1]));
}

// Draw the score of each trial; trials without a score or below the axis at its lower edge.
function scatter(plot, x, y, places, jitter) {
  places.forEach((place, row) => {
    if (place === null || row === data.best) return;
    const at = x.at(place) + (jitter ? jitter * jitterOf(row) : 0);
    const score = trials.score[row];
    const low = plot.inner.bottom - 5;
    if (score === null) plot.mark(row, at, low, "lost");
    else if (score < y.limits[0]) plot.mark(row, at, low, "below");
    else plot.mark(row, at, y.at(score));
  });
  const best = data.best === null ? null : places[data.best];
  if (best !== null && trials.score[data.best] !== null) plot.mark(data.best, x.at(best), y.at(trials.score[data.best]), "star");
}

// The legend entry for trials below the axis, with their number.
function belowLegend(rows, limits) {
  const found = rows.filter((row) => trials.score[row] !== null && trials.score[row] < limits[0]);
  return found.length ? [["below", `${found.length} below the axis`]] : [];
}

const allRows = [...trials.number.keys()];

function drawConvergence(host, held) {
  const choice = make("div", { class: "choice", role: "group", "aria-label": "Horizontal axis" }, host);
  const canvas = make("div", {}, host);
  const buttons = ["trial", "seconds"].map((kind) => {
    const button = make("button", { type: "button" }, choice, `by ${kind}`);
    button.addEventListener("click", () => paint(kind));
    return button;
  });
  let plot = null;
  function paint(kind) {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(["trial", "seconds"][k] === kind)));
    if (plot) plots.splice(plots.indexOf(plot), 1);
    canvas.replaceChildren();
    plot = new Plot(canvas, { height: 300, margin: [10, 16, 40, 62], label: `Best score so far by ${kind}` });
    const { left, right, top, bottom } = plot.inner;
    const places = kind === "trial" ? trials.number : held.seconds;
    const last = Math.max(...places, 1e-9);
    const x = makeScale(kind === "trial" ? [-0.5, last + 0.5] : [0, last * 1.01], [left, right], { whole: kind === "trial" });
    const y = makeScale(held.limits, [bottom, top]);
    plot.axes(x, y, [kind === "trial" ? "trial number" : kind, data.scoreName]);
    const [xs, best, errors] = held.curves[kind];
    const [line, upper, lower] = [[], [], []];
    xs.forEach((place, k) => {
      const [from, to] = [x.at(place), k + 1 < xs.length ? x.at(xs[k + 1]) : right];
      for (const [list, value] of [[line, best[k]], [upper, best[k] + errors[k]], [lower, best[k] - errors[k]]]) {
        list.push(`${from.toFixed(1)} ${y.at(value).toFixed(1)}`, `${to.toFixed(1)} ${y.at(value).toFixed(1)}`);
      }
    });
    if (errors.some(Boolean)) draw(plot.clipped(), "path", { class: "band", d: `M${upper.join("L")}L${lower.reverse().join("L")}Z` });
    if (held.untuned !== null) draw(plot.svg, "path", { class: "untuned", d: `M${left} ${y.at(held.untuned)}H${right}` });
    scatter(plot, x, y, places);
    draw(plot.svg, "path", { class: "mean", d: `M${line.join("L")}` });
  }
  paint("trial");
  const entries = [["mean", "best so far"]];
  if (held.curves.trial[2].some(Boolean)) entries.push(["band", "standard error"]);
  if (held.untuned !== null) entries.push(["untuned", "untuned"]);
  legend(host, [...entries, ...statusLegend(), ...belowLegend(allRows, held.limits), ["star", "best"]]);
}

function drawSlices(host, panels) {
  const grid = make("div", { class: "grid" }, host);
  for (const panel of panels) {
    const cell = make("div", {}, grid);
    const rotated = isRotated(panel, cell.clientWidth - 68);
    const plot = new Plot(cell, { height: rotated ? 235 : 205, margin: [8, 16, rotated ? 70 : 40, 52], label: `Score against ${panel.label}` });
    const { left, right, top, bottom } = plot.inner;
    const x = makeScale(panel.limits, [left, right], panel);
    const y = makeScale(data.limits, [bottom, top]);
    plot.axes(x, y, [panel.label, ""]);
    const within = plot.clipped();
    const ends = panel.mean.map((mean, k) => [y.at(mean - 1.645 * panel.std[k]), y.at(mean + 1.645 * panel.std[k])]);
    const room = panel.labels ? (right - left) / panel.labels.length : 0;
    if (panel.labels) {
      panel.grid.forEach((place, k) => {
        const half = Math.min(0.36 * room, 26);
        draw(within, "rect", { class: "band", x: x.at(place) - half, y: ends[k][1], width: 2 * half, height: Math.max(ends[k][0] - ends[k][1], 1) });
      });
    } else {
      const upper = panel.grid.map((place, k) => `${x.at(place).toFixed(1)} ${ends[k][1].toFixed(1)}`);
      const lower = panel.grid.map((place, k) => `${x.at(place).toFixed(1)} ${ends[k][0].toFixed(1)}`).reverse();
      draw(within, "path", { class: "band", d: `M${upper.join("L")}L${lower.join("L")}Z` });
    }
    scatter(plot, x, y, panel.values, 0.44 * room);
    const above = plot.clipped();
    if (panel.labels) {
      panel.grid.forEach((place, k) => {
        const half = Math.min(0.36 * room, 26);
        const isBelow = panel.mean[k] < data.limits[0];
        const shape = isBelow ? `M${x.at(place) - half} ${bottom - 9}h${2 * half}l${-half} 8z` : `M${x.at(place) - half} ${y.at(panel.mean[k])}h${2 * half}`;
        draw(above, "path", { class: "mean", d: shape });
      });
    } else {
      const line = panel.grid.map((place, k) => `${x.at(place).toFixed(1)} ${y.at(panel.mean[k]).toFixed(1)}`);
      draw(above, "path", { class: "mean", d: `M${line.join("L")}` });
    }
  }
  legend(host, [["mean", "expected score"], ["band", "90 % interval of a trial"], ...statusLegend(), ...belowLegend(allRows, data.limits), ["star", "best"]]);
}

function drawImportance(host, held) {
  const width = Math.max(host.clientWidth, 180);
  const names = Math.min(0.45 * width, 260, 14 + 7.2 * Math.max(...held.bars.map(([name]) => name.length)));
  const plot = new Plot(host, { height: 24 * held.bars.length + 46, margin: [4, 16, 40, names], label: "Importance of parameters" });
  const { left, right, top, bottom } = plot.inner;
  const maxShare = Math.max(...held.bars.map(([, share, error]) => Math.min(share + held.whisker * error, 1)), 0.01);
  const x = makeScale([0, maxShare], [left, right]);
  for (const [value, text] of ticksOf(x, Math.max(2, Math.floor((right - left) / 58)))) {
    draw(plot.svg, "line", { class: "lines", x1: x.at(value), x2: x.at(value), y1: top, y2: bottom });
    draw(plot.svg, "text", { x: x.at(value), y: bottom + 15, "text-anchor": "middle" }, text);
  }
  held.bars.forEach(([name, share, error, pair], k) => {
    const y = top + 24 * k + 12;
    const label = draw(plot.svg, "text", { class: "name", x: left - 8, y: y + 4, "text-anchor": "end" }, short(name, Math.floor((left - 10) / 7.2)));
    const title = `${name}: ${(100 * share).toFixed(1)} ± ${(100 * held.whisker * error).toFixed(1)} %`;
    draw(label, "title", {}, title);
    const bar = draw(plot.svg, "rect", { class: pair ? "both" : "alone", x: left, y: y - 8, width: Math.max(x.at(share) - left, 0.5), height: 16 });
    draw(bar, "title", {}, title);
    const [from, to] = [x.at(Math.max(share - held.whisker * error, 0)), x.at(Math.min(share + held.whisker * error, maxShare))];
    draw(plot.svg, "path", { class: "whisker", d: `M${from} ${y}H${to}M${from} ${y - 3}v6M${to} ${y - 3}v6` });
  });
  draw(plot.svg, "path", { class: "axis", d: `M${left} ${top}V${bottom}` });
  plot.name("share of the variance", (left + right) / 2, plot.height - 5, right - left);
  legend(host, held.bars.some((bar) => bar[3]) ? [["alone", "main effect"], ["both", "interaction"]] : [["alone", "main effect"]]);
  if (held.left) make("p", { class: "missing" }, host, `${held.left} smaller shares are not drawn.`);
}

// Edges of the cells around grid points, in pixels.
function cellEdges(scale, places, limits) {
  if (scale.labels) return [...places.map((v) => scale.at(v - 0.5)), scale.at(places[places.length - 1] + 0.5)];
  const at = places.map(scale.at);
  const inner = at.slice(1).map((place, k) => (place + at[k]) / 2);
  return [scale.at(Math.min(limits[0], places[0])), ...inner, scale.at(Math.max(limits[1], places[places.length - 1]))];
}

function drawContour(host, held) {
  const rotated = isRotated(held.x, host.clientWidth - 100);
  const plot = new Plot(host, { height: rotated ? 380 : 346, margin: [10, 18, rotated ? 76 : 42, held.y.labels ? 104 : 82], label: `Expected score by ${held.x.label} and ${held.y.label}` });
  const { left, right, top, bottom } = plot.inner;
  const x = makeScale(held.x.limits, [left, right], held.x);
  const y = makeScale(held.y.limits, [bottom, top], held.y);
  const cells = draw(plot.svg, "g", { "shape-rendering": "crispEdges" });
  const [xs, ys] = [cellEdges(x, held.x.grid, held.x.limits), cellEdges(y, held.y.grid, held.y.limits)];
  held.mean.forEach((row, j) => row.forEach((mean, i) => {
    if (mean === null) return;
    draw(cells, "rect", { x: xs[i], y: ys[j + 1], width: xs[i + 1] - xs[i] + 0.5, height: ys[j] - ys[j + 1] + 0.5, fill: colour(mean, held.limits) });
  }));
  plot.axes(x, y, [held.x.label, held.y.label], false);
  const wide = (axis, from, to) => (axis.labels ? (0.6 * Math.abs(to - from)) / axis.labels.length : 0);
  const [dx, dy] = [wide(held.x, left, right), wide(held.y, bottom, top)];
  const rows = [...trials.number.keys()].filter((row) => row !== data.best);
  for (const row of data.best === null ? rows : [...rows, data.best]) {
    const value = held.x.values[row];
    if (value === null || held.y.values[row] === null) continue;
    const [px, py] = [x.at(value) + dx * jitterOf(row), y.at(held.y.values[row]) + dy * jitterOf(row, 1)];
    const kind = row === data.best ? "star" : kindOf(row) === "lost" ? "lost" : "on-contour";
    plot.mark(row, px, py, kind);
  }
  colourBar(host, held.limits, `expected ${data.scoreName}`, held.mean.some((row) => row.some((mean) => mean !== null && mean < held.limits[0])));
  legend(host, [["on-contour", "trial"], ...statusLegend().filter(([kind]) => kind === "lost"), ["star", "best"]]);
}

function drawCoordinates(host, axes) {
  const scroll = make("div", { class: "scroll" }, host);
  const width = Math.max(scroll.clientWidth, 96 * axes.length + 40);
  const plot = new Plot(scroll, { height: 330, margin: [46, 110, 14, 24], label: "All parameters of all trials", width });
  plot.svg.style.minWidth = `${width}px`;
  const { left, right, top, bottom } = plot.inner;
  const step = axes.length > 1 ? (right - left) / (axes.length - 1) : 0;
  const at = (k, unit, row) => {
    const { choices } = axes[k];
    const jitter = choices ? (0.5 / choices) * jitterOf(row) : 0;
    return bottom - (bottom - top) * Math.min(Math.max(unit + jitter, 0), 1);
  };
  const paths = new Map();
  const from = dark.matches ? 0.3 : 0;
  const ranked = [...trials.number.keys()].sort((a, b) => (trials.score[a] ?? -Infinity) - (trials.score[b] ?? -Infinity));
  ranked.forEach((row, rank) => {
    let path = "";
    let pen = "M";
    axes.forEach((axis, k) => {
      if (axis.units[row] === null) {
        pen = "M";
        return;
      }
      const [px, py] = [left + k * step, at(k, axis.units[row], row)];
      path += `${pen}${px.toFixed(1)} ${py.toFixed(1)}`;
      pen = "L";
      plot.points.push({ row, x: px, y: py });
    });
    if (!path) return;
    paths.set(row, path);
    const share = (rank / Math.max(nTrials - 1, 1)) ** 2;
    const isLost = trials.score[row] === null;
    const style = isLost ? { class: "line lost" } : {
      class: "line", stroke: colour(trials.score[row], data.limits, from), "stroke-width": 0.7 + 1.5 * share, "stroke-opacity": 0.35 + 0.65 * share,
    };
    draw(plot.svg, "path", { ...style, d: path, "data-row": row });
  });
  axes.forEach((axis, k) => {
    const px = left + k * step;
    draw(plot.svg, "path", { class: "axis", d: `M${px} ${top}V${bottom}` });
    for (const [unit, text] of axis.ticks) {
      const py = bottom - (bottom - top) * unit;
      const shown = short(text, 12);
      draw(plot.svg, "rect", { class: "label-back", x: px + 3, y: py - 7, width: 6.2 * shown.length + 4, height: 13, rx: 2 });
      draw(plot.svg, "text", { x: px + 5, y: py + 4 }, shown);
    }
    const room = Math.max(12, Math.floor(step / 6.6) - 1);
    const isLast = k && k === axes.length - 1;
    const place = isLast ? { x: width - 2, "text-anchor": "end" } : { x: px - 12 };
    const label = draw(plot.svg, "text", { class: "name", ...place, y: k % 2 ? 34 : 16 }, short(axis.label, Math.min(2 * room, 34)));
    draw(label, "title", {}, axis.label);
  });
  plot.highlight = (row) => {
    if (plot.over) plot.over.remove();
    plot.over = row !== null && paths.has(row) ? draw(plot.svg, "path", { class: "line ring", d: paths.get(row) }) : null;
  };
  colourBar(host, data.limits, data.scoreName, belowLegend(allRows, data.limits).length > 0, from);
}

function drawTimeline(host, held) {
  const lanes = [...new Set(held.fits.map((fit) => fit[2]))].sort((a, b) => a - b);
  const thick = lanes.length > 16 ? 12 : 22;
  const plot = new Plot(host, { height: thick * lanes.length + 50, margin: [6, 12, 40, 70], label: "Fits of each worker over time" });
  const { left, right, top, bottom } = plot.inner;
  const end = Math.max(...held.fits.map((fit) => fit[1]), 1e-9);
  const x = makeScale([0, end], [left, right]);
  for (const [value, text] of ticksOf(x, Math.max(2, Math.floor((right - left) / 58)))) {
    draw(plot.svg, "line", { class: "lines", x1: x.at(value), x2: x.at(value), y1: top, y2: bottom });
    draw(plot.svg, "text", { x: x.at(value), y: bottom + 15, "text-anchor": "middle" }, text);
  }
  const bars = new Map();
  for (const [begin, until, worker, row] of held.fits) {
    const kind = `fit ${trials.status[row]}${trials.number[row] % 2 ? " odd" : ""}`;
    const y = top + thick * lanes.indexOf(worker);
    const bar = draw(plot.svg, "rect", { class: kind, x: x.at(begin), y: y + 2, width: Math.max(x.at(until) - x.at(begin), 0.6), height: thick - 4, "data-row": row });
    if (!bars.has(row)) bars.set(row, []);
    bars.get(row).push(bar);
  }
  lanes.forEach((worker, k) => {
    if (lanes.length > 40 && k % 5) return;
    draw(plot.svg, "text", { x: left - 6, y: top + thick * (k + 0.5) + 4, "text-anchor": "end" }, worker < 0 ? "not run" : `worker ${worker}`);
  });
  for (const cut of held.cuts) draw(plot.svg, "path", { class: "cut", d: `M${x.at(cut)} ${top}V${bottom}` });
  draw(plot.svg, "path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` });
  plot.name("seconds", (left + right) / 2, plot.height - 5, right - left);
  let lit = [];
  plot.highlight = (row) => {
    for (const bar of lit) bar.classList.remove("on");
    lit = bars.get(row) || [];
    for (const bar of lit) bar.classList.add("on");
  };
  const kinds = ["complete", "pruned", "failed"].filter((kind) => held.fits.some((fit) => trials.status[fit[3]] === kind));
  legend(host, kinds.map((kind) => [`fit ${kind}`, kind]));
  const cut = held.cuts.length ? " Pauses of more than a minute are removed at the dotted lines." : "";
  make("p", { class: "missing" }, host, `Workers were busy ${Math.round(100 * held.busy)} % of the time.${cut}`);
}

const figures = {
  convergence: drawConvergence,
  slices: drawSlices,
  importance: drawImportance,
  contour: drawContour,
  coordinates: drawCoordinates,
  timeline: drawTimeline,
};

function drawAll() {
  choose(null);
  plots.length = 0;
  const drawn = [];
  for (const [name, paint] of Object.entries(figures)) {
    const host = document.querySelector(`#${name} .canvas`);
    host.replaceChildren();
    if (name in data.missing) {
      make("p", { class: "missing" }, host, data.missing[name]);
    } else {
      paint(host, data.figures[name]);
      drawn.push(name);
    }
  }
  document.body.dataset.drawn = drawn.join(" ");
}
