// The operators' page: signs in, hands each overview to the parts of the page, and says when the gateway is gone.
// The token lies in sessionStorage, of this tab only.

import { Client, Poller, Refused } from "./ops-client.js";
import { byId, setAttribute, setState, setText } from "./ops-dom.js";
import { Fleet } from "./ops-fleet.js";
import { seconds, time } from "./ops-format.js";
import { Letters } from "./ops-letters.js";
import { Queues } from "./ops-queues.js";
import { Rates } from "./ops-rates.js";
import { System } from "./ops-system.js";
import { startTheme } from "./ops-theme.js";
import { Traffic } from "./ops-traffic.js";

const TOKEN_KEY = "gateway-ops-token";
/** Why the last stay ended, for the form that comes after. */
const REASON_KEY = "gateway-ops-reason";

const storage = {
  get token() {
    try {
      return sessionStorage.getItem(TOKEN_KEY);
    } catch {
      return null;  // Storage is forbidden: signed in as long as the page lives.
    }
  },
  set token(value) {
    try {
      if (value) sessionStorage.setItem(TOKEN_KEY, value);
      else sessionStorage.removeItem(TOKEN_KEY);
    } catch { /* As above. */ }
  },
};

/** One stay: from signing in to signing out. */
class Session {
  constructor(parts, token, ended) {
    this.parts = parts;
    this.rates = new Rates();
    this.ended = ended;
    this.lastHeard = null;
    this.clockOffsetMs = 0;
    this.client = new Client(token);
    this.poller = new Poller(this.client, this);
    this.ticker = setInterval(() => this.showLoss(), 1000);
  }

  start() {
    for (const part of [this.parts.fleet, this.parts.letters]) part.start(this.client);
    this.poller.start();
  }

  end() {
    this.poller.end();
    clearInterval(this.ticker);
    for (const part of [this.parts.fleet, this.parts.letters]) part.end();
    byId("lost").hidden = byId("notice").hidden = true;
  }

  // --- what the poller tells ---

  heard(data) {
    const now = performance.now();
    const { traffic, queues, fleet, letters, system } = this.parts;
    const clockMs = () => Date.now() + this.clockOffsetMs;
    this.clockOffsetMs = data.at_ms - Date.now();
    this.lastHeard = Date.now();
    this.failure = null;
    this.rates.take(data, now);
    traffic.update(data, this.rates, now);
    queues.update(data);
    fleet.update(data, clockMs);
    letters.update(data, clockMs);
    system.update(data, this.rates);
    setState(byId("live"), "ok", "Live");
    setAttribute(byId("live"), "title", `Last figures at ${time(this.lastHeard)}`);
    byId("lost").hidden = true;
    this.showNotice(data);
  }

  lost(failure, pauseMs) {
    this.failure = failure;
    this.nextTry = Date.now() + pauseMs;
    setState(byId("live"), "bad", "Disconnected");
    const words = failure.status === 0 ? "The gateway does not answer."
      : `The gateway answers ${failure.status}: ${failure.message}`;
    const since = this.lastHeard ? ` These figures are of ${time(this.lastHeard)}.` : "";
    setText(byId("lost-text"), words + since);
    byId("lost").hidden = false;
    this.showLoss();
  }

  refused(failure) { this.ended(`This token is not accepted any more: ${failure.message}`); }

  /** The countdown, beside the alert and not in it: it would be read out each second. */
  showLoss() {
    if (!this.failure) return;
    const wait = Math.max(0, Math.ceil((this.nextTry - Date.now()) / 1000));
    const past = this.lastHeard ? `, ${seconds((Date.now() - this.lastHeard) / 1000)} without figures` : "";
    setText(byId("retry"), wait > 0 ? `Retry now (in ${wait}\u202Fs${past})` : "Retrying…");
  }

  showNotice(data) {
    const notices = [];
    if (data.process.draining) notices.push("This gateway is draining: it finishes what it has and stops.");
    for (const [key, name] of [["redis", "Redis"], ["postgres", "PostgreSQL"], ["raw_storage", "Raw storage"]]) {
      if (data.dependencies[key]?.status === "unavailable") notices.push(`${name} does not answer.`);
    }
    for (const { service, circuit } of data.upstreams) {
      if (circuit === "open") notices.push(`The circuit to ${service} is open.`);
    }
    setText(byId("notice-text"), notices.join(" "));
    byId("notice").hidden = notices.length === 0;
  }
}

// --- signing in and out ---

let session = null;
let parts = null;

function show(isSignedIn) {
  byId("app").hidden = !isSignedIn;
  byId("login").hidden = isSignedIn;
}

function open(token) {
  show(true);
  parts ??= {
    traffic: new Traffic(), queues: new Queues(), fleet: new Fleet(), letters: new Letters(), system: new System(),
  };
  session = new Session(parts, token, close);
  session.start();
}

function close(reason = "") {
  session?.end();
  session = null;
  storage.token = null;
  try {
    if (reason) sessionStorage.setItem(REASON_KEY, reason);
  } catch { /* Then the form comes without a word. */ }
  // What was shown goes with the token.
  location.reload();
}

function complain(text) {
  setText(byId("login-error"), text);
  setAttribute(byId("token"), "aria-invalid", text ? "true" : "false");
}

async function signIn(event) {
  event.preventDefault();
  const input = byId("token");
  const token = input.value.trim();
  complain("");
  if (!/^[\x21-\x7e]+$/.test(token)) {
    complain(token ? "A token has no spaces and no accented letters." : "Enter a token.");
    return input.focus();
  }
  byId("login-button").disabled = true;
  try {
    await new Client(token).get("overview");
    input.value = "";
    storage.token = token;
    open(token);
    byId("overview").focus({ preventScroll: true });
  } catch (failure) {
    if (!(failure instanceof Refused)) throw failure;
    complain(failure.status === 401 ? "This token is not valid." : `Not signed in. ${failure.message}`);
    input.select();
    input.focus();
  } finally {
    byId("login-button").disabled = false;
  }
}

function start() {
  startTheme();
  byId("login-form").addEventListener("submit", signIn);
  byId("sign-out").addEventListener("click", () => close());
  byId("retry").addEventListener("click", () => session?.poller.now());
  byId("token-show").addEventListener("click", (event) => {
    const isShown = byId("token").type === "text";
    byId("token").type = isShown ? "password" : "text";
    setText(event.currentTarget, isShown ? "Show" : "Hide");
    setAttribute(event.currentTarget, "aria-pressed", String(!isShown));
  });
  if (storage.token) return open(storage.token);
  show(false);
  try {
    complain(sessionStorage.getItem(REASON_KEY) ?? "");
    sessionStorage.removeItem(REASON_KEY);
  } catch { /* As above. */ }
  byId("token").focus();
}

start();
