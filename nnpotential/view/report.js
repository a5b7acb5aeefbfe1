"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const names = report.columns.map(c => c.name);
const column = Object.fromEntries(names.map((name, i) => [name, report.values[i]]));
const label = Object.fromEntries(report.columns.map(c => [c.name, c.label]));
const n = column.id.length;
const isNumber = value => typeof value === "number";
const shortly = (value, digits = 6) => isNumber(value) ? String(+value.toPrecision(digits)) : "–";
// Plotly reads some HTML in its texts
const plain = text => String(text).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
const place = new Map(column.id.map((id, k) => [id, k]));

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function unpacked(text, Kind) {
  const characters = atob(text), bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return new Kind(bytes.buffer);
}

// The graph: Plotly's axes, zoom and hover, with a path for all stems and one for the ends of
// each shade. Lines of a trace would be an element each, which 10 000 minima make too slow.

const lines = unpacked(report.graph.lines, Float64Array), owners = unpacked(report.graph.owners, Int32Array);
const drawn = report.graph.minima;
const placeOf = new Map(drawn.map((k, i) => [k, report.graph.places[i]]));
const fromLeft = drawn.slice().sort((a, b) => placeOf.get(a) - placeOf.get(b));
const SHADES = 32;
// viridis, for dark paper without its dark end, for white paper without its light one
const VIRIDIS = [[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37]];
const shade = part => {
  const x = part * (VIRIDIS.length - 1), i = Math.min(Math.floor(x), VIRIDIS.length - 2);
  return `rgb(${VIRIDIS[i].map((c, j) => Math.round(c + (x - i) * (VIRIDIS[i + 1][j] - c)))})`;
};
const shades = (low, high) => Array.from({length: SHADES}, (_, i) => shade(low + (high - low) * i / (SHADES - 1)));
const LIGHT = shades(0, 0.86), DARK = shades(0.3, 1);
// places of the paths among the shapes of the plot: stems, what is filtered out, plain ends, shades
const STEMS = 0, FAINT = 1, PLAIN = 2, FIRST = 3;
const shape = i => `#graph .shapelayer path[data-index="${i}"]`;
const rules = of => of.map((c, i) => `${shape(FIRST + i)} { stroke: ${c} !important; }`).join("") + `#legend i { background: linear-gradient(to right, ${of}); }`;
document.head.append(element("style", {textContent: `${rules(LIGHT)} @media screen and (prefers-color-scheme: dark) { ${rules(DARK)} }`}));

const CONFIG = {displayModeBar: false, responsive: true, doubleClick: false, showTips: false};
const touch = matchMedia("(pointer: coarse)").matches;
const layout = more => ({
  margin: {l: 64, r: 12, t: 12, b: 44}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
  hovermode: "closest", dragmode: false, font: {size: 11}, hoverlabel: {align: "left", font: {size: 12}}, ...more,
});

const state = {selected: -1, colour: "", order: [...Array(n).keys()], sort: "loss", down: false, page: 0, shown: new Uint8Array(n).fill(1)};
const coloured = names.filter(name => name !== "id" && column[name].some(isNumber) && new Set(column[name]).size > 1);

function described(k, digits = 6) {
  return names.filter(name => !/^test-auc-/.test(name)).map(name => name === "id" ? `<b>minimum ${column.id[k]}</b>` : `${plain(label[name])}: ${shortly(column[name][k], digits)}`).slice(0, 14).join("<br>");
}

function graphPaths() {
  const values = state.colour ? column[state.colour] : null;
  const known = values ? drawn.map(k => values[k]).filter(isNumber) : [];
  const low = known.reduce((a, b) => Math.min(a, b), Infinity), span = known.reduce((a, b) => Math.max(a, b), -Infinity) - low;
  const paths = Array.from({length: FIRST + SHADES}, () => []);
  for (let i = 0; i < owners.length; i++) {
    const k = owners[i], j = 4 * i;
    let which = PLAIN;
    if (k < 0) which = STEMS;
    else if (!state.shown[k]) which = FAINT;
    else if (values && isNumber(values[k]) && span > 0) which = FIRST + Math.min(SHADES - 1, Math.floor((values[k] - low) / span * SHADES));
    paths[which].push(`M${lines[j]},${lines[j + 1]}L${lines[j + 2]},${lines[j + 3]}`);
  }
  at("legend").replaceChildren();
  if (values && span > 0) at("legend").append(shortly(low, 4), element("i"), `${shortly(low + span, 4)}  ${label[state.colour]}`);
  const width = drawn.length < 300 ? 1.4 : 0.8;
  return paths.map((parts, i) => ({
    type: "path", path: parts.join("") || "M0,0", xref: "x", yref: "y", layer: "below",
    line: {width: i >= FIRST ? width + 0.3 : width, color: "#777"}, fillcolor: "rgba(0,0,0,0)"}));
}

// what is hovered and clicked: the ends of the branches, along one line that is not seen
const ends = {type: "scatter", mode: "lines", uid: "ends", x: fromLeft.map(k => placeOf.get(k)), y: fromLeft.map(k => column.loss[k]),
  customdata: fromLeft, hovertext: fromLeft.map(k => described(k)), hoverinfo: "text", opacity: 0, line: {width: 1, color: "#777"}};

const MARGIN = {l: 78, r: 8, t: 8, b: 12};
let home = null;
function bounds() {
  let low = Infinity, high = -Infinity;
  for (let i = 1; i < lines.length; i += 2) { low = Math.min(low, lines[i]); high = Math.max(high, lines[i]); }
  const room = 0.03 * (high - low) || 1e-3 * Math.abs(low) || 1, wide = drawn.length;
  return {x: [-0.02 * wide - 0.3, 1.02 * wide + 0.3], y: [low - room, high + room]};
}

function drawGraph() {
  home ||= bounds();
  const graph = at("graph"), now = graph.layout || {xaxis: {range: home.x}, yaxis: {range: home.y}};
  return Plotly.react(graph, [ends], layout({
    margin: MARGIN, dragmode: touch ? false : "zoom", hoverdistance: 30, shapes: graphPaths(),
    // a finger scrolls the page; buttons zoom
    xaxis: {visible: false, fixedrange: touch, range: now.xaxis.range.slice()},
    yaxis: {title: {text: plain(report.energy), standoff: 6}, range: now.yaxis.range.slice(), fixedrange: touch, zeroline: false, ticks: "outside"},
  }), CONFIG);
}

function zoom(factor) {
  const {xaxis, yaxis} = at("graph").layout;
  const k = state.selected, centre = k >= 0 && placeOf.has(k) ? {x: placeOf.get(k), y: column.loss[k]} : null;
  const part = (range, middle) => {
    const half = (range[1] - range[0]) / 2 * factor, inside = middle !== undefined && middle >= range[0] && middle <= range[1];
    const m = inside ? middle : (range[0] + range[1]) / 2;
    return [m - half, m + half];
  };
  const whole = (range, most) => range[1] - range[0] >= most[1] - most[0] ? most : range;
  Plotly.relayout(at("graph"), {"xaxis.range": whole(part(xaxis.range, centre?.x), home.x).slice(), "yaxis.range": whole(part(yaxis.range, centre?.y), home.y).slice()});
}

// The lowest path to the lowest minimum: a way in the spanning tree.

const {one, two, energy: heights} = report.states;
const neighbours = Array.from({length: n}, () => []);
for (let s = 0; s < one.length; s++) { neighbours[one[s]].push(s); neighbours[two[s]].push(s); }
const beyond = (s, k) => one[s] === k ? two[s] : one[s];

function path(k) {
  const steps = [{kind: "minimum", k, energy: column.loss[k], at: 0}];
  let length = 0;
  for (let s = report.towards[k]; s >= 0; s = report.towards[k]) {
    const parts = report.states.lengths?.[s], [up, down] = !parts ? [1, 1] : one[s] === k ? parts : [parts[1], parts[0]];
    k = beyond(s, k);
    steps.push({kind: "state", s, energy: heights[s], at: length += up}, {kind: "minimum", k, energy: column.loss[k], at: length += down});
  }
  return steps;
}

// The selected minimum and those on its path, over the graph: for them it is not drawn anew.
const marks = document.createElementNS("http://www.w3.org/2000/svg", "svg");
marks.id = "marks";
marks.setAttribute("aria-hidden", "true");

function drawMarks() {
  const graph = at("graph"), k = state.selected;
  const papers = graph.querySelectorAll(".main-svg");
  papers[papers.length - 1]?.before(marks);  // below what hovering tells
  marks.replaceChildren();
  if (k < 0 || !placeOf.has(k) || !graph.layout) return;
  const {xaxis, yaxis} = graph.layout, wide = graph.clientWidth, high = graph.clientHeight;
  const part = (v, [from, to]) => (v - from) / (to - from);
  for (const step of path(k).reverse()) {
    if (step.kind === "state") continue;
    const x = part(placeOf.get(step.k), xaxis.range), y = part(step.energy, yaxis.range);
    if (x < 0 || x > 1 || y < 0 || y > 1) continue;
    const px = MARGIN.l + x * (wide - MARGIN.l - MARGIN.r), py = MARGIN.t + (1 - y) * (high - MARGIN.t - MARGIN.b);
    const made = (tag, properties) => {
      const one = marks.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
      for (const [name, value] of Object.entries(properties)) one.setAttribute(name, value);
      return one;
    };
    made("circle", {cx: px, cy: py, r: step.k === k ? 8 : 4, class: step.k === k ? "selected" : "passed"});
    if (step.k === k) made("text", {x: px, y: py - 13, "text-anchor": "middle"}).textContent = column.id[k];
  }
}

// One minimum.

function link(k) {
  return element("a", {href: `#minimum=${column.id[k]}`}, String(column.id[k]));
}

function table(head, rows, caption) {
  const made = element("table");
  if (caption) made.append(element("caption", {}, caption));
  made.append(element("thead", {}, element("tr", {}, ...head.map(h => element("th", {scope: "col"}, h)))));
  made.append(element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map(cell => element("td", {}, cell))))));
  return made;
}

const BLUE = [0, 114, 178], RED = [213, 94, 0], MIDDLE = [247, 247, 247];
let weights = null;

function heatMaps(k) {
  const box = element("div", {id: "weights"});
  weights ||= unpacked(report.weights.data, Float32Array);
  let from = k * report.weights.size;
  for (const {name, shape} of report.weights.blocks) {
    const size = shape.reduce((a, b) => a * b, 1), values = weights.subarray(from, from += size);
    const height = shape.length ? shape[0] : 1, width = size / height;
    const largest = values.reduce((a, v) => Math.max(a, Math.abs(v)), 0) || 1;
    const canvas = element("canvas", {width, height, role: "img"});
    canvas.setAttribute("aria-label", `${name}: ${shape.join(" by ")}, largest size ${shortly(largest, 4)}`);
    const pixel = Math.max(1, Math.min(22, Math.floor(260 / width), Math.floor(260 / height)));
    canvas.style.width = `${Math.min(260, width * pixel)}px`;
    canvas.style.height = `${Math.min(260, height * pixel)}px`;
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    values.forEach((v, i) => {
      const end = v < 0 ? RED : BLUE, part = Math.abs(v) / largest;
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = MIDDLE[c] + part * (end[c] - MIDDLE[c]);
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    const caption = element("figcaption"), usual = `${name} (${shape.join(" × ")}), ±${shortly(largest, 3)}`;
    caption.textContent = usual;
    canvas.onmousemove = event => {
      const frame = canvas.getBoundingClientRect();
      const row = Math.floor((event.clientY - frame.top) / frame.height * height), col = Math.floor((event.clientX - frame.left) / frame.width * width);
      if (row >= 0 && row < height && col >= 0 && col < width) caption.textContent = `${name} [${shape.length > 1 ? `${row + 1}, ${col + 1}` : row + 1}] = ${shortly(values[row * width + col], 5)}`;
    };
    canvas.onmouseleave = () => { caption.textContent = usual; };
    box.append(element("figure", {className: "heat"}, canvas, caption));
  }
  const all = element("details", {}, element("summary", {}, "as numbers"));
  all.ontoggle = () => {
    if (all.children.length > 1) return;
    let start = k * report.weights.size;
    all.append(element("pre", {tabIndex: 0}, report.weights.blocks.map(({name, shape}) => {
      const size = shape.reduce((a, b) => a * b, 1), width = shape.length > 1 ? size / shape[0] : size, own = weights.subarray(start, start += size);
      const rows = Array.from({length: size / width}, (_, i) => Array.from(own.subarray(i * width, (i + 1) * width), v => shortly(v, 5)).join("  "));
      return `${name}\n${rows.join("\n")}`;
    }).join("\n\n")));
  };
  box.append(element("p", {className: "note"}, "Rows are the units that the weights lead to. Blue is positive, red negative, each map on a scale of its own."), all);
  return box;
}

const MOST_NEIGHBOURS = 30;

function showMinimum() {
  const box = at("minimum"), k = state.selected;
  box.replaceChildren();
  if (k < 0) { box.append(element("p", {}, "No minimum is selected.")); return; }
  const rest = names.filter(name => name !== "id");
  box.append(element("h3", {}, `Minimum ${column.id[k]}`), table(["", ""], rest.map(name => [label[name], shortly(column[name][k], name === "loss" ? 12 : 6)])));
  box.lastChild.querySelector("thead").remove();

  box.append(element("h3", {}, "Lowest path to the lowest minimum"));
  const steps = path(k);
  if (steps.length > 1) {
    const profile = element("div", {id: "path", className: "plot", role: "img", "aria-label": "the path, as the table below it holds it"});
    box.append(profile);
    const text = steps.map(step => step.kind === "minimum" ? `minimum ${column.id[step.k]}<br>${shortly(step.energy, 9)}` : `transition state ${report.states.id[step.s]}<br>${shortly(step.energy, 9)}`);
    const isState = step => step.kind === "state";
    Plotly.newPlot(profile, [{
      type: "scatter", mode: "lines+markers", uid: "path", x: steps.map(s => s.at), y: steps.map(s => s.energy), hovertext: text, hoverinfo: "text",
      customdata: steps.map(s => isState(s) ? -1 : s.k), line: {width: 1.5, color: "#56a0d0"},
      marker: {size: 9, symbol: steps.map(s => isState(s) ? "triangle-up" : "circle"), color: steps.map(s => isState(s) ? "#d55e00" : "#0072b2"), opacity: 1},
    }], layout({xaxis: {title: {text: report.states.lengths ? "distance along the path" : "points along the path"}, zeroline: false}, yaxis: {title: {text: plain(report.energy), standoff: 6}, automargin: true, zeroline: false}, margin: {l: 72, r: 12, t: 8, b: 44}}), CONFIG);
    profile.on("plotly_click", event => { const m = event.points[0].customdata; if (m >= 0) select(m); });
    const top = steps.reduce((a, b) => b.energy > a.energy ? b : a), states = (steps.length - 1) / 2;
    box.append(element("p", {className: "note"}, `${states} transition state${states === 1 ? "" : "s"}, the highest ${shortly(top.energy, 9)}${report.states.lengths ? `; ${shortly(steps[steps.length - 1].at, 4)} long, taken as straight between the points` : ""}.`));
    const all = element("details", {}, element("summary", {}, "as a table"));
    all.append(table(["", "id", report.states.lengths ? "distance" : "point", report.energy], steps.map(s => isState(s)
      ? ["transition state", String(report.states.id[s.s]), shortly(s.at, 5), shortly(s.energy, 9)]
      : ["minimum", link(s.k), shortly(s.at, 5), shortly(s.energy, 9)])));
    box.append(all);
  } else box.append(element("p", {}, k === 0 ? "It is the lowest." : "No way to the lowest minimum is known."));

  box.append(element("h3", {}, "Neighbours"));
  const near = neighbours[k].slice().sort((a, b) => heights[a] - heights[b]);
  if (near.length) {
    box.append(table(["minimum", report.word, "transition state", `its ${report.word}`, "barrier"], near.slice(0, MOST_NEIGHBOURS).map(s => {
      const m = beyond(s, k);
      return [link(m), shortly(column.loss[m], 7), String(report.states.id[s]), shortly(heights[s], 7), shortly(heights[s] - column.loss[k], 4)];
    })));
    if (near.length > MOST_NEIGHBOURS) box.append(element("p", {className: "note"}, `${near.length - MOST_NEIGHBOURS} higher transition states are left out.`));
  } else box.append(element("p", {}, "No transition state leads away from it."));

  if (report.weights) {
    box.append(element("h3", {}, "Weights"));
    if (k < report.weights.n) box.append(heatMaps(k));
    else box.append(element("p", {}, `Left out for their size: the page holds those of the ${report.weights.n} lowest minima.`));
  }
}

function select(k, how = {}) {
  if (k === state.selected && !how.first) return;
  state.selected = k;
  showMinimum();
  drawList(how.list !== false);
  drawMarks();
  if (!how.first) {
    history.replaceState(null, "", `#minimum=${column.id[k]}`);
    at("said").textContent = `Minimum ${column.id[k]}: ${report.word} ${shortly(column.loss[k], 7)}, barrier to the lowest ${shortly(column.barrier?.[k], 4)}, ${neighbours[k].length} neighbours.`;
  }
}

// The list.

const PAGE = 15;
const listed = names.slice(0, 16);

function sorted() {
  const by = column[state.sort], sign = state.down ? -1 : 1;
  const value = k => isNumber(by[k]) ? by[k] : Infinity * sign;
  return [...Array(n).keys()].filter(k => state.shown[k]).sort((a, b) => sign * (value(a) - value(b)) || a - b);
}

function drawHead() {
  at("list").querySelector("thead").replaceChildren(element("tr", {}, ...listed.map(name => {
    const mark = state.sort === name ? (state.down ? " ▾" : " ▴") : "";
    const button = element("button", {}, (name === "loss" ? report.word : label[name]) + mark);
    button.onclick = () => {
      state.down = state.sort === name && !state.down; state.sort = name; state.page = 0;
      state.order = sorted(); drawHead(); drawList(false);
      at("list").querySelectorAll("th button")[listed.indexOf(name)].focus();
    };
    return element("th", {scope: "col", "aria-sort": state.sort === name ? (state.down ? "descending" : "ascending") : "none"}, button);
  })));
}

function drawList(follow) {
  const where = state.order.indexOf(state.selected);
  if (follow && where >= 0) state.page = Math.floor(where / PAGE);
  const from = state.page * PAGE, rows = state.order.slice(from, from + PAGE), reachable = rows.includes(state.selected) ? state.selected : rows[0];
  at("list").querySelector("tbody").replaceChildren(...rows.map(k => {
    const button = element("button", {tabIndex: k === reachable ? 0 : -1}, String(column.id[k]));
    button.dataset.k = k;
    button.onclick = () => select(k, {list: true});
    button.setAttribute("aria-label", `minimum ${column.id[k]}, ${report.word} ${shortly(column.loss[k], 7)}`);
    const row = element("tr", {}, element("td", {}, button), ...listed.slice(1).map(name => element("td", {}, shortly(column[name][k], name === "loss" ? 9 : 5))));
    if (k === state.selected) { row.className = "chosen"; button.setAttribute("aria-current", "true"); }
    return row;
  }));
  const last = Math.max(0, Math.ceil(state.order.length / PAGE) - 1);
  at("back").disabled = state.page === 0;
  at("next").disabled = state.page >= last;
  at("listed").textContent = `${rows.length ? from + 1 : 0} to ${from + rows.length} of ${state.order.length}${state.order.length < n ? ` that fit, ${n} in all` : ""}; arrow keys go up and down, Enter selects`;
}

function focusRow(where) {
  where = Math.max(0, Math.min(state.order.length - 1, where));
  state.page = Math.floor(where / PAGE);
  drawList(false);
  for (const button of at("list").querySelectorAll("tbody button")) {
    const here = +button.dataset.k === state.order[where];
    button.tabIndex = here ? 0 : -1;
    if (here) button.focus();
  }
}

at("list").addEventListener("keydown", event => {
  const k = event.target.dataset.k;
  const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -n, End: n};
  if (k === undefined || !(event.key in steps)) return;
  event.preventDefault();
  focusRow(state.order.indexOf(+k) + steps[event.key]);
});
// a selection draws the rows anew: the focus stays with its minimum
at("list").addEventListener("click", event => {
  const k = event.target.dataset.k;
  if (k !== undefined) focusRow(state.order.indexOf(+k));
});
at("back").onclick = () => { state.page--; drawList(false); };
at("next").onclick = () => { state.page++; drawList(false); };

// Tools.

function filter() {
  const limit = (id, none) => at(id).value.trim() === "" || !Number.isFinite(+at(id).value) ? none : +at(id).value;
  const limits = ["loss", "barrier"].map(name => [column[name], limit(`${name}-from`, -Infinity), limit(`${name}-to`, Infinity)]);
  for (let k = 0; k < n; k++) state.shown[k] = limits.every(([values, from, to]) => {
    const v = values?.[k];
    return isNumber(v) ? v >= from && v <= to : from === -Infinity && to === Infinity;
  }) ? 1 : 0;
  state.order = sorted(); state.page = 0;
  drawList(true);
  drawGraph();
  at("said").textContent = `${state.order.length} of ${n} minima fit.`;
}

for (const id of ["loss-from", "loss-to", "barrier-from", "barrier-to"]) at(id).onchange = filter;
at("find").oninput = () => {
  const text = at("find").value.trim(), k = place.get(+text);
  at("find").setCustomValidity(text === "" || k !== undefined ? "" : "no such minimum");
  if (text !== "" && k !== undefined) select(k);
  else if (text !== "") at("said").textContent = `There is no minimum ${text}.`;
};
at("colour").append(element("option", {value: ""}, "nothing"), ...coloured.map(name => element("option", {value: name}, name === "loss" ? report.word : label[name])));
at("colour").onchange = () => { state.colour = at("colour").value; drawGraph(); };
at("in").onclick = () => zoom(0.5);
at("out").onclick = () => zoom(2);
at("all").onclick = () => Plotly.relayout(at("graph"), {"xaxis.range": home.x.slice(), "yaxis.range": home.y.slice()});
at("graph").addEventListener("keydown", event => {
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (step) {
    const among = fromLeft.filter(k => state.shown[k]), here = among.indexOf(state.selected);
    if (among.length) select(among[here < 0 ? 0 : Math.max(0, Math.min(among.length - 1, here + step))]);
  } else if (event.key === "+" || event.key === "=") zoom(0.5);
  else if (event.key === "-") zoom(2);
  else if (event.key === "0") at("all").click();
  else return;
  event.preventDefault();
});

function fromAddress() {
  const found = /^#minimum=(\d+)$/.exec(location.hash);
  return found ? place.get(+found[1]) ?? -1 : -1;
}
addEventListener("hashchange", () => {
  const k = fromAddress();
  if (k < 0) return;
  select(k);
  at("minimum").focus({preventScroll: true});
});

// Distributions.

const decades = (low, high) => ({exponentformat: "power", dtick: Math.log10(high / low) >= 3 ? 1 : "D2"});

function histogram(id, values, axis, more) {
  const positive = values.filter(v => v > 0), low = Math.min(...positive), high = Math.max(...positive);
  const log = more.log && positive.length > 2 && high / low > 30;
  const used = log ? positive : values, f = log ? Math.log10 : v => v;
  const a = Math.min(...used.map(f)), b = Math.max(...used.map(f)), bins = Math.max(5, Math.min(60, Math.ceil(2 * Math.cbrt(used.length)) + 4));
  const width = (b - a) / bins || Math.abs(a) * 0.01 || 1, counts = new Array(bins).fill(0);
  for (const v of used) counts[Math.min(bins - 1, Math.floor((f(v) - a) / width))]++;
  const back = log ? v => 10 ** v : v => v;
  // outlines, as bars of a logarithmic axis have no width of their own
  const x = [], y = [];
  counts.forEach((c, i) => { x.push(back(a + i * width), back(a + (i + 1) * width)); y.push(c, c); });
  const text = counts.flatMap((c, i) => { const t = `${c} between ${shortly(back(a + i * width), 4)} and ${shortly(back(a + (i + 1) * width), 4)}`; return [t, t]; });
  const own = more.line === undefined ? [] : [{type: "line", x0: more.line, x1: more.line, yref: "paper", y0: 0, y1: 1, line: {color: "#d55e00", width: 2}}];
  if (more.band) own.push({type: "rect", x0: more.band[0], x1: more.band[1], yref: "paper", y0: 0, y1: 1, line: {width: 0}, fillcolor: "rgba(213,94,0,0.3)"});
  Plotly.newPlot(at(id), [{type: "scatter", mode: "lines", uid: id, x: [x[0], ...x, x[x.length - 1]], y: [0, ...y, 0], fill: "tozeroy", fillcolor: "rgba(0,114,178,0.35)", line: {color: "#3a8fc4", width: 1}, hovertext: ["", ...text, ""], hoverinfo: "text", hoveron: "points"}],
    layout({shapes: own, hovermode: "closest", xaxis: {title: {text: plain(axis)}, type: log ? "log" : "linear", zeroline: false, ...(log ? decades(low, high) : {})}, yaxis: {title: {text: "minima"}, rangemode: "tozero"}}), CONFIG);
  return values.length - used.length;
}

function distributions() {
  histogram("losses", column.loss, report.energy, {});
  at("losses-said").textContent = `The ${n} minima, the lowest at ${shortly(column.loss[0], 9)}.`;
  const barriers = (column.barrier || []).filter((v, k) => isNumber(v) && k > 0);
  if (!barriers.length) { at("barriers").closest("figure").remove(); return; }
  const mean = report.mean_barrier, audit = report.audit;
  const band = isNumber(mean) && audit ? audit.interval.map(fall => (1 - fall) * mean).reverse() : undefined;
  const zero = histogram("barriers", barriers, label.barrier, {log: true, line: isNumber(mean) ? mean : undefined, band});
  const percent = share => `${shortly(100 * share, 3)} %`;
  at("barriers-said").textContent = `Barriers of ${barriers.length} minima to the lowest, each an upper bound${zero ? `; ${zero} are zero` : ""}.` +
    (isNumber(mean) ? ` Line: mean over the ${report.n_barriers} that quenches found, ${shortly(mean, 4)}` + (audit ? `; band: it may fall by ${percent(audit.fall)} (${percent(audit.interval[0])} to ${percent(audit.interval[1])}, ${percent(audit.level)} interval of the audit).` : "; not audited.") : "");
}

function heatCapacity() {
  const curve = report.heat_capacity;
  if (!curve) return;
  const traces = [];
  if (curve.low) {
    traces.push({type: "scatter", mode: "lines", uid: "low", x: curve.temperatures, y: curve.low, line: {width: 0}, hoverinfo: "skip"});
    traces.push({type: "scatter", mode: "lines", uid: "high", x: curve.temperatures, y: curve.high, line: {width: 0}, fill: "tonexty", fillcolor: "rgba(128,128,128,0.4)", hoverinfo: "skip"});
  }
  traces.push({type: "scatter", mode: "lines", uid: "ink", x: curve.temperatures, y: curve.heat_capacity, line: {width: 1.5, color: "#777"}, hovertemplate: "T = %{x:.4g}<br>%{y:.5g}<extra></extra>"});
  Plotly.newPlot(at("heat-capacity"), traces, layout({xaxis: {type: "log", title: {text: "temperature"}, ...decades(curve.temperatures[0], curve.temperatures[curve.temperatures.length - 1])}, yaxis: {title: {text: curve.label}, zeroline: false}}), CONFIG);
}

// What is seen first is drawn first.

const cut = n - drawn.length;
at("counted").textContent = `${drawn.length} of ${n} minima${cut ? `; the other ${cut} are not connected to the lowest, and stand in the table alone` : ""}.`;
state.selected = Math.max(0, fromAddress());
drawGraph().then(() => {
  at("graph").on("plotly_afterplot", drawMarks);
  at("graph").on("plotly_doubleclick", at("all").onclick);
  at("graph").on("plotly_click", event => { const k = event.points[0].customdata; if (isNumber(k)) select(k); });
  requestAnimationFrame(() => setTimeout(() => {
    document.documentElement.dataset.drawn = performance.now().toFixed(0);
    drawHead();
    select(state.selected, {first: true});
    setTimeout(() => {
      distributions();
      heatCapacity();
      document.documentElement.dataset.complete = performance.now().toFixed(0);
    });
  }));
});
addEventListener("beforeprint", () => {
  for (const made of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(made, {width: made.id === "graph" ? 690 : 330, autosize: false});
});
addEventListener("afterprint", () => {
  for (const made of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(made, {width: null, autosize: true});
});
