// Speaks to the gateway: the overview once a second while the page is seen, everything else when it is asked for.
// Limits: an answer is awaited for `ANSWER_MS`; after a failure the pause doubles up to `PAUSE_MS_MAX`, jittered.

const POLL_MS = 1000;
const ANSWER_MS = 8000;
const PAUSE_MS_MAX = 15000;
const API = new URL("api/", import.meta.url);

/** An answer that is none of success. `status` is 0 where there was no answer at all. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  get isUnauthorized() { return this.status === 401 || this.status === 403; }
}

export class Client {
  constructor(token) { this.token = token; }

  get(path, query = {}) {
    const url = new URL(path, API);
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    return this.call("GET", url);
  }

  send(method, path, body) { return this.call(method, new URL(path, API), JSON.stringify(body)); }

  async call(method, url, body) {
    let response;
    try {
      response = await fetch(url, {
        method, body, headers: { "X-Ops-Token": this.token, ...(body ? { "Content-Type": "application/json" } : {}) },
        cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(ANSWER_MS),
      });
    } catch (failure) {
      throw new Refused(0, failure.name === "TimeoutError" ? "It took too long to answer." : "It cannot be reached.");
    }
    let answer = null;
    try {
      answer = await response.json();
    } catch { /* No JSON: the status says what there is to say. */ }
    if (response.ok && answer) return answer;
    throw new Refused(response.status, answer?.error?.message ?? `It answered ${response.status}.`);
  }
}

/** Polls the overview. Tells `heard(data)`, `lost(failure, pauseMs)` and, for good, `refused(failure)`. */
export class Poller {
  constructor(client, listener) {
    this.client = client;
    this.listener = listener;
    this.timer = null;
    this.failures = 0;
    this.isEnded = false;
    this.isAsking = false;
    this.seen = () => (document.hidden ? this.pause() : this.now());
    document.addEventListener("visibilitychange", this.seen);
    addEventListener("online", this.seen);
  }

  start() { this.now(); }

  end() {
    this.isEnded = true;
    this.pause();
    document.removeEventListener("visibilitychange", this.seen);
    removeEventListener("online", this.seen);
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  /** Asks without waiting for the time to come. */
  now() {
    this.pause();
    if (!this.isAsking && !document.hidden && !this.isEnded) this.ask();
  }

  async ask() {
    const begun = performance.now();
    let pauseMs = POLL_MS;
    this.isAsking = true;
    try {
      const data = await this.client.get("overview");
      if (this.isEnded) return;
      this.failures = 0;
      this.listener.heard(data);
      pauseMs = Math.max(100, POLL_MS - (performance.now() - begun));
    } catch (failure) {
      if (this.isEnded) return;
      // A defect of the page shall be seen on its console, and the figures go on.
      if (!(failure instanceof Refused)) reportError(failure);
      else if (failure.isUnauthorized) return this.listener.refused(failure);
      if (failure instanceof Refused) this.listener.lost(failure, pauseMs = this.backOff());
    } finally {
      this.isAsking = false;
    }
    if (!this.isEnded && !document.hidden) this.timer = setTimeout(() => this.ask(), pauseMs);
  }

  backOff() {
    const pauseMs = Math.min(PAUSE_MS_MAX, POLL_MS * 2 ** this.failures);
    this.failures += 1;
    return pauseMs * (0.8 + Math.random() * 0.4);
  }
}
