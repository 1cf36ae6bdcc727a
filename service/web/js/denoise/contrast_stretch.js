// Makes dark 16-bit pictures visible: spreads the values between a black and a white point over the greys of a screen.

const LEVELS = 65536;
const [BLACK, WHITE] = [0.005, 0.995]; // shares of the values below the points, so that broken pixels and stars do not count
const NARROW = 0.25; // share of the whole range: pictures with a smaller range look dark or flat

/** Return the points {black, white}, black < white, between which a picture (of `decode16`) is shown. */
export function rangeOf(picture) {
  const counts = new Uint32Array(LEVELS);
  let all = 0;
  forEachColour(picture, (value) => {
    counts[value] += 1;
    all += 1;
  });
  const black = Math.min(percentile(counts, BLACK * all), LEVELS - 2);
  return { black, white: Math.max(black + 1, percentile(counts, WHITE * all)) };
}

/** Return whether a picture with this range is too dark or flat to be shown as it is. */
export function needsStretch({ black, white }) {
  return white - black < NARROW * LEVELS;
}

/** Return the picture's pixels for a screen: 8-bit RGBA, computed from the full 16-bit values. */
export function stretched({ width, height, channels, values }, { black, white }) {
  const table = Uint8ClampedArray.from({ length: LEVELS }, (_, value) => (value - black) / (white - black) * 255);
  const pixels = new Uint8ClampedArray(4 * width * height);
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const hasAlpha = channels % 2 === 0;
  for (let from = 0, to = 0; to < pixels.length; from += channels, to += 4) {
    pixels[to] = table[values[from]];
    pixels[to + 1] = table[values[from + green]];
    pixels[to + 2] = table[values[from + blue]];
    pixels[to + 3] = hasAlpha ? values[from + channels - 1] >> 8 : 255;
  }
  return pixels;
}

/** Call `act(value)` for each colour value of each pixel that is not fully transparent. */
function forEachColour({ channels, values }, act) {
  const hasAlpha = channels % 2 === 0;
  const colours = hasAlpha ? channels - 1 : channels;
  for (let at = 0; at < values.length; at += channels) {
    if (hasAlpha && values[at + colours] === 0) continue;
    for (let i = 0; i < colours; i += 1) act(values[at + i]);
  }
}

/** Return the smallest level such that more than `rank` values are at or below it; the highest if there are none. */
function percentile(counts, rank) {
  let sum = 0;
  for (let level = 0; level < LEVELS; level += 1) {
    sum += counts[level];
    if (sum > rank) return level;
  }
  return LEVELS - 1;
}
