// The table of trials: a click on a heading sorts it; text and status filter it.

const shownAtOnce = 300;
const rowElements = new Map();
const table = { order: [...trials.number.keys()], by: null, down: false, text: "", status: "", all: false };

function heads() {
  const held = [
    { name: "trial", of: (row) => trials.number[row] },
    { name: "status", of: (row) => trials.status[row] },
    { name: data.scoreName, of: (row) => trials.score[row] },
    ...(data.minimized ? [{ name: "value", of: (row) => (trials.score[row] === null ? null : -trials.score[row]) }] : []),
    { name: "± error", of: (row) => trials.error[row] || null },
    { name: "seconds", of: (row) => trials.seconds[row] },
  ];
  if (trials.fidelity) held.push({ name: "fidelity", of: (row) => trials.fidelity[row] });
  for (const column of data.columns) held.push({ name: column.name, of: (row) => valueOf(column, row) });
  if (data.reasons.length) {
    held.push({ name: "reason", of: (row) => (trials.why[row] === null ? null : data.reasons[trials.why[row]][0]) });
  }
  return held;
}

const columns = heads();

function compare(of, down) {
  return (a, b) => {
    const [left, right] = [of(a), of(b)];
    if (left === null || right === null) return (left === null) - (right === null) || a - b;
    const sign = typeof left === "number" && typeof right === "number"
      ? left - right : String(left).localeCompare(String(right), undefined, { numeric: true });
    return (down ? -sign : sign) || a - b;
  };
}

function texts(row) {
  return columns.map(({ of }) => show(of(row))).join(" ").toLowerCase();
}

function makeRow(row) {
  const held = make("tr", { "data-row": row, class: row === data.best ? "best" : "" });
  columns.forEach(({ name, of }, k) => {
    const value = of(row);
    if (k === 1) {
      make("span", { class: `state ${value}` }, make("td", {}, held), value);
    } else if (name === "reason" && k === columns.length - 1) {
      const cell = make("td", { class: "why" }, held);
      if (value === null) return;
      const [last, full] = data.reasons[trials.why[row]];
      if (full === last) {
        cell.textContent = last;
        return;
      }
      const details = make("details", {}, cell);
      make("summary", {}, details, last);
      make("pre", {}, details, full);
    } else {
      const text = show(value);
      const title = text.length > 24 ? { title: text } : {};
      make("td", title, held, text);
    }
  });
  return held;
}

function fill() {
  const words = table.text.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = table.order.filter((row) => (!table.status || trials.status[row] === table.status)
    && (!words.length || words.every((word) => texts(row).includes(word))));
  const shown = table.all ? kept : kept.slice(0, shownAtOnce);
  table.body.replaceChildren(...shown.map((row) => {
    if (!rowElements.has(row)) rowElements.set(row, makeRow(row));
    return rowElements.get(row);
  }));
  table.count.textContent = `${kept.length} of ${nTrials} trials`;
  table.more.hidden = shown.length === kept.length;
  table.more.textContent = `Show all ${kept.length}`;
}

function sortBy(k) {
  table.down = table.by === k ? !table.down : k === 2;
  table.by = k;
  table.order.sort(compare(columns[k].of, table.down));
  table.heads.forEach((head, place) => {
    head.setAttribute("aria-sort", place !== k ? "none" : table.down ? "descending" : "ascending");
    head.firstChild.textContent = columns[place].name + (place !== k ? "" : table.down ? " ▾" : " ▴");
  });
  fill();
}

function openRow(row) {
  if (row === null) return;
  const held = rowElements.get(row);
  if (!held || !held.isConnected) {
    Object.assign(table, { text: "", status: "", all: true });
    table.input.value = "";
    table.select.value = "";
    fill();
  }
  for (const other of table.body.children) other.classList.remove("here");
  rowElements.get(row).classList.add("here");
  rowElements.get(row).scrollIntoView({ block: "center", inline: "nearest" });
}

function makeTable(host) {
  const tools = make("div", { class: "tools" }, host);
  table.input = make("input", { type: "search", placeholder: "Filter", "aria-label": "Filter trials by text" }, tools);
  table.select = make("select", { "aria-label": "Filter trials by status" }, tools);
  make("option", { value: "" }, table.select, "all statuses");
  for (const status of new Set(trials.status)) make("option", { value: status }, table.select, status);
  table.count = make("span", { role: "status" }, tools);
  const box = make("div", { class: "trials", tabindex: "0", role: "region", "aria-label": "Table of trials" }, host);
  const held = make("table", {}, box);
  const head = make("tr", {}, make("thead", {}, held));
  table.heads = columns.map(({ name }, k) => {
    const cell = make("th", { scope: "col", "aria-sort": "none" }, head);
    make("button", { type: "button" }, cell, name).addEventListener("click", () => sortBy(k));
    return cell;
  });
  table.body = make("tbody", {}, held);
  table.more = make("button", { type: "button" }, host);
  table.more.addEventListener("click", () => {
    table.all = true;
    fill();
  });
  table.input.addEventListener("input", () => {
    table.text = table.input.value;
    fill();
  });
  table.select.addEventListener("change", () => {
    table.status = table.select.value;
    fill();
  });
  table.body.addEventListener("pointerover", (event) => {
    const row = event.target.closest("tr").dataset.row;
    for (const plot of plots) plot.highlight(Number(row));
  });
  table.body.addEventListener("pointerleave", () => {
    for (const plot of plots) plot.highlight(null);
  });
  fill();
}

// The button that copies the best parameters.

async function copyCode() {
  const [button, code] = [document.getElementById("copy"), document.getElementById("code")];
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

makeTable(document.getElementById("table"));
const copy = document.getElementById("copy");
if (copy) copy.addEventListener("click", copyCode);
drawAll();
dark.addEventListener("change", drawAll);
let waiting = 0;
let drawnFor = document.body.clientWidth;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (document.body.clientWidth !== drawnFor) drawAll();
    drawnFor = document.body.clientWidth;
  }, 150);
});
