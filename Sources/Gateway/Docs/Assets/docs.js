// Shows /openapi.json: a list of the operations, and each of them with its parameters, bodies, answers, examples and a
// line for curl. All text goes into the page as text, never as markup. What is closed is made when it is opened.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete", "options"];
const SCHEMA_DEPTH_MAX = 8;
let contract;
const operations = [];

/** An element: attributes, then children; a string is a text, null and false are nothing. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value == null) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/** What a $ref stands for. */
function resolve(value) {
  let found = value;
  for (let step = 0; found && found.$ref && step < SCHEMA_DEPTH_MAX; step++) {
    found = found.$ref.slice(2).split("/").reduce((at, part) => at?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], contract);
  }
  return found || {};
}

// --- text

/** `code`, **strong** and *emphasis* of one line. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/).map((part) => {
    if (/^`.+`$/.test(part)) return el("code", null, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return el("strong", null, inline(part.slice(2, -2)));
    if (/^\*.+\*$/.test(part)) return el("em", null, inline(part.slice(1, -1)));
    return part;
  });
}

/** Paragraphs and lists. */
function prose(text) {
  const parts = [];
  for (const line of (text || "").split("\n")) {
    const item = /^\* (.*)/.exec(line);
    if (item) {
      if (parts.at(-1)?.tagName !== "UL") parts.push(el("ul", null));
      parts.at(-1).append(el("li", null, inline(item[1])));
    } else if (line.trim()) {
      parts.push(el("p", null, inline(line)));
    }
  }
  return parts;
}

/** A path that may be broken behind a slash. */
function pathText(path) {
  return el("span", { class: "path" }, path.split(/(?<=\/)/).flatMap((part, index) => (index > 1 ? [el("wbr"), part] : [part])));
}

/** JSON with its strings, numbers and words told apart. */
function coloured(value) {
  const text = JSON.stringify(value, null, 2);
  return text.split(/("(?:[^"\\]|\\.)*"(?:\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*)/).map((part) => {
    if (/^".*:$/s.test(part) || !part) return part;
    if (part.startsWith('"')) return el("span", { class: "string" }, part);
    if (/^(true|false|null)$/.test(part)) return el("span", { class: "word" }, part);
    return /^-?\d/.test(part) ? el("span", { class: "number" }, part) : part;
  });
}

/** A block of code that can be copied. */
function block(caption, text, content) {
  const button = el("button", { type: "button", click: () => copy(text, button) }, "Copy");
  return el("figure", { class: "block" }, el("figcaption", null, el("span", null, caption), button),
    el("pre", { tabindex: "0" }, el("code", null, content || text)));
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS, or a permission, there is no clipboard: the old way takes a selection.
    const area = el("textarea", null);
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// --- schemas

function typeName(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.oneOf || schema.anyOf) return (schema.oneOf || schema.anyOf).map(typeName).join(" or ");
  const types = [schema.type || "any"].flat();
  return types.map((type) => (type === "array" && schema.items ? `${typeName(schema.items)}[]` : type)).join(" | ");
}

function rules(schema) {
  const found = [];
  if (schema.format) found.push(schema.format);
  if ("minimum" in schema && "maximum" in schema && schema.maximum < 1e15) found.push(`${schema.minimum} to ${schema.maximum}`);
  else if ("minimum" in schema) found.push(`at least ${schema.minimum}`);
  if (schema.minItems) found.push(`at least ${schema.minItems}`);
  if (schema.maxItems) found.push(`at most ${schema.maxItems} items`);
  if (schema.minLength) found.push("not empty");
  if (schema.pattern) found.push(`matches ${schema.pattern}`);
  if ("default" in schema) found.push(`default ${JSON.stringify(schema.default)}`);
  return found.join(", ");
}

/** The members of a schema, or of what it is made of. */
function schemaTree(schema, depth = 0) {
  const found = resolve(schema);
  if (depth > SCHEMA_DEPTH_MAX) return null;
  if (found.allOf) return el("ul", { class: "schema" }, el("li", null, found.allOf.map((part) => schemaTree(part, depth + 1))));
  const choices = found.oneOf || found.anyOf;
  if (choices && !found.properties) {
    return el("ul", { class: "schema" }, choices.map((choice) => el("li", null, el("span", { class: "type" }, typeName(choice)),
      schemaTree(choice, depth + 1))));
  }
  if (found.items) return schemaTree(found.items, depth + 1);
  if (!found.properties) {
    return typeof found.additionalProperties === "object" ? schemaTree(found.additionalProperties, depth + 1) : null;
  }
  const required = new Set(found.required || []);
  return el("ul", { class: "schema" }, Object.entries(found.properties).map(([name, member]) => {
    const target = resolve(member);
    const line = [el("code", null, name), " ", el("span", { class: "type" }, typeName(member)),
      required.has(name) && el("span", { class: "required" }, "required"),
      rules(target) && el("span", { class: "soft" }, ` · ${rules(target)}`),
      target.description && el("span", { class: "soft" }, " — ", inline(target.description))];
    const inner = typeName(member) === "ErrorCode" ? null : schemaTree(member, depth + 1);
    if (!inner) return el("li", null, line);
    return el("li", null, depth < 2 ? [line, inner] : el("details", null, el("summary", null, line), inner));
  }));
}

function examples(media, type) {
  const named = media.examples ? Object.entries(media.examples).map(([name, example]) => [name, resolve(example).value]) : [];
  if ("example" in media) named.push(["Example", media.example]);
  return named.map(([name, value]) => (typeof value === "string"
    ? block(`${name} · ${type}`, value) : block(name, JSON.stringify(value), coloured(value))));
}

// --- one operation

function security(operation) {
  const schemes = contract.components.securitySchemes;
  const list = operation.security || [];
  if (list.length === 0) return el("ul", { class: "needs" }, el("li", { class: "chip" }, "no credential"));
  return el("ul", { class: "needs" }, list.map((needs) => el("li", { class: "chip" }, Object.keys(needs).map((name) => {
    const scheme = schemes[name];
    return scheme.type === "http" ? "Authorization: Bearer" : scheme.in === "query" ? `?${scheme.name}=` : scheme.name;
  }).join(" + ") || "anonymous")));
}

function parameterTable(list) {
  if (list.length === 0) return null;
  return [el("h3", null, "Parameters"), el("table", null,
    el("thead", null, el("tr", null, ["Name", "Where", "Type", ""].map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", null, list.map((parameter) => el("tr", null,
      el("td", null, el("code", null, parameter.name), parameter.required && el("span", { class: "required" }, "required")),
      el("td", { class: "soft" }, parameter.in),
      el("td", null, el("span", { class: "type" }, typeName(parameter.schema))),
      el("td", null, inline(parameter.description || ""), " ", el("span", { class: "soft" }, rules(resolve(parameter.schema))))))))];
}

function bodyPart(body) {
  if (!body) return null;
  const found = resolve(body);
  return [el("h3", null, "Body"), prose(found.description), Object.entries(found.content).map(([type, media]) => [
    el("p", null, el("span", { class: "chip" }, type), !found.required && el("span", { class: "soft" }, " optional"), " ",
      el("span", { class: "type" }, typeName(media.schema || {}))),
    schemaTree(media.schema || {}), examples(media, type)])];
}

function responsePart(responses) {
  return [el("h3", null, "Answers"), el("div", { class: "responses" }, Object.entries(responses).map(([status, response]) => {
    const found = resolve(response);
    const details = el("details", { open: status.startsWith("2") },
      el("summary", null, el("span", { class: `status s${status[0]}` }, status), el("span", null, inline(found.description))));
    const headers = Object.entries(found.headers || {});
    details.append(el("div", null,
      headers.length > 0 && el("p", null, headers.map(([name]) => [el("code", null, name), " "])),
      Object.entries(found.content || {}).map(([type, media]) => [
        !status.startsWith("4") && !status.startsWith("5") && schemaTree(media.schema || {}), examples(media, type)])));
    return details;
  }))];
}

function exampleOf(parameter) {
  const schema = resolve(parameter.schema);
  const value = parameter.example ?? schema.default ?? schema.minimum ?? parameter.name;
  return encodeURIComponent([value].flat().join(","));
}

function quoted(text) {
  return `'${text.replace(/'/g, "'\\''")}'`;
}

function curlLine(operation) {
  const { method, path, parameters, raw } = operation;
  let target = path;
  for (const parameter of parameters.filter((one) => one.in === "path")) target = target.replace(`{${parameter.name}}`, exampleOf(parameter));
  const query = parameters.filter((one) => one.in === "query" && (one.required || one.example != null));
  if (query.length > 0) target += `?${query.map((one) => `${one.name}=${exampleOf(one)}`).join("&")}`;
  const lines = [`curl -s${method === "get" ? "" : ` -X ${method.toUpperCase()}`} ${quoted(location.origin + target)}`];
  const needs = (raw.security || [])[0] || {};
  if (needs.workerToken) lines.push('-H "X-Worker-Token: $WORKER"', "-H 'X-Worker-ID: parser-1'");
  if (needs.opsToken) lines.push('-H "X-Ops-Token: $OPS"');
  if (needs.bearer) lines.push('-H "X-API-Key: $KEY"');
  if (method === "options") lines.push("-H 'Origin: https://example.org' -i");
  const content = Object.entries(resolve(raw.requestBody).content || {})[0];
  if (content) lines.push(...curlBody(content[0], content[1]));
  return lines.join(" \\\n  ");
}

function curlBody(type, media) {
  if (type.startsWith("multipart/")) {
    const metadata = { platform: "beacon", state: "CO", county: "Larimer", parcel_id: "1615514", scraped_at: "2026-02-04T10:00:00Z" };
    return ["-F 'file=@page.html'", `-F ${quoted(`metadata=${JSON.stringify(metadata)}`)}`];
  }
  const value = media.example ?? resolve(Object.values(media.examples || {})[0]).value;
  return [`-H ${quoted(`Content-Type: ${type}`)}`, `-d ${quoted(typeof value === "string" ? value : JSON.stringify(value))}`];
}

function inside(operation) {
  const line = curlLine(operation);
  return el("div", { class: "inside" }, prose(operation.raw.description), security(operation.raw), block("curl", line),
    parameterTable(operation.parameters), bodyPart(operation.raw.requestBody), responsePart(operation.raw.responses));
}

// --- the page

function collect() {
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const raw = item[method];
      const parameters = [...(item.parameters || []), ...(raw.parameters || [])].map(resolve);
      const id = raw.operationId || `${method}${path.replace(/[^A-Za-z0-9]+/g, "-")}`;
      const words = [method, path, raw.summary, raw.description, raw.operationId, ...parameters.map((one) => one.name)];
      operations.push({ path, method, raw, parameters, id, tag: (raw.tags || ["other"])[0], words: words.join(" ").toLowerCase() });
    }
  }
}

function card(operation) {
  const { method, path, raw, id } = operation;
  const details = el("details", { class: "operation", id, toggle: () => {
    if (details.open && details.childElementCount === 1) details.append(inside(operation));
  } }, el("summary", null, el("span", { class: `method ${method}` }, method.toUpperCase()), pathText(path),
    el("span", { class: "soft" }, raw.summary)));
  operation.card = details;
  return details;
}

function entry(operation) {
  const { method, path, id } = operation;
  operation.entry = el("li", null, el("a", { href: `#${id}` }, el("span", { class: `method ${method}` }, method.toUpperCase()),
    pathText(path)));
  return operation.entry;
}

function build() {
  const main = document.getElementById("main");
  const nav = document.getElementById("nav");
  document.getElementById("title").textContent = contract.info.title;
  document.getElementById("version").textContent = contract.info.version;
  main.append(el("div", { class: "lead" }, el("p", null, inline(contract.info.summary || "")), prose(contract.info.description)));
  for (const tag of contract.tags) {
    // Preflights are alike: one behind the other, after what people look for, and not in the list.
    const [plain, preflights] = [false, true].map((isPreflight) => operations.filter((operation) => (
      operation.tag === tag.name && (operation.method === "options") === isPreflight)));
    main.append(el("section", null, el("h2", null, tag.name), prose(tag.description), [...plain, ...preflights].map(card)));
    const isAlias = tag.name === "parcel" || tag.name === "party";
    nav.append(el("details", { open: !isAlias }, el("summary", null, tag.name), el("ul", null, plain.map(entry))));
    preflights.forEach(entry);
  }
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const operation of operations) {
    const isShown = words.every((word) => operation.words.includes(word));
    operation.card.hidden = operation.entry.hidden = !isShown;
    if (isShown) count++;
  }
  for (const section of document.querySelectorAll("main section")) {
    section.hidden = !section.querySelector(".operation:not([hidden])");
  }
  for (const group of document.querySelectorAll("#nav > details")) {
    group.hidden = !group.querySelector("li:not([hidden])");
    if (words.length > 0 && !group.hidden) group.open = true;
  }
  document.querySelector(".lead").hidden = words.length > 0;
  document.getElementById("state").textContent = words.length > 0 ? `${count} of ${operations.length} operations` : "";
}

/** Opens what the address names. */
function follow() {
  const operation = operations.find((one) => one.id === decodeURIComponent(location.hash.slice(1)));
  for (const one of operations) one.entry.firstChild.toggleAttribute("aria-current", one === operation);
  if (!operation) return;
  operation.card.open = true;
  operation.card.scrollIntoView();
  document.getElementById("nav").classList.remove("open");
}

function listen() {
  const search = document.getElementById("search");
  const menu = document.getElementById("menu");
  const all = document.getElementById("all");
  search.addEventListener("input", () => filter(search.value));
  menu.addEventListener("click", () => {
    menu.setAttribute("aria-expanded", document.getElementById("nav").classList.toggle("open"));
  });
  all.addEventListener("click", () => {
    const opens = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", opens);
    all.textContent = opens ? "Close all" : "Open all";
    for (const operation of operations) if (!operation.card.hidden) operation.card.open = opens;
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("docs-theme", root.dataset.theme);
  });
  addEventListener("hashchange", follow);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      filter("");
    }
  });
}

async function start() {
  const theme = localStorage.getItem("docs-theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const state = document.getElementById("state");
  try {
    const response = await fetch("/openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    contract = await response.json();
  } catch (error) {
    state.textContent = `The contract could not be loaded (${error.message}).`;
    return;
  }
  state.textContent = "";
  collect();
  build();
  listen();
  follow();
}

start();
