// Dead letters: what failed for good and why, to be put back or thrown away, one or all. Reasons, messages and targets
// are what workers and producers sent: shown as text.

import { carryOut, confirmed } from "./ops-commands.js";
import { button, buttons, byId, column, h, number, setAttribute, setText, tableRow } from "./ops-dom.js";
import { NONE, ago, count, moment } from "./ops-format.js";
import { PagedTable, choice } from "./ops-paged.js";

const COLUMNS = [
  column("Task", "name"), column("Platform"), column("Why", "why"), number("Attempts"), number("Died"), buttons,
];
/** More of a message or target is cut off. */
const TEXT_CHARACTERS_MAX = 4000;
const cut = (text) => (text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}…` : text);

export class Letters {
  constructor() {
    this.clockMs = () => Date.now();
    this.table = new PagedTable({
      label: "Dead letters", columns: COLUMNS, path: "dlq", list: "tasks", keyOf: (task) => task.task_id,
      rowOf: () => this.row(), filters: () => ({}), heading: byId("letters"),
      emptyText: () => "No dead letters of this kind.",
    });
    this.requeueAll = button("Requeue all", "ghost", (node) => this.moveAll(node, true));
    this.deleteAll = button("Delete all", "danger-ghost", (node) => this.moveAll(node, false));
    this.table.changed = (total) => { this.requeueAll.disabled = this.deleteAll.disabled = total === 0; };
    this.table.changed(0);
    byId("letters-card").replaceChildren(
      h("div", { className: "toolbar" },
        choice("Kind of work", [["parcel", "Parcel"], ["party", "Party"]], (kind) => {
          this.table.kind = kind;
          this.table.reset();
        }),
        h("div", { className: "toolbar-end", role: "group", "aria-label": "All dead letters" },
          this.requeueAll, this.deleteAll)),
      ...this.table.nodes);
  }

  start(client) {
    this.client = client;
    this.table.start(client);
  }

  end() { this.table.end(); }

  update(data, clockMs) {
    this.clockMs = clockMs;
    const dead = Object.values(data.kinds).reduce((sum, kind) => sum + (kind.queue?.dead ?? 0), 0);
    const badge = byId("nav-dead");
    badge.hidden = dead === 0;
    setText(badge, count(dead));
    this.table.refreshIfDue();
    for (const row of this.table.table.body.children) row.tick?.();
  }

  row() {
    let task = null;
    const id = h("span", { className: "id" });
    const platform = h("span", { className: "chip" });
    const reason = h("strong");
    const message = h("span", { className: "message" });
    const details = h("pre", { tabindex: "0" });
    const more = h("details", null, h("summary", { text: "Show the task" }), details);
    const attempts = h("span");
    const died = h("time");
    const requeue = button("Requeue", "ghost", (node) => this.move(node, task.task_id, true));
    const remove = button("Delete", "danger-ghost", (node) => this.move(node, task.task_id, false));
    const row = tableRow(COLUMNS, id, platform, h("div", null, reason, " ", message, more), attempts, died,
      h("span", { className: "button-row" }, requeue, remove));
    row.tick = () => setText(died, ago(Date.parse(task.died_at), this.clockMs()));
    return { row, update: (next) => {
      task = next;
      setText(id, task.task_id);
      setText(platform, String(task.platform ?? NONE));
      setText(reason, cut(String(task.error?.reason ?? "unknown")));
      setText(message, cut(String(task.error?.message ?? "")));
      setText(attempts, count(task.attempts));
      setAttribute(died, "datetime", task.died_at ?? "");
      setAttribute(died, "title", moment(task.died_at));
      row.tick();
      const { error, attempts: _, died_at: __, attempt: ___, ...rest } = task;
      setText(details, cut(JSON.stringify(rest, null, 2)));
      setAttribute(details, "aria-label", `Task ${task.task_id}`);
      setAttribute(more.firstChild, "aria-label", `Show the task ${task.task_id}`);
      setAttribute(requeue, "aria-label", `Requeue ${task.task_id}`);
      setAttribute(remove, "aria-label", `Delete ${task.task_id}`);
    } };
  }

  async move(button, id, isRequeue) {
    if (!isRequeue && !await confirmed({ title: "Delete this dead letter?", action: "Delete",
      text: `${id} is forgotten; its producer may queue it again.` })) return;
    const moved = await this.ask(button, isRequeue, { task_ids: [id] }, (total) =>
      (total === 0 ? `${id} was no dead letter any more.` : `${id} is ${isRequeue ? "queued again" : "deleted"}.`));
    if (moved) await this.table.refresh();
  }

  async moveAll(button, isRequeue) {
    const total = this.table.total;
    const kind = this.table.kind;
    if (!await confirmed({ title: isRequeue ? `Requeue all ${kind} dead letters?` : `Delete all ${kind} dead letters?`,
      action: isRequeue ? "Requeue all" : "Delete all", isDangerous: !isRequeue,
      text: isRequeue ? `${count(total)} tasks go back to their queues and count their retries anew.`
        : `${count(total)} tasks are forgotten. This cannot be undone.` })) return;
    const moved = await this.ask(button, isRequeue, { all: true }, (moved) =>
      `${count(moved)} dead letter${moved === 1 ? "" : "s"} ${isRequeue ? "requeued" : "deleted"}.`);
    if (moved) await this.table.reset();
  }

  async ask(button, isRequeue, body, words) {
    let isDone = false;
    const path = isRequeue ? `${this.table.kind}/dlq/requeue` : `${this.table.kind}/dlq`;
    await carryOut(button, async () => {
      const answer = await this.client.send(isRequeue ? "POST" : "DELETE", path, body);
      isDone = true;
      return words(isRequeue ? answer.requeued : answer.deleted);
    });
    return isDone;
  }
}
