// Dark pictures of 16 bits made visible: what lies between a black and a white point, on all the greys of a screen.

const LEVELS = 65536;
const [BLACK, WHITE] = [0.005, 0.995]; // shares of the values that are below: broken pixels and stars have no say
const LITTLE = 0.25; // of the whole range: pictures that fill less are dark or flat without

/** The points between which a picture (of `decode16`) is shown: {black, white}, black < white. */
export function rangeOf(picture) {
  const counts = new Uint32Array(LEVELS);
  let all = 0;
  forEachColour(picture, (value) => {
    counts[value] += 1;
    all += 1;
  });
  const black = below(counts, BLACK * all);
  return { black, white: Math.max(black + 1, below(counts, WHITE * all)) };
}

/** Whether a picture of this range shows little as it is. */
export function needsStretch({ black, white }) {
  return white - black < LITTLE * LEVELS;
}

/** Its pixels on a screen: `ImageData` of 8 bits, of the values between the points at their full depth. */
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
  return new ImageData(pixels, width, height);
}

/** `act(value)` for each colour of each pixel that can be seen. */
function forEachColour({ channels, values }, act) {
  const hasAlpha = channels % 2 === 0;
  const colours = hasAlpha ? channels - 1 : channels;
  for (let at = 0; at < values.length; at += channels) {
    if (hasAlpha && values[at + colours] === 0) continue;
    for (let i = 0; i < colours; i += 1) act(values[at + i]);
  }
}

/** The least level that has more than so many values up to it. */
function below(counts, rank) {
  let sum = 0;
  for (let level = 0; level < LEVELS; level += 1) {
    sum += counts[level];
    if (sum > rank) return level;
  }
  return LEVELS - 1;
}
