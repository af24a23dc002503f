// From a picture to the 400 bytes that the contract classifies: `to_input` of data/src/preprocess.rs, to the bit.
//
// That function is fast_image_resize 6.1 with a bilinear filter whose support grows with the reduction, in integers:
// weights are rounded to 16 bits, the vertical pass comes first, and each pass rounds to a byte. The same here.

/** Rows and columns of the contract's image. */
export const SIDE = 20;

/** The most bits of a weight's fraction, and the bound that a weight stays under. */
const MAX_PRECISION = 22;
const WEIGHT_BOUND = 2 ** 15;

/** The source pixels that make one target pixel, and their weights. */
interface Window {
  start: number;
  weights: number[];
}

/** The windows of one axis, in fixed point. */
interface Axis {
  precision: number;
  windows: Window[];
}

/** A grayscale picture of `height` rows and `width` columns, row by row, resized to 20×20. */
export function toInput(pixels: Uint8Array, width: number, height: number): Uint8Array {
  if (width < 1 || height < 1 || pixels.length !== width * height) {
    throw new RangeError(`${pixels.length} bytes are no picture of ${width}×${height}`);
  }
  const rows = height === SIDE ? pixels : pass(pixels, axis(height), width, 1, width, width);
  return width === SIDE ? rows.slice() : pass(rows, axis(width), SIDE, width, 1, SIDE);
}

/** Sums `lines` lines of pixels by the windows of an axis; `across` and `along` are the steps to the next line and pixel. */
function pass(source: Uint8Array, { precision, windows }: Axis, lines: number, across: number, along: number, width: number): Uint8Array {
  const target = new Uint8Array(lines * SIDE);
  const [targetAcross, targetAlong] = along === 1 ? [width, 1] : [1, width];
  for (let line = 0; line < lines; line++) {
    windows.forEach(({ start, weights }, at) => {
      let sum = 1 << (precision - 1);
      weights.forEach((weight, n) => {
        sum += weight * (source[line * across + (start + n) * along] ?? 0);
      });
      target[line * targetAcross + at * targetAlong] = Math.min(sum >> precision, 255);
    });
  }
  return target;
}

/** The windows that take `size` pixels to `SIDE`. */
function axis(size: number): Axis {
  const scale = size / SIDE;
  const radius = Math.max(scale, 1);
  const windows = Array.from({ length: SIDE }, (_, at) => window(size, (at + 0.5) * scale, radius));
  const largest = Math.max(...windows.flatMap(({ weights }) => weights));
  let precision = 0;
  while (precision < MAX_PRECISION - 1 && Math.round(largest * 2 ** (precision + 1)) < WEIGHT_BOUND) precision++;
  const fixed = (weight: number) => Math.round(weight * 2 ** precision);
  return { precision, windows: windows.map(({ start, weights }) => ({ start, weights: weights.map(fixed) })) };
}

/** The pixels within `radius` of `centre`, each weighted by how near it is; the weights' sum is 1. */
function window(size: number, centre: number, radius: number): Window {
  const end = Math.min(Math.ceil(centre + radius), size);
  let start = Math.max(Math.floor(centre - radius), 0);
  const weights: number[] = [];
  // The order of the operations is the original's: another one rounds otherwise.
  const reciprocal = 1 / radius;
  for (let at = start; at < end; at++) {
    const distance = Math.abs((at - (centre - 0.5)) * reciprocal);
    const weight = distance < 1 ? 1 - distance : 0;
    if (weight === 0 && at === start) start++;
    else weights.push(weight);
  }
  const sum = weights.reduce((sum, weight) => sum + weight, 0);
  while (weights.at(-1) === 0) weights.pop();
  return { start, weights: weights.map((weight) => weight / sum) };
}
