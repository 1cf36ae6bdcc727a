// Figures as people read them.

/** 1536 as "1.5 kB". */
export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB"];
  if (count === 1) return "1 byte";
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${rounded(count / 1000 ** power)} ${units[power]}`;
}

/** 65,432 ms as "65 s", 1000 as "1 s", 812 as "0.8 s". */
export function seconds(milliseconds) {
  const value = milliseconds / 1000;
  return value < 0.1 ? `${Math.round(milliseconds)} ms` : `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
}

/** Three figures, without zeros at the end. */
export function rounded(value) {
  if (value >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(value < 10 ? 2 : 3)));
}

/** 1234567 as "1,234,567". */
export function grouped(value) {
  return value.toLocaleString("en");
}

/** "1 picture", "2 pictures". */
export function counted(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
