// Ranges and ticks of a chart's axes, and the rows of its table.

const AIR = 0.08; // share of the range above and below the values
const LOGARITHMIC_AIR = 0.06;

/** Return the range [low, high] of an axis with some air around the values; null stands for no values yet. */
export function axisRange(low, high, logarithmic) {
  if (low === null || high === null) return logarithmic ? [0.01, 1] : [0, 1];
  if (logarithmic) {
    if (low === high) return [low * 0.8, high * 1.25];
    const factor = (high / low) ** LOGARITHMIC_AIR;
    return [low / factor, high * factor];
  }
  const air = (high - low || Math.abs(high) || 1) * AIR;
  return [low - air, high + air];
}

/** Return about `count` round values from `low` to `high`, low < high: powers of ten and 3 if the values are far apart. */
export function ticks(low, high, count) {
  return low > 0 && high / low > 20 ? logarithmicTicks(low, high) : linearTicks(low, high, count);
}

function logarithmicTicks(low, high) {
  const found = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const times of high / low > 1000 ? [1] : [1, 3]) found.push(decade * times);
  }
  return found.filter((value) => value >= low && value <= high);
}

function linearTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

/** Format a step or an epoch for the axis: 12500 as "12.5k"; "" between whole numbers. */
export function wholeTick(value) {
  if (!Number.isInteger(value)) return "";
  return Math.abs(value) >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : String(value);
}

/** Return which of `count` rows a table of at most about `most` shows: evenly spaced ones, and always the last. */
export function tableRows(count, most) {
  const every = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: count }, (_, row) => row).filter((row) => row % every === 0 || row === count - 1);
}

/**
 * Join columns that have different x values.
 *
 * @param runs [{x, ...}], each with a column named `key`
 * @returns [x, ...columns]; a column has null where its run has no value
 */
export function joined(runs, key) {
  const found = runs.map((columns) => new Map(columns.x.map((x, i) => [x, columns[key][i]])));
  const x = [...new Set(found.flatMap((one) => [...one.keys()]))].sort((a, b) => a - b);
  return [x, ...found.map((one) => x.map((value) => one.get(value) ?? null))];
}
