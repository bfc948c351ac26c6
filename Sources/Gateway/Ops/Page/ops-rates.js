// Rates and latencies out of counters: each overview less the one before it of the same process. A process that started
// anew begins anew; several gateways behind one address are told apart by their ids.
// Limits: `KEPT_MS` of history, `PROCESSES_MAX` processes remembered, latencies over the last `WINDOW` overviews.

/** Spans of time that charts show: the least that holds all points. */
export const SPANS_MS = [60, 120, 300].map((seconds) => seconds * 1000);
const KEPT_MS = SPANS_MS[SPANS_MS.length - 1];
const PROCESSES_MAX = 16;
const WINDOW = 10;

/** The value below which `share` of the observations lie, interpolated inside its bucket; null where there are none. */
export function percentile(buckets, bounds, share) {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let left = share * total;
  for (let index = 0; index < buckets.length; index += 1) {
    if (left <= buckets[index] && buckets[index] > 0) {
      const low = index === 0 ? 0 : bounds[index - 1];
      const high = index < bounds.length ? bounds[index] : bounds[bounds.length - 1];
      return low + (high - low) * (left / buckets[index]);
    }
    left -= buckets[index];
  }
  return bounds[bounds.length - 1];
}

const routeName = (route) => `${route.method} ${route.route}`;
const isOwn = (route) => route.route.startsWith("/ops");
const difference = (now, before) => now.map((value, index) => Math.max(0, value - (before?.[index] ?? 0)));
const add = (sums, more) => more.forEach((value, index) => { sums[index] = (sums[index] ?? 0) + value; });

/** Counts by class of status: 2 (with 1 and 3), 4, 5. */
function classes(statuses) {
  const sums = [0, 0, 0];
  for (const [status, count] of Object.entries(statuses)) {
    sums[status.startsWith("5") ? 2 : status.startsWith("4") ? 1 : 0] += count;
  }
  return sums;
}

/** The sums of an overview that only ever grow. */
function counters(data) {
  const kinds = Object.values(data.kinds);
  const sum = (pick) => kinds.reduce((total, kind) => total + pick(kind), 0);
  const upstreams = new Map(data.upstreams.map((service) => [service.service, {
    count: Object.values(service.statuses).reduce((total, value) => total + value, 0), buckets: service.buckets,
  }]));
  const routes = new Map(data.routes.map((route) => [routeName(route), {
    classes: classes(route.statuses), buckets: route.buckets, isTimed: !route.may_wait, isOwn: isOwn(route),
  }]));
  return {
    routes, upstreams, cpu: data.process.cpu_seconds ?? 0, heartbeats: sum((kind) => kind.heartbeats),
    results: sum((kind) => kind.results.inserted + kind.results.updated + kind.results.stale),
    completed: sum((kind) => kind.tasks.completed), leased: sum((kind) => kind.tasks.leased),
    failed: sum((kind) => kind.tasks.failed + kind.tasks.dead),
  };
}

export class Rates {
  constructor() {
    this.before = new Map();
    /** Newest last: { at, requests: [2xx, 4xx, 5xx], p50, p99, results, completed, heartbeats, … } a second. */
    this.points = [];
    /** By route and by service: { rate, p50, p99 } over the window. */
    this.routes = new Map();
    this.upstreams = new Map();
    this.cpu = null;
    this.taken = 0;
    this.window = [];
  }

  /** Takes in an overview. `at`: milliseconds of a clock that only goes forward. */
  take(data, at) {
    const now = counters(data);
    const before = this.before.get(data.process.id);
    this.before.set(data.process.id, { now, ms: data.monotonic_ms });
    if (this.before.size > PROCESSES_MAX) this.before.delete(this.before.keys().next().value);
    if (!before || data.monotonic_ms <= before.ms) return;
    const lasted = (data.monotonic_ms - before.ms) / 1000;
    const step = this.step(now, before.now, lasted);
    this.window.push(step);
    // What was averaged over a long absence says nothing of now.
    this.window = this.window.slice(lasted > WINDOW ? -1 : -WINDOW);
    this.cpu = (now.cpu - before.now.cpu) / lasted;
    this.summarize(data.duration_bounds_ms);
    this.points.push(this.point(data, step, at));
    while (this.points.length > 0 && at - this.points[0].at > KEPT_MS + 2000) this.points.shift();
  }

  step(now, before, lasted) {
    const part = (entries, old) => new Map([...entries].map(([name, entry]) => {
      const last = old.get(name);
      return [name, { ...entry, classes: entry.classes ? difference(entry.classes, last?.classes) : null,
        count: entry.count === undefined ? 0 : Math.max(0, entry.count - (last?.count ?? 0)),
        buckets: difference(entry.buckets, last?.buckets) }];
    }));
    const sums = {};
    for (const name of ["heartbeats", "results", "completed", "leased", "failed"]) {
      sums[name] = Math.max(0, now[name] - before[name]) / lasted;
    }
    return { lasted, sums, routes: part(now.routes, before.routes), upstreams: part(now.upstreams, before.upstreams) };
  }

  summarize(bounds) {
    const lasted = this.window.reduce((sum, step) => sum + step.lasted, 0);
    const over = (list) => {
      const sums = new Map();
      for (const step of this.window) {
        for (const [name, entry] of step[list]) {
          const sum = sums.get(name) ?? { count: 0, buckets: [], isTimed: entry.isTimed, isOwn: entry.isOwn };
          sum.count += entry.classes ? entry.classes.reduce((a, b) => a + b, 0) : entry.count;
          add(sum.buckets, entry.buckets);
          sums.set(name, sum);
        }
      }
      return sums;
    };
    const read = (sum) => ({ rate: sum.count / lasted, p50: percentile(sum.buckets, bounds, 0.5),
      p99: percentile(sum.buckets, bounds, 0.99) });
    const routes = over("routes");
    this.routes = new Map([...routes].map(([name, sum]) => [name, read(sum)]));
    this.upstreams = new Map([...over("upstreams")].map(([name, sum]) => [name, read(sum)]));
    const all = [];
    for (const sum of routes.values()) if (sum.isTimed && !sum.isOwn) add(all, sum.buckets);
    this.p50 = percentile(all, bounds, 0.5);
    this.p99 = percentile(all, bounds, 0.99);
  }

  point(data, step, at) {
    const requests = [0, 0, 0];
    for (const route of step.routes.values()) {
      if (!route.isOwn) add(requests, route.classes.map((value) => value / step.lasted));
    }
    const queues = Object.values(data.kinds).map((kind) => kind.queue);
    const total = (name) => queues.every((queue) => queue) ? queues.reduce((sum, queue) => sum + queue[name], 0) : null;
    this.taken += 1;
    return {
      number: this.taken, at, requests, p50: this.p50, p99: this.p99, ...step.sums,
      ready: total("ready"), inWork: total("leased"), delayed: total("delayed"), dead: total("dead"),
      alive: total("workers_alive"), known: total("workers"),
      oldest: queues.every((queue) => queue) ? Math.max(...queues.map((queue) => queue.oldest_seconds)) : null,
    };
  }

  /** How much of the past there is to show. */
  spanMs(at) {
    const past = this.points.length > 0 ? at - this.points[0].at : 0;
    return SPANS_MS.find((span) => span >= past) ?? KEPT_MS;
  }

  get last() { return this.points[this.points.length - 1] ?? null; }
}
