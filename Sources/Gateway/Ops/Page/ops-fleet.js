// The fleet: who was heard from when, what each says of itself, and commands for one or all. Worker ids, platforms and
// figures are what workers sent: text and numbers, whatever they hold.

import { carryOut, confirmed } from "./ops-commands.js";
import {
  button, buttons, byId, column, h, number, setAttribute, setState, setText, tableRow,
} from "./ops-dom.js";
import { NONE, ago, count, moment } from "./ops-format.js";
import { PagedTable, choice } from "./ops-paged.js";

const COLUMNS = [
  column("Worker", "name"), column("State"), number("Last heard"), number("Leases"), number("Done /min"),
  number("Failed /min"), number("CPU"), number("Memory"), column("Platforms", "chips"), buttons,
];
const COMMANDS = [
  { command: "pause", verb: "Pause", done: "pauses", doneByAll: "pause" },
  { command: "resume", verb: "Resume", done: "resumes", doneByAll: "resume" },
  { command: "shutdown", verb: "Shut down", done: "shuts down", doneByAll: "shut down", isDangerous: true },
];
const PLATFORMS_SHOWN = 4;
/** A worker that fails more of its tasks than this is marked. */
const FAILING_SHARE = 0.2;
const FILTER_PAUSE_MS = 250;
const known = (value) => (typeof value === "number" ? value : null);

export class Fleet {
  constructor() {
    this.clockMs = () => Date.now();
    this.table = new PagedTable({
      label: "Workers", columns: COLUMNS, path: "workers", list: "workers", keyOf: (worker) => worker.worker_id,
      rowOf: () => this.row(), filters: () => this.filters(), heading: byId("fleet"),
      emptyText: (total) => (total > 0 ? "No worker matches. Try another filter."
        : "No worker has been heard from yet. One shows up here with its first heartbeat."),
    });
    const search = (id, placeholder, maxlength) => h("input", {
      type: "search", id, placeholder, maxlength, spellcheck: "false", autocomplete: "off" });
    this.prefix = search("fleet-prefix", "parser-…", 128);
    this.platform = search("fleet-platform", "beacon", 64);
    this.alive = h("select", { id: "fleet-alive" }, h("option", { value: "", text: "All" }),
      h("option", { value: "true", text: "Alive" }), h("option", { value: "false", text: "Silent" }));
    for (const input of [this.prefix, this.platform]) {
      input.addEventListener("input", () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.table.reset(), FILTER_PAUSE_MS);
      });
    }
    this.alive.addEventListener("change", () => this.table.reset());
    const labelled = (text, input) =>
      h("label", { className: "labelled", for: input.id }, h("span", { text }), input);
    const all = COMMANDS.map((one) =>
      button(`${one.verb} all`, one.isDangerous ? "danger-ghost" : "ghost", (node) => this.tellAll(node, one)));
    byId("fleet-card").replaceChildren(
      h("div", { className: "toolbar" },
        choice("Kind of work", [["parcel", "Parcel"], ["party", "Party"]], (kind) => {
          this.table.kind = kind;
          this.table.reset();
        }),
        labelled("Id begins with", this.prefix), labelled("Platform", this.platform), labelled("State", this.alive),
        h("div", { className: "toolbar-end", role: "group", "aria-label": "Commands for the whole fleet" }, ...all)),
      ...this.table.nodes);
  }

  /** What the gateway would refuse is not asked for. */
  filters() {
    const plain = (input) => (input?.value ?? "").replace(/[^A-Za-z0-9._:-]/g, "");
    return { prefix: plain(this.prefix), platform: plain(this.platform), alive: this.alive?.value ?? "" };
  }

  start(client) {
    this.client = client;
    this.table.start(client);
  }

  end() { this.table.end(); }

  /** @param clockMs the gateway's clock. */
  update(data, clockMs) {
    this.clockMs = clockMs;
    const queue = data.kinds[this.table.kind]?.queue;
    const alive = `${count(queue?.workers_alive)} of ${count(queue?.workers)} workers of this kind`;
    setText(byId("fleet-summary"), queue ? `${alive} were heard from within the lease time.` : "");
    this.table.refreshIfDue();
    for (const row of this.table.table.body.children) row.tick?.();
  }

  row() {
    let worker = null;
    const id = h("span", { className: "id" });
    const state = h("span");
    const heard = h("time");
    const numbers = COLUMNS.slice(3, 8).map(() => h("span"));
    const chips = h("span", { className: "chip-list" });
    const commands = COMMANDS.map((one) => button(one.verb, one.isDangerous ? "danger-ghost" : "ghost",
      (node) => this.tell(node, worker.worker_id, one)));
    const row = tableRow(COLUMNS, id, state, heard, ...numbers, chips,
      h("span", { className: "button-row" }, ...commands));
    row.tick = () => setText(heard, ago(Date.parse(worker.last_seen), this.clockMs()));
    return { row, update: (next) => {
      worker = next;
      setText(id, worker.worker_id);
      setState(state, worker.alive ? "ok" : "bad", worker.alive ? "Alive" : "Silent");
      setAttribute(heard, "title", moment(worker.last_seen));
      setAttribute(heard, "datetime", worker.last_seen);
      row.tick();
      const status = worker.status ?? {};
      const share = (value) => (known(value) === null ? NONE : `${Math.round(value)}\u202F%`);
      const [done, failed] = [known(status.completed_last_minute), known(status.failed_last_minute)];
      const isFailing = failed >= FAILING_SHARE * (failed + done);
      const texts = [
        count(worker.leases), count(done), count(failed), share(status.cpu_percent), share(status.memory_percent),
      ];
      texts.forEach((text, index) => {
        setText(numbers[index], text);
        const isZero = text === "0" || text === NONE;
        setAttribute(numbers[index], "class", isZero ? "zero" : index === 2 && isFailing ? "warn-text" : "");
      });
      this.showPlatforms(chips, Array.isArray(status.platforms) ? status.platforms.map(String) : []);
      COMMANDS.forEach((one, index) => setAttribute(commands[index], "aria-label", `${one.verb} ${worker.worker_id}`));
    } };
  }

  showPlatforms(chips, names) {
    const key = names.join("\n");
    if (chips.shownKey === key) return;
    chips.shownKey = key;
    const rest = names.slice(PLATFORMS_SHOWN);
    chips.replaceChildren(
      ...names.slice(0, PLATFORMS_SHOWN).map((name) => h("span", { className: "chip", text: name })),
      rest.length > 0 ? h("span", { className: "chip more", text: `+${rest.length}`, title: rest.join(", ") }) : "");
  }

  // --- commands ---

  path(worker) { return `${this.table.kind}/workers/${encodeURIComponent(worker)}/commands`; }

  async tell(button, worker, { command, verb, done, isDangerous }) {
    if (isDangerous && !await confirmed({ title: `${verb} ${worker}?`, action: verb,
      text: "It ends when its next heartbeat is answered. Only whoever runs it can start it again." })) return;
    const path = this.path(worker);
    await carryOut(button, async () => {
      await this.client.send("POST", path, { command });
      return `${worker} ${done} with its next heartbeat.`;
    });
  }

  async tellAll(button, { command, verb, doneByAll, isDangerous }) {
    const kind = this.table.kind;
    const path = this.path("*");
    const text = isDangerous
      ? "Every worker that is alive ends with its next heartbeat. Only whoever runs them can start them again."
      : "No worker takes new tasks until the fleet is told to resume.";
    const question = { title: `${verb} all ${kind} workers?`, action: `${verb} all`, text };
    if (command !== "resume" && !await confirmed(question)) return;
    await carryOut(button, async () => {
      const answer = await this.client.send("POST", path, { command });
      return `${count(answer.workers)} ${kind} workers ${doneByAll} with their next heartbeat.`;
    });
  }
}
