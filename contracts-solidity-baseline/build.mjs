// Compiles the Solidity sources to artifacts (ABI, bytecode and what they were made from).
//
//   node build.mjs           writes the artifacts
//   node build.mjs --check   writes nothing; names the artifacts that the sources no longer give, exit code 1
//
// Bytecode carries no metadata hash, so that it depends on code and settings alone.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What is built: paths from the repository root. The contract has its source file's name. */
const TARGETS = [
  ['contracts-solidity-baseline/Naive.sol', 'contracts-solidity-baseline/artifacts/Naive.json'],
  ['contracts-solidity-baseline/Packed.sol', 'contracts-solidity-baseline/artifacts/Packed.json'],
  ['contracts-solidity-baseline/Yul.sol', 'contracts-solidity-baseline/artifacts/Yul.json'],
  ['contracts-solidity-baseline/YulCode.sol', 'contracts-solidity-baseline/artifacts/YulCode.json'],
  ['devnode/predeploys/CacheManager.sol', 'devnode/predeploys/CacheManager.json'],
  ['devnode/predeploys/StylusDeployer.sol', 'devnode/predeploys/StylusDeployer.json'],
  ['tests/contracts/Asker.sol', 'tests/contracts/Asker.json'],
];

const SETTINGS = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: true,
  metadata: { appendCBOR: false, bytecodeHash: 'none' },
};

/** Compiles the contract of one file and returns its artifact as text; throws with solc's words on an error. */
function artifact(source) {
  const name = source.match(/(\w+)\.sol$/)[1];
  const sha256 = {};
  const read = (path) => {
    const content = readFileSync(join(ROOT, path), 'utf8');
    sha256[path] = createHash('sha256').update(content).digest('hex');
    return content;
  };
  const input = {
    language: 'Solidity',
    sources: { [source]: { content: read(source) } },
    settings: { ...SETTINGS, outputSelection: { [source]: { [name]: ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } } },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: (path) => ({ contents: read(path) }) }));
  // Warnings count: there are none.
  if (output.errors?.length) throw new Error(output.errors.map((e) => e.formattedMessage).join('\n'));
  const { abi, evm } = output.contracts[source][name];
  return JSON.stringify({
    contractName: name,
    compiler: `solc ${solc.version()}`,
    settings: SETTINGS,
    sources: Object.fromEntries(Object.entries(sha256).sort()),
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
  }, null, 1) + '\n';
}

const check = process.argv.includes('--check');
let stale = false;
for (const [source, path] of TARGETS) {
  const file = join(ROOT, path);
  const wanted = artifact(source);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) continue;
  if (check) {
    stale = true;
    console.error(`stale: ${path} is not what ${source} gives; run \`node contracts-solidity-baseline/build.mjs\``);
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wanted);
    console.log(`built ${path}`);
  }
}
process.exitCode = stale ? 1 : 0;
