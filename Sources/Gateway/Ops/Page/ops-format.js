// Numbers, durations and times as people read them. Pure functions; English, grouped by commas, units after a thin
// space.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const THIN = "\u202F";
/** What stands where nothing is known. */
export const NONE = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** 12,345; 1.24 M from a million on. */
export function count(value) {
  if (!isNumber(value)) return NONE;
  if (Math.abs(value) >= 1e9) return `${(value / 1e9).toFixed(2)}${THIN}G`;
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)}${THIN}M`;
  return whole.format(value);
}

/** A rate: one decimal below ten, whole above. */
export function rate(value) {
  if (!isNumber(value)) return NONE;
  if (value === 0) return "0";
  return value < 9.95 ? value.toFixed(1) : count(Math.round(value));
}

/** Milliseconds: 0.24 ms, 12.4 ms, 1.20 s; with an empty `unit` always bare milliseconds. */
export function milliseconds(value, unit = `${THIN}ms`) {
  if (!isNumber(value)) return NONE;
  if (value < 1) return `${value.toFixed(2)}${unit}`;
  if (value < 100) return `${value.toFixed(1)}${unit}`;
  if (value < 1000 || !unit) return `${whole.format(value)}${unit}`;
  return `${(value / 1000).toFixed(2)}${THIN}s`;
}

/** Seconds: 9 s, 3 min 12 s, 25 min, 4 h 20 min, 12 d 3 h. */
export function seconds(value) {
  if (!isNumber(value)) return NONE;
  const total = Math.max(0, Math.floor(value));
  const [days, hours] = [Math.floor(total / 86400), Math.floor(total / 3600) % 24];
  const minutes = Math.floor(total / 60) % 60;
  if (days > 0) return `${days}${THIN}d ${hours}${THIN}h`;
  if (hours > 0) return `${hours}${THIN}h ${minutes}${THIN}min`;
  if (minutes >= 10) return `${minutes}${THIN}min`;
  if (minutes > 0) return `${minutes}${THIN}min ${total % 60}${THIN}s`;
  return `${total}${THIN}s`;
}

/** How long ago a moment was, by the gateway's clock. */
export function ago(atMs, nowMs) {
  if (!isNumber(atMs) || atMs <= 0) return "never";
  const past = (nowMs - atMs) / 1000;
  return past < 1 ? "now" : `${seconds(past)} ago`;
}

export function bytes(value) {
  if (!isNumber(value)) return NONE;
  if (value >= 1 << 30) return `${(value / (1 << 30)).toFixed(2)}${THIN}GiB`;
  return `${(value / (1 << 20)).toFixed(1)}${THIN}MiB`;
}

/** 0 to 1 as a percentage; small shares keep a decimal. */
export function percent(share) {
  if (!isNumber(share)) return NONE;
  const value = share * 100;
  return `${value > 0 && value < 9.95 ? value.toFixed(value < 0.095 ? 2 : 1) : Math.round(value)}${THIN}%`;
}

export const time = (atMs) => clock.format(new Date(atMs));

/** A date and time in UTC, for titles. */
export const moment = (text) => String(text ?? "").replace("T", " ").replace("Z", " UTC");
