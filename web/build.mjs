// Builds the page: dist/ is all that a visitor loads, and `inkling serve` has it inside.
//
//   node build.mjs           writes dist/
//   node build.mjs --check   writes nothing; names the files that the sources no longer give, exit code 1

import { build } from 'esbuild';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const HERE = dirname(fileURLToPath(import.meta.url));
const DATA = join(HERE, '../data');

/** What is copied as it is. */
const COPIED = ['index.html', 'icon.svg'];

/** Bytes of all files but config.json: what a first visit loads, not compressed. */
const BUDGET = 300_000;

/** The first image of each digit in MNIST's test set, in base64. */
function samples() {
  const read = (name, header) => gunzipSync(readFileSync(join(DATA, name))).subarray(header);
  const images = read('t10k-images-idx3-ubyte.gz', 16);
  const labels = read('t10k-labels-idx1-ubyte.gz', 8);
  const image = (_, digit) => images.subarray(labels.indexOf(digit) * 784).subarray(0, 784);
  return Buffer.concat(Array.from({ length: 10 }, image)).toString('base64');
}

const { outputFiles } = await build({
  absWorkingDir: HERE,
  entryPoints: ['src/main.ts', 'src/style.css'],
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  define: { SAMPLES: JSON.stringify(samples()) },
  write: false,
  logLevel: 'error',
});
const files = new Map(COPIED.map((name) => [name, readFileSync(join(HERE, 'src', name))]));
for (const { path, contents } of outputFiles) files.set(path.slice(join(HERE, 'dist').length + 1), Buffer.from(contents));

const check = process.argv.includes('--check');
for (const [name, wanted] of files) {
  const file = join(HERE, 'dist', name);
  if (existsSync(file) && readFileSync(file).equals(wanted)) continue;
  if (check) {
    process.exitCode = 1;
    console.error(`stale: web/dist/${name} is not what web/src gives; run \`node web/build.mjs\``);
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wanted);
    console.log(`built web/dist/${name}, ${wanted.length} bytes`);
  }
}
const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
console.log(`first load: ${total} bytes of ${BUDGET}`);
if (total > BUDGET) process.exitCode = 1;
