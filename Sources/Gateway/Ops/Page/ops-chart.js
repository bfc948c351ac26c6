// A chart of the last minutes, drawn as SVG: stacked areas or lines over one axis of time, a gap where nothing was
// heard. Pointing at it reads off a moment in the legend. Redrawn with each overview; nothing moves by itself.

import { h, s, setAttribute, setText } from "./ops-dom.js";
import { NONE } from "./ops-format.js";

const HEIGHT = 148;
const EDGE = { top: 8, right: 4, bottom: 20, left: 44 };
/** Moments further apart than this are not joined. */
const GAP_MS = 4000;
/** Moments named on the axis of time, as parts of it. */
const MOMENTS = [0.8, 0.6, 0.4, 0.2];
const LINES = 4;
/** A description for those who do not see it changes this often at most. */
const LABEL_MS = 15000;

/** Points that are averaged into one, so that a line of five minutes is none of hairs. */
const averagedIn = (spanMs) => (spanMs >= 300000 ? 4 : spanMs >= 120000 ? 2 : 1);

/** Rows of a moment and its values, `count` points averaged into each: always the same, so that a line stands still. */
function averaged(points, ofs, count) {
  const groups = [];
  let last = null;
  for (const point of points) {
    const number = Math.floor(point.number / count);
    if (number !== last) groups.push([]);
    groups[groups.length - 1].push(point);
    last = number;
  }
  return groups.map((group) => ({ at: group[group.length - 1].at, values: ofs.map((of) => {
    const known = group.map(of).filter((value) => value !== null);
    return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  }) }));
}

/** The next round number for an axis of `LINES` steps. */
function roundUp(value) {
  const step = value / LINES;
  const power = 10 ** Math.floor(Math.log10(step));
  return LINES * power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= step * 0.999);
}

export class Chart {
  /**
   * @param series [{ name, className, of(point) → number or null }], the lowest of a stack first.
   * @param format of a value; `floor` is the least the axis ever reaches to.
   */
  constructor({ title, series, format, isStacked = false, floor = 1 }) {
    Object.assign(this, { title, series, format, isStacked, floor, points: [], now: 0, spanMs: 1, pointed: null });
    this.labelled = -Infinity;
    this.svg = s("svg", { role: "img", class: "plot" });
    this.grid = s("g", { class: "grid" });
    this.paths = series.map((one) => s("path", { class: `${isStacked ? "area" : "line"} ${one.className}` }));
    this.cursor = s("line", { class: "cursor", y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
    this.svg.append(this.grid, ...[...this.paths].reverse(), this.cursor);
    this.values = series.map(() => h("dd", { text: NONE }));
    this.moment = h("span", { className: "moment muted" });
    this.node = h("figure", { className: "card chart" },
      h("figcaption", null, h("h3", { text: title }), this.moment,
        h("dl", { className: "legend" }, ...series.map((one, index) =>
          h("div", null, h("dt", { className: `key ${one.className}`, text: one.name }), this.values[index])))),
      this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerdown", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  update(points, now, spanMs) {
    Object.assign(this, { points, now, spanMs });
    this.draw();
  }

  point(offset) {
    this.pointed = offset;
    this.read();
  }

  x(at) { return this.width - EDGE.right - (this.now - at) / this.spanMs * (this.width - EDGE.left - EDGE.right); }
  y(value) { return HEIGHT - EDGE.bottom - value / this.top * (HEIGHT - EDGE.top - EDGE.bottom); }

  draw() {
    this.width = this.svg.clientWidth;
    if (this.width < 80) return;
    setAttribute(this.svg, "viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.rows = averaged(this.points, this.series.map((one) => one.of), averagedIn(this.spanMs));
    const highest = Math.max(this.floor, ...this.rows.map(({ values }) =>
      (this.isStacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values))));
    this.top = roundUp(highest);
    this.drawGrid();
    this.series.forEach((_, index) => setAttribute(this.paths[index], "d",
      this.isStacked ? this.area(index) : this.line(index)));
    this.read();
  }

  drawGrid() {
    const name = `${this.width} ${this.top} ${this.spanMs}`;
    if (this.drawn === name) return;
    this.drawn = name;
    const rows = [...Array(LINES + 1).keys()].map((row) => this.top * row / LINES);
    this.grid.replaceChildren(
      ...rows.map((value) => s("line", {
        x1: EDGE.left, x2: this.width - EDGE.right, y1: this.y(value), y2: this.y(value),
        class: value === 0 ? "base" : "" })),
      ...rows.filter((_, row) => row % 2 === 0).map((value) =>
        s("text", { x: EDGE.left - 8, y: this.y(value) + 4, "text-anchor": "end", text: this.format(value) })),
      ...MOMENTS.map((part) => s("text", {
        x: this.x(this.now - part * this.spanMs), y: HEIGHT - 4, "text-anchor": "middle",
        text: this.spanMs >= 300000 ? `−${part * this.spanMs / 60000} min` : `−${part * this.spanMs / 1000} s` })),
      s("text", { x: this.width - EDGE.right, y: HEIGHT - 4, "text-anchor": "end", text: "now" }));
  }

  /** Runs of rows without a gap between them, of a series that has a value there. */
  runs(index) {
    const runs = [];
    const gapMs = GAP_MS * averagedIn(this.spanMs);
    let last = -Infinity;
    for (const row of this.rows) {
      if (row.values[index] === null || this.x(row.at) < EDGE.left) continue;
      if (row.at - last > gapMs) runs.push([]);
      runs[runs.length - 1].push(row);
      last = row.at;
    }
    return runs;
  }

  spot(row, value) { return `${this.x(row.at).toFixed(1)} ${this.y(value).toFixed(1)}`; }

  line(index) {
    return this.runs(index).map((run) => `M${run.map((row) => this.spot(row, row.values[index])).join("L")}`).join("");
  }

  area(index) {
    const edge = (run, count) => run.map((row) =>
      this.spot(row, row.values.slice(0, count).reduce((sum, value) => sum + value, 0)));
    return this.runs(index).map((run) =>
      `M${edge(run, index + 1).join("L")}L${edge(run, index).reverse().join("L")}Z`).join("");
  }

  /** Shows the values of the moment pointed at, else of the last. */
  read() {
    let point = this.points[this.points.length - 1] ?? null;
    const isPointed = this.pointed !== null && point !== null && this.width >= 80;
    if (isPointed) {
      point = this.points.reduce((best, one) =>
        (Math.abs(this.x(one.at) - this.pointed) < Math.abs(this.x(best.at) - this.pointed) ? one : best));
      setAttribute(this.cursor, "x1", this.x(point.at).toFixed(1));
      setAttribute(this.cursor, "x2", this.x(point.at).toFixed(1));
    }
    setAttribute(this.cursor, "class", isPointed ? "cursor shown" : "cursor");
    setText(this.moment, isPointed ? `${Math.round((this.now - point.at) / 1000)} s ago` : "");
    this.series.forEach((one, index) => setText(this.values[index], point ? this.format(one.of(point)) : NONE));
    if (!isPointed && this.now - this.labelled > LABEL_MS) {
      this.labelled = this.now;
      const values = this.series.map((one, index) => `${one.name} ${this.values[index].textContent}`).join(", ");
      setAttribute(this.svg, "aria-label", `${this.title}, last minutes. Now: ${values}.`);
    }
  }
}

/** A line without axes, for a tile. */
export class Sparkline {
  constructor(of) {
    this.of = of;
    this.path = s("path");
    const box = { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" };
    this.node = s("svg", { class: "spark", ...box }, this.path);
  }

  update(points, now, spanMs) {
    const rows = averaged(points, [this.of], averagedIn(spanMs))
      .filter((row) => row.values[0] !== null && now - row.at <= spanMs);
    const top = Math.max(...rows.map((row) => row.values[0]), 1e-9);
    const spots = rows.map((row) =>
      `${(100 - (now - row.at) / spanMs * 100).toFixed(1)} ${(22 - row.values[0] / top * 20).toFixed(1)}`);
    setAttribute(this.path, "d", spots.length > 0 ? `M${spots.join("L")}` : "");
  }
}
