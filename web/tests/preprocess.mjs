// src/preprocess.ts against data/src/preprocess.rs: node preprocess.mjs FILE, the pictures and what Rust makes of them.
//
// The file is, for each picture: width and height, two bytes each and big-endian, the pixels, the 400 bytes of the input.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const source = fileURLToPath(new URL('../src/preprocess.ts', import.meta.url));
const [{ text }] = buildSync({ entryPoints: [source], format: 'esm', write: false }).outputFiles;
const { toInput } = await import(`data:text/javascript,${encodeURIComponent(text)}`);

const file = readFileSync(process.argv[2]);
let pictures = 0;
for (let at = 0; at < file.length; pictures++) {
  const [width, height] = [file.readUInt16BE(at), file.readUInt16BE(at + 2)];
  const pixels = file.subarray(at + 4, at + 4 + width * height);
  const expected = file.subarray(at + 4 + width * height, at + 404 + width * height);
  assert.deepEqual(Buffer.from(toInput(pixels, width, height)), expected, `picture ${pictures} of ${width}×${height}`);
  at += 404 + width * height;
}
assert.throws(() => toInput(new Uint8Array(3), 2, 2), RangeError);
console.log(pictures);
