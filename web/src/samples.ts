// One test image of each digit: build.mjs takes them from MNIST's test set.

import { FRAME } from './strokes';

/** Base64 of ten pictures of 28×28, the digits 0 to 9. */
declare const SAMPLES: string;

/** The pictures, by digit. */
export const samples: Uint8Array[] = Array.from({ length: 10 }, (_, digit) => {
  const bytes = Uint8Array.from(atob(SAMPLES), (character) => character.charCodeAt(0));
  return bytes.slice(digit * FRAME * FRAME, (digit + 1) * FRAME * FRAME);
});
