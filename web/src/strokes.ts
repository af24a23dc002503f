// From strokes of a pen to a picture like MNIST's.
//
// Its digits were scaled to fit a box of 20×20 with their proportions kept, smoothed, and shifted by whole pixels so
// that their centre of mass is pixel (14, 14) of 28×28. So is a drawing here. It is drawn from the pen's path and not
// from what the screen shows, with a line as wide as MNIST's digits have: so every browser makes the same bytes, and
// a small digit does not get fat. The 2,000 first test images: box 20 always, mean centre (14.00, 13.99), and ones are
// 2.8 pixels wide where a row cuts them.

/** A point of the pad, whose corners are (0, 0) and (1, 1). */
export interface Point {
  x: number;
  y: number;
}

/** The pen's path from down to up. */
export type Stroke = Point[];

/** Rows and columns of a picture of MNIST's. */
export const FRAME = 28;

/** Rows and columns of the box that a digit fills. */
const BOX = 20;

/** Half the width of a line, in pixels of the frame. */
const RADIUS = 1.3;

/** Pixels from ink to paper at a line's edge. */
const SOFTNESS = 1.4;

/** What is smaller than this part of the pad is a dot, and not a digit to be blown up. */
const SMALLEST = 0.06;

/** The picture of a drawing: 28×28, row by row, 255 = ink. */
export function toPicture(strokes: Stroke[]): Uint8Array {
  const picture = new Uint8Array(FRAME * FRAME);
  const box = toBox(strokes);
  const total = sum(box, () => 1);
  if (total === 0) return picture;
  const [left, top] = [sum(box, (x) => x), sum(box, (_, y) => y)].map((moment) => Math.round(FRAME / 2 - moment / total)) as [number, number];
  box.forEach((value, at) => {
    const [x, y] = [left + (at % BOX), top + Math.floor(at / BOX)];
    if (x >= 0 && x < FRAME && y >= 0 && y < FRAME) picture[y * FRAME + x] = value;
  });
  return picture;
}

/** Sum of all pixels, each times a function of its place. */
function sum(box: Uint8Array, of: (x: number, y: number) => number): number {
  return box.reduce((total, value, at) => total + value * of(at % BOX, Math.floor(at / BOX)), 0);
}

/** The drawing, as large as it fits into the box. */
function toBox(strokes: Stroke[]): Uint8Array {
  const box = new Uint8Array(BOX * BOX);
  const points = strokes.flat();
  if (points.length === 0) return box;
  const range = (of: (point: Point) => number) => points.reduce<[number, number]>(([low, high], point) => [Math.min(low, of(point)), Math.max(high, of(point))], [Infinity, -Infinity]);
  const [left, right] = range(({ x }) => x);
  const [top, bottom] = range(({ y }) => y);
  const scale = (BOX - 2 * RADIUS - SOFTNESS / 2) / Math.max(right - left, bottom - top, SMALLEST);
  const place = ({ x, y }: Point) => ({ x: (x - (left + right) / 2) * scale + BOX / 2, y: (y - (top + bottom) / 2) * scale + BOX / 2 });
  const placed = strokes.map((stroke) => stroke.map(place));
  for (let at = 0; at < box.length; at++) {
    const pixel = { x: (at % BOX) + 0.5, y: Math.floor(at / BOX) + 0.5 };
    const ink = (RADIUS + SOFTNESS / 2 - distance(pixel, placed)) / SOFTNESS;
    box[at] = Math.round(255 * Math.min(Math.max(ink, 0), 1));
  }
  return box;
}

/** Distance from a point to the nearest stroke. */
function distance(from: Point, strokes: Stroke[]): number {
  let nearest = Infinity;
  for (const stroke of strokes) {
    stroke.forEach((end, n) => {
      nearest = Math.min(nearest, toSegment(from, stroke[n - 1] ?? end, end));
    });
  }
  return nearest;
}

function toSegment(from: Point, start: Point, end: Point): number {
  const [dx, dy] = [end.x - start.x, end.y - start.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((from.x - start.x) * dx + (from.y - start.y) * dy) / length;
  const part = Math.min(Math.max(along, 0), 1);
  return Math.hypot(from.x - start.x - part * dx, from.y - start.y - part * dy);
}
