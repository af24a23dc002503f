// Builds the Stylus program: cargo, then wasm-opt, then a JSON beside it that says from what.
//
//   node build.mjs                 writes artifacts/inkling_contract.{wasm,json}
//   node build.mjs --into DIR      writes them to DIR instead; tests/artifact.rs compares them with the artifacts
//   node build.mjs --into DIR --packages NAME,…   builds these contracts instead, in the same way, to DIR/NAME.wasm
//
// The environment says which compiler (RUSTC) and linker (CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER): see
// tools/setup-wasm.sh. The standard library is built along with the contract, from the compiler's own sources, without
// panic messages (panic=immediate-abort): that takes a sixth off the program, and a program pays gas for its length.
// Paths of this machine are taken out, so that the bytes depend on sources and toolchain alone.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const TARGET = 'wasm32-unknown-unknown';
const RUST_FLAGS = ['-Zunstable-options', '-Cpanic=immediate-abort'];
const cargoFlags = (packages) => ['--profile', 'contract', '--lib', '--locked', ...packages.flatMap((name) => ['-p', name]),
  '--target', TARGET, '-Zbuild-std=std,panic_abort'];
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
const packages = option('--packages', 'inkling-contract').split(',');

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
execFileSync('cargo', ['build', ...cargoFlags(packages), '--config', `target.${TARGET}.rustflags=${rustflags}`],
  { cwd: ROOT, env, stdio: 'inherit' });

const built = join(env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), TARGET, 'contract');
const wasmOpt = join(HERE, 'node_modules', 'binaryen', 'bin', 'wasm-opt');
mkdirSync(out, { recursive: true });
const files = packages.map((name) => `${name.replaceAll('-', '_')}.wasm`);
for (const file of files) {
  execFileSync(process.execPath, [wasmOpt, ...WASM_OPT_FLAGS, '-o', join(out, file), join(built, file)], { stdio: 'inherit' });
}
if (packages.join() !== 'inkling-contract') process.exit();

const wasm = readFileSync(join(out, files[0]));
const brotli = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
const about = {
  wasm: files[0],
  sha256: createHash('sha256').update(wasm).digest('hex'),
  bytes: wasm.length,
  compressed_bytes: brotliCompressSync(wasm, { params: brotli }).length,
  rustc: rustc('--version'),
  linker: env.CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER ?? 'rust-lld',
  cargo_flags: cargoFlags(packages).join(' '),
  rust_flags: RUST_FLAGS.join(' '),
  profile: table(join(ROOT, 'Cargo.toml'), 'profile.contract'),
  link_flags: table(join(ROOT, '.cargo', 'config.toml'), `target.${TARGET}`),
  wasm_opt: execFileSync(process.execPath, [wasmOpt, '--version'], { encoding: 'utf8' }).trim(),
  wasm_opt_flags: WASM_OPT_FLAGS.join(' '),
};
writeFileSync(join(out, 'inkling_contract.json'), JSON.stringify(about, null, 1) + '\n');
console.log(`${about.bytes} bytes, ${about.compressed_bytes} compressed, sha256 ${about.sha256}`);
