// What the gateway leans on and what it uses: dependencies, circuits, proxies, the process and its reactors.

import {
  byId, column, h, number, s, setAttribute, setState, setText, syncRows, table, tableRow,
} from "./ops-dom.js";
import { NONE, bytes, count, milliseconds, percent, rate, seconds } from "./ops-format.js";

const NAMES = { redis: "Redis", postgres: "PostgreSQL", raw_storage: "Raw storage" };
const STATES = {
  ok: ["ok", "Connected"], degraded: ["warn", "Degraded"], unavailable: ["bad", "Unavailable"],
  unknown: ["idle", "Checking"],
};
const CIRCUITS = { closed: ["ok", "Closed"], half_open: ["warn", "Half-open"], open: ["bad", "Open"] };

const card = (title, ...children) => h("div", { className: "card" },
  h("div", { className: "card-head" }, h("h3", { text: title })), ...children);

/** A bar of one share; its cell says the number. */
function meter() {
  const part = s("rect", { y: 0, height: 6, x: 0 });
  const box = { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" };
  const node = s("svg", { class: "meter", ...box }, part);
  return { node, update(share, kind = "") {
    setAttribute(part, "width", (Math.min(1, Math.max(0, share)) * 100).toFixed(1));
    setAttribute(node, "class", `meter ${kind}`);
  } };
}

/** A list of names and values that are made once and filled by key. */
function facts(names) {
  const values = new Map(Object.keys(names).map((key) => [key, h("dd", { text: NONE })]));
  const node = h("dl", { className: "facts" }, ...[...values].map(([key, value]) =>
    h("div", null, h("dt", { text: names[key] }), value)));
  return { node, set: (key, text, className = "") => {
    setText(values.get(key), text);
    setAttribute(values.get(key), "class", className);
  } };
}

const DEPENDENCY_COLUMNS = [
  column("Dependency", "name"), column("State"), number("Answers in"), number("Reactors"), number("Losses"),
];

function dependencyRow() {
  const [name, state] = [h("span"), h("span")];
  const numbers = DEPENDENCY_COLUMNS.slice(2).map(() => h("span"));
  const row = tableRow(DEPENDENCY_COLUMNS, name, state, ...numbers);
  return { row, update({ key, value, reactors }) {
    setText(name, NAMES[key] ?? key);
    const [kind, word] = STATES[value.status] ?? ["idle", value.status];
    setState(state, kind, key === "raw_storage" && kind === "ok" ? "Writable" : word);
    setText(numbers[0], milliseconds(value.latency_ms));
    setText(numbers[1], value.reactors_connected === undefined ? NONE : `${value.reactors_connected} of ${reactors}`);
    setText(numbers[2], count(value.connections_lost));
    setAttribute(numbers[2], "class", value.connections_lost > 0 ? "warn-text" : "zero");
  } };
}

const UPSTREAM_COLUMNS = [
  column("Service", "name"), column("Circuit"), number("Endpoints"), number("Rate /s"), number("p99"),
  number("Failures"),
];

function upstreamRow() {
  const [name, state] = [h("span"), h("span")];
  const numbers = UPSTREAM_COLUMNS.slice(2).map(() => h("span"));
  const row = tableRow(UPSTREAM_COLUMNS, name, state, ...numbers);
  return { row, update({ service, rates }) {
    setText(name, service.service);
    const circuit = CIRCUITS[service.circuit] ?? ["idle", service.circuit];
    setState(state, ...(service.endpoints === 0 ? ["idle", "Not set up"] : circuit));
    // All that is no answer below 500: server errors, and what never became an answer.
    const failures = Object.entries(service.statuses)
      .reduce((sum, [status, value]) => (/^[1-4]/.test(status) ? sum : sum + value), 0);
    const texts = [count(service.endpoints), rate(rates?.rate ?? 0), milliseconds(rates?.p99), count(failures)];
    texts.forEach((text, index) => setText(numbers[index], text));
    setAttribute(numbers[3], "class", failures > 0 ? "bad-text" : "zero");
  } };
}

const PROXY_COLUMNS = [
  column("Platform", "name"), column("Kind"), column("State"), number("Available"), number("Banned"),
];

function proxyRow() {
  const name = h("span", { className: "id" });
  const [kindName, state, available, banned] = [h("span"), h("span"), h("span"), h("span")];
  const row = tableRow(PROXY_COLUMNS, name, kindName, state, available, banned);
  return { row, update({ kind, platform: { platform, proxies_available: left, proxies_banned: out } }) {
    setText(name, platform);
    setText(kindName, kind);
    setState(state, ...(left === 0 ? ["bad", "None left"] : out > 0 ? ["warn", "Some banned"] : ["ok", "All free"]));
    setText(available, count(left));
    setText(banned, count(out));
    setAttribute(banned, "class", out > 0 ? "warn-text" : "zero");
  } };
}

function reactorRow() {
  const name = h("dt");
  const bar = meter();
  const value = h("dd");
  return { row: h("div", null, name, bar.node, value), update({ reactor, index }) {
    setText(name, `Reactor ${index}`);
    bar.update(reactor.busy_ratio, reactor.busy_ratio > 0.85 ? "bad" : reactor.busy_ratio > 0.6 ? "warn" : "");
    setText(value, `${percent(reactor.busy_ratio)} busy`);
  } };
}

function listenerRow() {
  const name = h("dt");
  const value = h("dd");
  return { row: h("div", null, name, value), update(listener) {
    setText(name, listener.listener);
    setText(value, `${count(listener.open)} open`);
    setAttribute(value, "title", `${count(listener.accepted)} accepted since the start`);
  } };
}

export class System {
  constructor() {
    this.dependencies = table("Dependencies", DEPENDENCY_COLUMNS);
    this.upstreams = table("Upstream services", UPSTREAM_COLUMNS);
    this.proxies = table("Proxies", PROXY_COLUMNS);
    this.noProxies = h("p", { className: "empty", text: "No platform has asked for a proxy lately." });
    this.facts = facts({
      up: "Up for", cpu: "CPU", memory: "Memory", files: "Open files", cache: "Cache hits", stale: "Stale answers",
      rate: "Refused by rate", quota: "Refused by quota",
    });
    this.reactors = h("dl", { className: "meters" });
    this.listeners = h("dl", { className: "facts" });
    byId("system-cards").replaceChildren(
      card("Dependencies", this.dependencies.node), card("Process", this.facts.node),
      card("Circuits", this.upstreams.node), card("Reactors and connections", this.reactors, this.listeners),
      card("Proxies", this.proxies.node, this.noProxies));
  }

  update(data, rates) {
    const { process, cache } = data;
    const reactors = process.reactors.length;
    syncRows(this.dependencies.body,
      Object.entries(data.dependencies).map(([key, value]) => ({ key, value, reactors })),
      (item) => item.key, dependencyRow);
    syncRows(this.upstreams.body,
      data.upstreams.map((service) => ({ service, rates: rates.upstreams.get(service.service) })),
      (item) => item.service.service, upstreamRow);
    const proxies = Object.entries(data.kinds).flatMap(([kind, { platforms }]) => platforms
      .filter((platform) => platform.proxies_available + platform.proxies_banned > 0)
      .map((platform) => ({ kind, platform })));
    syncRows(this.proxies.body, proxies, (item) => `${item.kind} ${item.platform.platform}`, proxyRow);
    this.proxies.node.hidden = proxies.length === 0;
    this.noProxies.hidden = proxies.length > 0;
    syncRows(this.reactors, process.reactors.map((reactor, index) => ({ reactor, index })),
      (item) => item.index, reactorRow);
    syncRows(this.listeners, data.listeners, (listener) => listener.listener, listenerRow);
    this.showProcess(data, rates, cache.hits + cache.misses + cache.stale);
  }

  showProcess(data, rates, asked) {
    const { process, cache, refused } = data;
    this.facts.set("up", seconds((data.at_ms - process.started_at_ms) / 1000));
    this.facts.set("cpu", rates.cpu === null ? NONE : `${percent(rates.cpu)} of a core`);
    this.facts.set("memory", bytes(process.resident_bytes));
    this.facts.set("files", `${count(process.descriptors_open)} of ${count(process.descriptors_max)}`);
    this.facts.set("cache", asked > 0 ? `${percent(cache.hits / asked)} of ${count(asked)}` : NONE);
    this.facts.set("stale", count(cache.stale));
    this.facts.set("rate", count(refused.rate), refused.rate > 0 ? "warn-text" : "");
    this.facts.set("quota", count(refused.quota), refused.quota > 0 ? "warn-text" : "");
    setText(byId("process-line"), `Version ${process.version} · ${process.backend} · process ${process.id}`);
  }
}
