// The page: draws, asks the contracts, and records.

import type { JsonRpcProvider } from 'ethers';
import { Classifier, chainId, endpoint } from './classifier';
import type { Model, Recorded } from './classifier';
import { loadConfig } from './config';
import type { Config } from './config';
import { Pad, bitmap } from './pad';
import { SIDE, toInput } from './preprocess';
import { samples } from './samples';
import { OtherChain, isOutage, short, whyNotDone, whyNotRead } from './sentences';
import { FRAME, toPicture } from './strokes';
import { button, byId, element, explored, grouped, showBars } from './view';
import { Connection, findWallets } from './wallets';
import type { Wallet } from './wallets';

/** Between attempts to reach an endpoint that does not answer, in milliseconds. */
const RETRY = 4_000;

/** What the contract said of an image. */
interface Reading {
  image: Uint8Array;
  digit: number;
}

/** What can be asked: both contracts through one provider. */
interface Contracts {
  stylus: Classifier;
  solidity: Classifier | null;
}

const input = byId<HTMLCanvasElement>('input');
const pad = new Pad(byId<HTMLCanvasElement>('pad'), {
  drawn(lifted) {
    showInput();
    if (lifted) void read();
  },
  said: (text) => byId('pen').replaceChildren(text),
});

let config: Config | null = null;
let contracts: Contracts | null = null;
let reading: Reading | null = null;
/** Counts images, so that an answer that comes late is not shown of another one. */
let turn = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let wallets: Wallet[] = [];
let connection: Connection | null = null;
/** Whether the wallet is being asked something. */
let asking = false;

/** The 400 bytes of what is on the pad. */
function image(): Uint8Array {
  return toInput(pad.picture ?? toPicture(pad.strokes), FRAME, FRAME);
}

/** Shows the image that the contract is sent. */
function showInput(): void {
  const context = input.getContext('2d') as CanvasRenderingContext2D;
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, input.width, input.height);
  if (!pad.isEmpty) context.drawImage(bitmap(image(), SIDE, getComputedStyle(input).color), 0, 0, input.width, input.height);
  input.setAttribute('aria-label', pad.isEmpty ? 'No image yet' : 'The image of 20 by 20 pixels that the contract is sent');
  byId('hint').hidden = !pad.isEmpty;
  for (const id of ['undo', 'clear']) byId<HTMLButtonElement>(id).disabled = pad.isEmpty;
}

/** Shows that nothing is known of the image, or of no image. */
function showNothing(): void {
  reading = null;
  showDigit(null);
  byId('status').replaceChildren();
  showBars(byId('logits'), Array.from({ length: 10 }, (_, digit) => ({ label: String(digit), value: null })));
  showBars(byId('gas'), [{ label: 'Stylus', value: null }, { label: 'Solidity', value: null }]);
  showGasNote('');
  showWallet();
}

function showDigit(digit: number | null): void {
  byId('digit').replaceChildren(digit === null ? '–' : String(digit));
  byId('digit').classList.toggle('unknown', digit === null);
}

function showGasNote(comparison: string): void {
  const estimate = ['Estimated by the chain (', element('code', {}, 'eth_estimateGas'), ') for a transaction with this image.'];
  byId('gas-note').replaceChildren(comparison, ...estimate);
}

/** Shows what prevents reading; `again` is offered where it may help. */
function showProblem(text: string | null, again = false): void {
  const problem = byId('problem');
  const [sentence, button] = [problem.querySelector('span'), problem.querySelector('button')];
  sentence?.replaceChildren(text ?? '');
  if (button) button.hidden = !again;
  problem.hidden = text === null;
}

/** Tells why a contract could not be asked, and tries again later where it was the endpoint's fault. */
function failed(error: unknown, address: string): void {
  if (config === null) return;
  showProblem(whyNotRead(error, config, address), true);
  clearTimeout(retry);
  if (isOutage(error)) retry = setTimeout(() => void check(), RETRY);
}

/** Looks whether the contracts can be asked, and if so asks them about what is on the pad. */
async function check(): Promise<void> {
  if (config === null) return;
  clearTimeout(retry);
  const asked = contractsBehind(config);
  if (asked === null) {
    contracts = null;
    return showProblem(`This page has no endpoint of its own: connect a wallet that is on ${config.chainName}, and it reads through that.`);
  }
  try {
    const got = asked.rpc === null ? config.chainId : await chainId(asked.rpc);
    if (got !== config.chainId) throw new OtherChain(got);
    const model = await asked.stylus.model();
    contracts = asked;
    showProblem(null);
    showFacts(config, model);
  } catch (error) {
    contracts = null;
    return failed(error, config.address);
  }
  await read();
}

/** The contracts through the endpoint or, without one, through the wallet. */
function contractsBehind(config: Config): (Contracts & { rpc: JsonRpcProvider | null }) | null {
  const rpc = config.rpc === null ? null : endpoint(config.rpc, config);
  const provider = rpc ?? (connection?.chainId === config.chainId ? connection.reader() : null);
  if (provider === null) return null;
  const { address, solidityAddress } = config;
  return {
    rpc,
    stylus: new Classifier(address, provider),
    solidity: solidityAddress === null ? null : new Classifier(solidityAddress, provider),
  };
}

/** Asks both contracts what is on the pad. */
async function read(): Promise<void> {
  const mine = ++turn;
  if (pad.isEmpty || contracts === null || config === null) return showNothing();
  const { stylus, solidity } = contracts;
  const asked = image();
  const section = byId('digit').closest('section');
  section?.setAttribute('aria-busy', 'true');
  try {
    const twin = solidity === null ? null : Promise.all([solidity.digit(asked), solidity.gas(asked)]).catch((error: unknown) => whyNot(error, solidity));
    const [digit, logits, gas] = await Promise.all([stylus.digit(asked), stylus.logits(asked), stylus.gas(asked)]);
    const twins = await twin;
    if (mine !== turn) return;
    showProblem(null);
    reading = { image: asked, digit };
    showDigit(digit);
    showBars(byId('logits'), logits.map((value, at) => ({ label: String(at), value, best: at === digit })));
    const comparison = showGas(digit, gas, twins);
    byId('status').replaceChildren(`The contract reads ${digit}. ${comparison}`);
    showWallet();
  } catch (error) {
    if (mine !== turn) return;
    showNothing();
    failed(error, stylus.address);
  } finally {
    if (mine === turn) section?.removeAttribute('aria-busy');
  }
}

function whyNot(error: unknown, contract: Classifier): string {
  return config === null ? '' : whyNotRead(error, config, contract.address);
}

/** Shows the gas of both, and returns it in words. */
function showGas(digit: number, gas: bigint, twin: [number, bigint] | string | null): string {
  const known = Array.isArray(twin) ? twin : null;
  const bars = [{ label: 'Stylus', value: Number(gas), best: true }];
  showBars(byId('gas'), twin === null ? bars : [...bars, { label: 'Solidity', value: known && Number(known[1]) }]);
  const comparison = () => {
    if (known === null) return typeof twin === 'string' ? `Its Solidity twin is silent: ${twin}` : '';
    const says = known[0] === digit ? `reads ${digit} as well` : `reads ${known[0]}`;
    return `Its Solidity twin ${says}, for ${(Number(known[1]) / Number(gas)).toFixed(1)} times the gas.`;
  };
  showGasNote(comparison() === '' ? '' : `${comparison()} `);
  return `Gas: ${grouped(gas)}. ${comparison()}`;
}

/** Shows what is behind the page. */
function showFacts(config: Config, model: Model): void {
  const fact = (name: string, ...value: (Node | string)[]) => element('div', {}, element('dt', {}, name), element('dd', {}, ...value));
  const facts = [
    fact('Chain', `${config.chainName} (${config.chainId})`),
    fact('Stylus contract', explored(config, 'address', config.address)),
    ...(config.solidityAddress === null ? [] : [fact('Solidity twin', explored(config, 'address', config.solidityAddress))]),
    fact('Network', `${model.words} words of 32 bytes, hash `, element('code', { title: model.hash }, short(model.hash))),
  ];
  byId('facts').replaceChildren(element('dl', {}, ...facts));
}

/** Shows wallets to connect, or what the one that is connected can do. */
function showWallet(): void {
  if (config === null) return;
  const box = byId('wallets');
  const focused = box.contains(document.activeElement);
  box.replaceChildren(...(connection === null ? choices(config) : actions(config, connection)));
  // The button that was pressed is gone: its place in the page is kept.
  if (focused) box.querySelector<HTMLElement>('button:not(:disabled)')?.focus();
}

function choices(config: Config): HTMLElement[] {
  if (wallets.length === 0) {
    const none = 'No wallet found in this browser. Reading needs none. To record, install one that follows EIP-6963, have some ETH on';
    return [element('p', {}, `${none} ${config.chainName}, and load this page again.`)];
  }
  return wallets.map((wallet) => {
    const choice = button(`Connect ${wallet.name}`, () => void connect(wallet));
    if (wallet.icon !== null) choice.prepend(element('img', { src: wallet.icon, alt: '', width: 20, height: 20 }));
    choice.disabled = asking;
    return choice;
  });
}

function actions(config: Config, connection: Connection): HTMLElement[] {
  const account = element('p', { className: 'account' }, element('code', { title: connection.account }, short(connection.account)), ` with ${connection.wallet.name}`);
  const leave = button('Disconnect', () => setConnection(null), 'quiet');
  const isThere = connection.chainId === config.chainId;
  const label = reading === null ? 'Record the reading' : `Record this ${reading.digit}`;
  const act = isThere ? button(label, () => void record(), 'primary') : button(`Switch to ${config.chainName}`, () => void switchChain(), 'primary');
  act.disabled = asking || (isThere && reading === null);
  const wrong = element('p', { className: 'wrong' }, `Your wallet is on chain ${connection.chainId}, the contract is on ${config.chainName} (${config.chainId}).`);
  return [account, leave, ...(isThere ? [] : [wrong]), act];
}

function setConnection(to: Connection | null): void {
  if (connection !== to) connection?.close();
  connection = to;
  byId('wallet-status').replaceChildren();
  showWallet();
  if (config?.rpc === null) void check();
}

/** Asks the wallet something, and tells what it says where that is no. */
async function ask(question: string, act: (config: Config) => Promise<void>): Promise<void> {
  if (config === null || asking) return;
  const status = byId('wallet-status');
  asking = true;
  status.replaceChildren(question);
  showWallet();
  try {
    await act(config);
    status.replaceChildren();
  } catch (error) {
    status.replaceChildren(whyNotDone(error, config, config.address));
  } finally {
    asking = false;
    showWallet();
  }
}

function connect(wallet: Wallet): Promise<void> {
  return ask(`Answer in ${wallet.name}: may this page see an account?`, async () => {
    setConnection(await Connection.open(wallet, setConnection));
  });
}

function switchChain(): Promise<void> {
  return ask('Answer in your wallet: may it go to another chain?', async (config) => {
    await connection?.switchTo(config);
    if (config.rpc === null) void check();
  });
}

function record(): Promise<void> {
  return ask('Answer in your wallet: it shows the transaction and what it costs.', async (config) => {
    if (connection === null || reading === null || contracts === null) return;
    const signer = await connection.signer();
    const sent = (hash: string) => byId('wallet-status').replaceChildren('Sent as ', explored(config, 'tx', hash), ', waiting for its block.');
    const recorded = await contracts.stylus.record(reading.image, signer, sent);
    byId('records').prepend(entry(config, recorded));
  });
}

function entry(config: Config, { caller, imageHash, digit, block, gas, transaction }: Recorded): HTMLElement {
  return element(
    'li', {},
    element('strong', {}, String(digit)),
    element(
      'p', {},
      `Block ${grouped(block)} has it on record: `, element('code', { title: caller }, short(caller)), ` had the contract read a ${digit} for ${grouped(gas)} gas. `,
      'Event ', element('code', {}, 'Classified'), ' of image ', element('code', { title: imageHash }, short(imageHash)),
      ', transaction ', explored(config, 'tx', transaction), '.',
    ),
  );
}

function showSamples(): void {
  const box = byId('samples');
  const buttons = samples.map((sample, digit) => {
    const canvas = bitmap(sample, FRAME, getComputedStyle(box).color);
    const choice = button('', () => pad.show(sample));
    choice.ariaLabel = `Sample ${digit}`;
    choice.append(canvas);
    return choice;
  });
  box.replaceChildren(...buttons);
}

byId('undo').addEventListener('click', () => pad.undo());
byId('clear').addEventListener('click', () => pad.clear());
byId('problem').querySelector('button')?.addEventListener('click', () => void check());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  showSamples();
  showInput();
});
showSamples();
showInput();
showNothing();
try {
  config = await loadConfig();
  findWallets((found) => {
    wallets = found;
    showWallet();
  });
  await check();
} catch (error) {
  showProblem(error instanceof Error ? error.message : String(error));
}
