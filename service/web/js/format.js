// Numbers, sizes and times as text.

/** Format a number of bytes: 1536 as "1.5 kB". */
export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB"];
  if (count === 1) return "1 byte";
  let power = 0;
  let value = count;
  while (power < units.length - 1 && Number(rounded(value)) >= 1000) {
    power += 1;
    value = count / 1000 ** power;
  }
  return `${rounded(value)} ${units[power]}`;
}

/** Format milliseconds for short times: 65,432 as "65 s", 812 as "0.8 s", 42 as "42 ms". */
export function seconds(milliseconds) {
  const value = milliseconds / 1000;
  return value < 0.1 ? `${Math.round(milliseconds)} ms` : `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
}

/** Format seconds for long times: "45 s", "3 min" or "1 h 20 min"; "unknown" for null and undefined. */
export function duration(value) {
  if (value === null || value === undefined) return "unknown";
  if (value < 59.5) return `${Math.max(1, Math.round(value))} s`;
  const minutes = Math.round(value / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""}`;
}

/** Format how long ago a time of the API was: "3 minutes ago". `now` is in milliseconds. */
export function ago(time, now = Date.now()) {
  const passed = (now - Date.parse(time)) / 1000;
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (passed >= size) return format.format(-Math.floor(passed / size), unit);
  }
  return "just now";
}

/** Format a number with two or three significant digits, without zeros at the end. */
export function rounded(value) {
  if (value >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(value < 10 ? 2 : 3)));
}

/** Format a number with separators: 1234567 as "1,234,567". */
export function grouped(value) {
  return value.toLocaleString("en");
}

/** Format a count with its noun: "1 picture", "2 pictures". */
export function counted(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Format a PSNR: "28.07 dB"; a dash if it is not a number. */
export function decibels(value) {
  return typeof value === "number" ? `${value.toFixed(2)} dB` : "–";
}

/** Format decibels with their sign: "+4.17", "−0.50". */
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

/** Format a loss with three significant digits; a dash if it is not a number. */
export function loss(value) {
  return typeof value === "number" ? value.toPrecision(3) : "–";
}

/** Make text a sentence: a capital first, and a full stop unless there is one. Empty text stays empty. */
export function sentence(text) {
  const line = text.trim();
  return line && line.charAt(0).toUpperCase() + line.slice(1) + (/[.!?]$/.test(line) ? "" : ".");
}
