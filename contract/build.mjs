// Builds the Stylus program: cargo, then wasm-opt, then a JSON beside it that says from what.
//
//   node build.mjs                 writes artifacts/: inkling_contract.{wasm,json}, the same with _code (weights in code) and
//                                  _profile (marks the parts of an inference), and baked/MODEL.{wasm,json} for each file
//                                  baked/MODEL.bin that `inkling bake` wrote (weights in the program)
//   node build.mjs --into DIR      writes them to DIR instead; tests/artifact.rs compares them with the artifacts
//   node build.mjs --into DIR --packages NAME,…   builds these contracts instead, in the same way, to DIR/NAME.wasm
//
// The environment says which compiler (RUSTC) and linker (CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER): see
// tools/setup-wasm.sh. The standard library is built along with the contract, from the compiler's own sources, without
// panic messages (panic=immediate-abort) and the places they name (location-detail=none): that takes a sixth off the program,
// and a program pays gas for its length, and each call for its data.
// Paths of this machine are taken out, so that the bytes depend on sources and toolchain alone.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const TARGET = 'wasm32-unknown-unknown';
const RUST_FLAGS = ['-Zunstable-options', '-Cpanic=immediate-abort', '-Zlocation-detail=none'];
const cargoFlags = (packages, features) => ['--profile', 'contract', '--lib', '--locked', ...packages.flatMap((name) => ['-p', name]),
  ...(features.length ? ['--features', features.join()] : []), '--target', TARGET, '-Zbuild-std=std,panic_abort'];
const STYLUS_TOML = readFileSync(join(HERE, 'Stylus.toml'), 'utf8');
const WASM_OPT_FLAGS = JSON.parse(STYLUS_TOML.match(/^flags = (\[[^\]]*\])/m)[1]);

/** The lines of one table of a TOML file. */
const table = (file, name) =>
  readFileSync(file, 'utf8').split(`[${name}]\n`)[1].split('\n\n')[0].trim().split('\n').join(', ');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] : otherwise;
};
const out = resolve(option('--into', join(HERE, 'artifacts')));
const packages = option('--packages', '').split(',').filter(Boolean);

/** The programs made of the contract: file name without ending, features, and the packed model of a baked one. */
const BAKED = join(HERE, 'baked');
const models = readdirSync(BAKED).filter((file) => file.endsWith('.bin')).sort();
const VARIANTS = [
  { name: 'inkling_contract', features: [] },
  { name: 'inkling_contract_code', features: ['code'] },
  { name: 'inkling_contract_profile', features: ['profile'] },
  ...models.map((file) => ({ name: `baked/${file.slice(0, -4)}`, features: ['baked'], model: join(BAKED, file) })),
];

const env = { ...process.env, RUSTC_BOOTSTRAP: '1' };
delete env.RUSTFLAGS;
delete env.CARGO_ENCODED_RUSTFLAGS;
const rustc = (...args) => execFileSync(env.RUSTC ?? 'rustc', args, { cwd: ROOT, env, encoding: 'utf8' }).trim();

execFileSync('cargo', ['fetch', '--locked', '--target', TARGET], { cwd: ROOT, env, stdio: 'inherit' });
const registry = join(env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry', 'src');
const registries = readdirSync(registry).map((name) => join(registry, name));
const sources = join(rustc('--print', 'sysroot'), 'lib/rustlib/src/rust/library');
const remap = [...registries, sources, ROOT].map((path) => `--remap-path-prefix=${path}=`);
const rustflags = JSON.stringify([...RUST_FLAGS, ...remap]);
const built = join(env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), TARGET, 'contract');
const wasmOpt = join(HERE, 'node_modules', 'binaryen', 'bin', 'wasm-opt');

/** Compiles packages with features; `model` is what a baked program includes. */
const compile = (packages, features, model) =>
  execFileSync('cargo', ['build', ...cargoFlags(packages, features), '--config', `target.${TARGET}.rustflags=${rustflags}`],
    { cwd: ROOT, env: model ? { ...env, INKLING_BAKED: model } : env, stdio: 'inherit' });

/** Optimizes a compiled package into a file. */
const optimize = (name, file) => {
  mkdirSync(dirname(file), { recursive: true });
  const from = join(built, `${name.replaceAll('-', '_')}.wasm`);
  execFileSync(process.execPath, [wasmOpt, ...WASM_OPT_FLAGS, '-o', file, from], { stdio: 'inherit' });
};

if (packages.length) {
  compile(packages, []);
  for (const name of packages) optimize(name, join(out, `${name.replaceAll('-', '_')}.wasm`));
  process.exit();
}
for (const { name, features, model } of VARIANTS) {
  compile(['inkling-contract'], features, model);
  const file = join(out, `${name}.wasm`);
  optimize('inkling-contract', file);
  const wasm = readFileSync(file);
  const brotli = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
  const about = {
    wasm: basename(file),
    sha256: createHash('sha256').update(wasm).digest('hex'),
    bytes: wasm.length,
    compressed_bytes: brotliCompressSync(wasm, { params: brotli }).length,
    rustc: rustc('--version'),
    linker: env.CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER ?? 'rust-lld',
    cargo_flags: cargoFlags(['inkling-contract'], features).join(' '),
    rust_flags: RUST_FLAGS.join(' '),
    profile: table(join(ROOT, 'Cargo.toml'), 'profile.contract'),
    link_flags: table(join(ROOT, '.cargo', 'config.toml'), `target.${TARGET}`),
    wasm_opt: execFileSync(process.execPath, [wasmOpt, '--version'], { encoding: 'utf8' }).trim(),
    wasm_opt_flags: WASM_OPT_FLAGS.join(' '),
  };
  writeFileSync(join(out, `${name}.json`), JSON.stringify(about, null, 1) + '\n');
  console.log(`${name}: ${about.bytes} bytes, ${about.compressed_bytes} compressed, sha256 ${about.sha256}`);
}
