// A table in pages, of one kind of work: fetches the page that is shown, again every few seconds while it is on screen,
// and keeps the way back. Limits: `PAGE_ROWS` rows a page; one fetch at a time, an older answer is dropped.

import { button, h, setText, syncRows, table } from "./ops-dom.js";
import { count } from "./ops-format.js";

const PAGE_ROWS = 25;
const REFRESH_MS = 4000;

let groups = 0;

/** Radio buttons that look like one switch. `changed(value)` is told of each choice. */
export function choice(label, options, changed) {
  groups += 1;
  const name = `choice-${groups}`;
  return h("fieldset", { className: "choice" }, h("legend", { className: "hidden", text: label }),
    ...options.map(([value, text], index) => h("label", null,
      h("input", { type: "radio", name, value, checked: index === 0, onchange: () => changed(value) }),
      h("span", { text }))));
}

export class PagedTable {
  /**
   * @param path "workers" or "dlq", below the kind; `list` is its name in the answer.
   * @param rowOf makes a row, as `syncRows` wants it; `keyOf` names an item.
   * @param filters the query's parameters now.
   */
  constructor({ label, columns, path, list, keyOf, rowOf, filters, emptyText, heading }) {
    Object.assign(this, { path, list, keyOf, rowOf, filters, emptyText, heading });
    this.kind = "parcel";
    this.cursors = [""];
    this.client = null;
    this.asked = 0;
    this.table = table(label, columns);
    this.empty = h("p", { className: "empty", text: "Loading…" });
    this.status = h("p", { className: "muted" });
    this.previous = button("Previous", "ghost", () => this.turn(-1));
    this.next = button("Next", "ghost", () => this.turn(1));
    this.pager = h("nav", { className: "pager", "aria-label": `Pages of ${label.toLowerCase()}` },
      this.status, this.previous, this.next);
    this.isOnScreen = false;
    new IntersectionObserver(([entry]) => {
      this.isOnScreen = entry.isIntersecting;
      this.refreshIfDue();
    }, { rootMargin: "200px" }).observe(heading);
    this.setPage([], null, 0);
  }

  get nodes() { return [this.table.node, this.empty, this.pager]; }

  start(client) {
    this.client = client;
    this.reset();
  }

  end() {
    this.client = null;
    this.asked += 1;
    syncRows(this.table.body, [], this.keyOf, this.rowOf);
  }

  /** From the first page, with other filters or of another kind. */
  reset() {
    this.cursors = [""];
    return this.refresh();
  }

  turn(by) {
    if (by > 0) this.cursors.push(this.nextCursor);
    else if (this.cursors.length > 1) this.cursors.pop();
    return this.refresh();
  }

  /** Called with each overview. */
  refreshIfDue() {
    if (this.client && this.isOnScreen && performance.now() - (this.askedAt ?? 0) > REFRESH_MS) this.refresh();
  }

  async refresh() {
    if (!this.client) return;
    this.asked += 1;
    const mine = this.asked;
    this.askedAt = performance.now();
    try {
      const page = await this.client.get(`${this.kind}/${this.path}`,
        { limit: String(PAGE_ROWS), cursor: this.cursors[this.cursors.length - 1], ...this.filters() });
      if (mine !== this.asked) return;
      // The last item of a page was taken away.
      if (page[this.list].length === 0 && this.cursors.length > 1 && !page.next_cursor) return void this.turn(-1);
      this.setPage(page[this.list], page.next_cursor, page.total);
    } catch (failure) {
      if (mine === this.asked) this.fail(failure);
    }
  }

  setPage(items, nextCursor, total) {
    this.nextCursor = nextCursor;
    this.total = total;
    syncRows(this.table.body, items, this.keyOf, this.rowOf, this.heading);
    this.table.node.hidden = items.length === 0;
    this.empty.hidden = items.length > 0;
    setText(this.empty, this.emptyText(total));
    const first = (this.cursors.length - 1) * PAGE_ROWS;
    const isFiltered = Object.values(this.filters()).some((value) => value);
    // How many match a filter nobody has counted.
    const place = isFiltered ? `Page ${this.cursors.length}`
      : `${count(first + 1)}–${count(first + items.length)} of ${count(total)}`;
    setText(this.status, items.length === 0 ? "" : place);
    this.previous.disabled = this.cursors.length === 1;
    this.next.disabled = !nextCursor;
    this.pager.hidden = items.length === 0 && this.cursors.length === 1;
    this.changed?.(total);
  }

  /** What was shown stays; only where nothing is shown does the reason take its place. */
  fail(failure) {
    setText(this.empty, `This list cannot be shown: ${failure.message}`);
    if (!this.table.node.hidden) setText(this.status, `Not refreshed: ${failure.message}`);
  }
}
