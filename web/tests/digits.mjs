// Ten digits as strokes of a pen, in parts of the pad.

/** Points of an arc; angles in degrees, 0 to the right, 90 downwards. */
function arc(cx, cy, rx, ry, from, to) {
  const steps = 24;
  return Array.from({ length: steps + 1 }, (_, n) => {
    const angle = ((from + ((to - from) * n) / steps) * Math.PI) / 180;
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)];
  });
}

/** By digit: strokes, each a list of points. */
export const digits = [
  [arc(0.5, 0.5, 0.2, 0.32, -100, 262)],
  [[[0.55, 0.18], [0.52, 0.5], [0.48, 0.84]]],
  [[...arc(0.5, 0.34, 0.19, 0.17, 190, 390), [0.3, 0.8], [0.74, 0.8]]],
  [[...arc(0.48, 0.34, 0.18, 0.16, 200, 440), ...arc(0.48, 0.66, 0.21, 0.18, -85, 160)]],
  [[[0.36, 0.18], [0.28, 0.55], [0.7, 0.53]], [[0.64, 0.2], [0.6, 0.85]]],
  [[[0.7, 0.2], [0.38, 0.2], [0.34, 0.47], ...arc(0.48, 0.64, 0.2, 0.19, -110, 150)]],
  [[[0.62, 0.16], [0.44, 0.36], [0.34, 0.62], ...arc(0.5, 0.66, 0.17, 0.17, 180, -180)]],
  [[[0.28, 0.22], [0.72, 0.22], [0.6, 0.48], [0.46, 0.84]]],
  [[...arc(0.5, 0.34, 0.15, 0.16, 60, -240), ...arc(0.5, 0.66, 0.18, 0.17, -60, 240), [0.5, 0.5]]],
  [[...arc(0.48, 0.36, 0.17, 0.17, 0, -350), [0.65, 0.38], [0.62, 0.62], [0.56, 0.86]]],
];

/** A digit moved and made smaller. */
export function placed(digit, size, left, top) {
  return digits[digit].map((stroke) => stroke.map(([x, y]) => [left + x * size, top + y * size]));
}
