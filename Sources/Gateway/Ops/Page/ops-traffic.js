// The first screen: eight figures with their last minutes, three charts; and the table of routes.

import { Chart, Sparkline } from "./ops-chart.js";
import { byId, column, h, number, setAttribute, setText, syncRows, table, tableRow } from "./ops-dom.js";
import { NONE, count, milliseconds, percent, rate, seconds } from "./ops-format.js";

/** Milliseconds without their unit, for a chart that names it. */
const plainMs = (value) => (value === 0 ? "0" : milliseconds(value, ""));
const all = (point) => point.requests[0] + point.requests[1] + point.requests[2];
/** The share of requests that failed by our fault. */
const errors = (point) => (all(point) > 0 ? point.requests[2] / all(point) : 0);
/** Above these a figure is marked: the alert rules' own bounds. */
const ERRORS_MAX = 0.01;
const P99_MS_MAX = 500;

/** Figures: name, value, the line below, whether it asks for attention. */
const VITALS = [
  { name: "Requests", unit: "/s", of: all, value: (p) => rate(all(p)), note: (p, peak) => `peak ${rate(peak)}/s` },
  { name: "Latency p99", of: (p) => p.p99, value: (p) => milliseconds(p.p99),
    note: (p) => `median ${milliseconds(p.p50)}`, isBad: (p) => p.p99 > P99_MS_MAX },
  { name: "Server errors", of: errors, value: (p) => percent(errors(p)),
    note: (p) => `${rate(p.requests[1])}/s refused`, isBad: (p) => errors(p) > ERRORS_MAX },
  { name: "Results", unit: "/s", of: (p) => p.results, value: (p) => rate(p.results),
    note: (p) => `${rate(p.heartbeats)}/s heartbeats` },
  { name: "Ready", of: (p) => p.ready, value: (p) => count(p.ready),
    note: (p) => (p.ready > 0 ? `oldest ${seconds(p.oldest)}` : "nothing waits") },
  { name: "In work", of: (p) => p.inWork, value: (p) => count(p.inWork), note: (p) => `${count(p.delayed)} delayed` },
  { name: "Dead letters", of: (p) => p.dead, value: (p) => count(p.dead),
    note: (p) => (p.dead > 0 ? "need a look" : "none"), isWarned: (p) => p.dead > 0 },
  { name: "Workers", of: (p) => p.alive, value: (p) => count(p.alive), isWarned: (p) => p.known > p.alive,
    note: (p) => (p.known > p.alive ? `${count(p.known - p.alive)} silent` : "all heard from") },
];

function tile(vital) {
  const spark = new Sparkline(vital.of);
  const value = h("span", { text: NONE });
  const note = h("dd", { className: "note muted", text: "\u00A0" });
  const number = h("dd", { className: "value" }, value, vital.unit ? h("small", { text: vital.unit }) : null);
  const node = h("div", { className: "card vital" }, h("dt", { text: vital.name }), number, note, spark.node);
  return { node, update(points, now, spanMs) {
    const point = points[points.length - 1];
    setText(value, vital.value(point));
    setText(note, vital.note(point, Math.max(...points.map(vital.of))));
    const kind = vital.isBad?.(point) ? "bad" : vital.isWarned?.(point) ? "warn" : "";
    setAttribute(node, "class", `card vital ${kind}`);
    spark.update(points, now, spanMs);
  } };
}

function charts() {
  return [
    new Chart({ title: "Requests per second", format: rate, isStacked: true, floor: 4, series: [
      { name: "2xx, 3xx", className: "c-good", of: (p) => p.requests[0] },
      { name: "4xx", className: "c-warn", of: (p) => p.requests[1] },
      { name: "5xx", className: "c-bad", of: (p) => p.requests[2] },
    ] }),
    new Chart({ title: "Latency in milliseconds", format: plainMs, floor: 1, series: [
      { name: "median", className: "c-second", of: (p) => p.p50 },
      { name: "p99", className: "c-first", of: (p) => p.p99 },
    ] }),
    new Chart({ title: "Tasks per second", format: rate, floor: 4, series: [
      { name: "leased", className: "c-second", of: (p) => p.leased },
      { name: "completed", className: "c-first", of: (p) => p.completed },
      { name: "failed", className: "c-bad", of: (p) => p.failed },
    ] }),
  ];
}

const COLUMNS = [
  column("Route", "name"), number("Rate /s"), number("Median"), number("p99"), number("2xx, 3xx"), number("4xx"),
  number("5xx"), column("Statuses", "statuses"),
];

function routeRow() {
  const method = h("span", { className: "method" });
  const path = h("code");
  const numbers = COLUMNS.slice(1, 7).map(() => h("span"));
  const statuses = h("span", { className: "muted" });
  const row = tableRow(COLUMNS, h("span", null, method, path), ...numbers, statuses);
  return { row, update({ route, rates, classes }) {
    setText(method, route.method);
    setText(path, route.route);
    const texts = [rate(rates?.rate ?? 0), milliseconds(rates?.p50), milliseconds(rates?.p99), ...classes.map(count)];
    texts.forEach((text, index) => setText(numbers[index], text));
    setAttribute(numbers[4], "class", classes[1] > 0 ? "warn-text" : "zero");
    setAttribute(numbers[5], "class", classes[2] > 0 ? "bad-text" : "zero");
    const list = Object.entries(route.statuses).map(([status, total]) => `${status} ${count(total)}`);
    setText(statuses, list.join("  ·  "));
  } };
}

export class Traffic {
  constructor() {
    this.tiles = VITALS.map(tile);
    byId("vitals").replaceChildren(...this.tiles.map((one) => one.node));
    this.charts = charts();
    byId("charts").replaceChildren(...this.charts.map((chart) => chart.node));
    this.routes = table("Routes", COLUMNS);
    byId("routes-card").replaceChildren(this.routes.node);
  }

  update(data, rates, now) {
    const spanMs = rates.spanMs(now);
    if (rates.last) for (const one of this.tiles) one.update(rates.points, now, spanMs);
    for (const chart of this.charts) chart.update(rates.points, now, spanMs);
    const rows = data.routes.map((route) => {
      const total = (first) => Object.entries(route.statuses)
        .filter(([status]) => first.includes(status[0])).reduce((sum, [, value]) => sum + value, 0);
      const own = rates.routes.get(`${route.method} ${route.route}`);
      return { route, rates: own, classes: [total("123"), total("4"), total("5")] };
    });
    rows.sort((a, b) => (a.route.route < b.route.route ? -1 : a.route.route > b.route.route ? 1 : 0));
    syncRows(this.routes.body, rows, ({ route }) => `${route.method} ${route.route}`, routeRow);
  }
}
