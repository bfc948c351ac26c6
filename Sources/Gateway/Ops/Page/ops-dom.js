// Elements out of data: made once, changed only where something changed, so that focus and selection survive a refresh.
// Text is set as text and attributes by name; no markup is ever parsed, so that nothing a worker sends can become one.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An HTML element. `props`: attributes, `text`, and `onclick`-like listeners. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

export const byId = (id) => document.getElementById(id);

/** Sets text where it differs: a node that is not touched keeps its selection. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A word with a shape before it, so that colour is never all there is. `kind`: ok, warn, bad, idle. */
export function setState(node, kind, text) {
  setAttribute(node, "class", `state ${kind}`);
  setText(node, text);
}

/**
 * Makes the rows of a table (or the children of any element) those of `items`, in order. Rows are kept by key.
 * @param create takes an item, returns { row, update(item) }.
 * Focus in a row that goes moves to the row that takes its place, or else to `fallback`.
 */
export function syncRows(body, items, keyOf, create, fallback) {
  const known = body.rowsByKey ?? (body.rowsByKey = new Map());
  const wanted = new Set(items.map(keyOf));
  const focused = document.activeElement;
  let lostAt = -1;
  for (const [key, entry] of known) {
    if (wanted.has(key)) continue;
    if (entry.row.contains(focused)) lostAt = Array.prototype.indexOf.call(body.children, entry.row);
    entry.row.remove();
    known.delete(key);
  }
  items.forEach((item, index) => {
    const key = keyOf(item);
    let entry = known.get(key);
    if (!entry) {
      entry = create(item);
      known.set(key, entry);
    }
    entry.update(item);
    if (body.children[index] !== entry.row) body.insertBefore(entry.row, body.children[index] ?? null);
  });
  if (lostAt >= 0) {
    const next = body.children[Math.min(lostAt, body.children.length - 1)]?.querySelector("button");
    (next ?? fallback)?.focus({ preventScroll: true });
  }
}

/** A column of numbers, of words, of buttons: `className` says how it is laid out. */
export const column = (name, className) => ({ name, className });
export const number = (name) => column(name, "number");
export const buttons = column("", "buttons");

/** A button that does `work(button)`. */
export function button(text, className, work) {
  return h("button", { type: "button", className, text, onclick: (event) => work(event.currentTarget) });
}

/**
 * A table whose cells carry their column's name, for the phone's layout.
 * @param columns made by `column`, `number` and `buttons`.
 */
export function table(label, columns) {
  const body = h("tbody");
  const heads = columns.map(({ name, className }) =>
    h("th", { scope: "col", className }, name || h("span", { className: "hidden", text: "Actions" })));
  const node = h("table", { "aria-label": label }, h("thead", null, h("tr", null, ...heads)), body);
  return { node: h("div", { className: "table" }, node), body };
}

/** A cell of `table`. */
export function cell({ name, className }, ...children) {
  return h("td", { className, "data-label": name || null }, ...children);
}

/** A row with a cell for each column and what it shows. */
export function tableRow(columns, ...contents) {
  return h("tr", null, ...contents.map((content, index) => cell(columns[index], content)));
}
