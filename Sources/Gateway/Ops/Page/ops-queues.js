// The queues: a card a kind, a row a platform with its ready tasks by priority, what is out, delayed and dead, its
// workers and proxies. Limit: the gateway lists the 200 platforms of a kind with most tasks; a line tells of the rest.

import { byId, column, h, number, s, setAttribute, setText, syncRows, table, tableRow } from "./ops-dom.js";
import { NONE, count, seconds } from "./ops-format.js";

const PRIORITIES = ["urgent", "high", "normal", "low"];
const COLUMNS = [
  column("Platform", "name"), number("Ready"), column("By priority", "mix"),
  ...PRIORITIES.map((name, index) => column(`${index + 1} ${name}`, "number wide")),
  number("Oldest"), number("Leased"), number("Delayed"), number("Dead"), number("Workers"), number("Proxies"),
];
const TOTALS = [
  ["Ready", "ready"], ["Leased", "leased"], ["Delayed", "delayed"], ["Dead", "dead"], ["Oldest", "oldest_seconds"],
];
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** A bar of four parts, as wide as the row's share of the greatest. */
function mixBar() {
  const parts = PRIORITIES.map((_, index) => s("rect", { class: `p${index + 1}`, y: 0, height: 10 }));
  const node = s("svg", { class: "mixbar", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img" }, ...parts);
  return { node, update(ready, greatest) {
    let left = 0;
    ready.forEach((tasks, index) => {
      const width = greatest > 0 ? tasks / greatest * 100 : 0;
      setAttribute(parts[index], "x", left.toFixed(2));
      setAttribute(parts[index], "width", width.toFixed(2));
      left += width;
    });
    setAttribute(node, "aria-label", ready.map((tasks, index) => `${PRIORITIES[index]} ${tasks}`).join(", "));
  } };
}

function platformRow() {
  const name = h("span", { className: "id" });
  const ready = h("strong");
  const bar = mixBar();
  const numbers = COLUMNS.slice(3).map(() => h("span"));
  const row = tableRow(COLUMNS, name, ready, bar.node, ...numbers);
  return { row, update({ platform, greatest }) {
    setText(name, platform.platform);
    setText(ready, count(sum(platform.ready)));
    bar.update(platform.ready, greatest);
    const proxies = platform.proxies_available + platform.proxies_banned;
    const texts = [...platform.ready.map(count),
      sum(platform.ready) > 0 ? seconds(Math.max(...platform.oldest_seconds)) : NONE,
      count(platform.leased), count(platform.delayed), count(platform.dead), count(platform.workers),
      proxies > 0 ? `${platform.proxies_available} of ${proxies}` : NONE];
    texts.forEach((text, index) => {
      setText(numbers[index], text);
      setAttribute(numbers[index], "class", text === "0" || text === NONE ? "zero" : index === 7 ? "bad-text" : "");
    });
  } };
}

class KindCard {
  constructor(kind) {
    this.totals = TOTALS.map(() => h("dd", { text: NONE }));
    this.table = table(`Platforms of ${kind}`, COLUMNS);
    this.empty = h("p", { className: "empty" });
    this.more = h("p", { className: "muted small" });
    this.node = h("div", { className: "card" },
      h("div", { className: "card-head" }, h("h3", { text: kind[0].toUpperCase() + kind.slice(1) }),
        h("dl", { className: "totals" }, ...TOTALS.map(([name], index) =>
          h("div", null, h("dt", { text: name }), this.totals[index])))),
      this.table.node, this.empty, this.more);
  }

  update(kind) {
    TOTALS.forEach(([, name], index) => {
      const value = kind.queue?.[name];
      const age = kind.queue?.ready > 0 ? seconds(value) : NONE;
      setText(this.totals[index], name === "oldest_seconds" ? age : count(value));
      setAttribute(this.totals[index], "class", name === "dead" && value > 0 ? "bad-text" : "");
    });
    const greatest = Math.max(0, ...kind.platforms.map((platform) => sum(platform.ready)));
    syncRows(this.table.body, kind.platforms.map((platform) => ({ platform, greatest })),
      (item) => item.platform.platform, platformRow);
    this.table.node.hidden = kind.platforms.length === 0;
    this.empty.hidden = kind.platforms.length > 0;
    setText(this.empty, kind.queue ? "No tasks, no workers. What is queued shows up here."
      : "Redis does not answer: the queue is not known.");
    const rest = kind.platforms_total - kind.platforms.length;
    setText(this.more, rest > 0 ? `${count(rest)} more platforms are not listed.` : "");
  }
}

export class Queues {
  constructor() {
    this.cards = new Map();
    this.legend = h("ul", { className: "legend" }, ...PRIORITIES.map((name, index) =>
      h("li", { className: `key p${index + 1}`, text: `${index + 1} ${name}` })));
    byId("queue-cards").replaceChildren(this.legend);
  }

  update(data) {
    for (const [name, kind] of Object.entries(data.kinds)) {
      if (!this.cards.has(name)) {
        const card = new KindCard(name);
        this.cards.set(name, card);
        this.legend.before(card.node);
      }
      this.cards.get(name).update(kind);
    }
  }
}
