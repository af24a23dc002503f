// A deployed classifier, asked through ethers.

import { Contract, FetchRequest, Interface, JsonRpcProvider, Network } from 'ethers';
import type { CallExceptionError, JsonRpcSigner, Provider, TransactionReceipt } from 'ethers';
import type { Config } from './config';
import { POLLING } from './wallets';

/** What this page uses of contracts-solidity-baseline/IClassifier.sol. */
const ABI = new Interface([
  'function classify(bytes image) view returns (uint8 digit)',
  'function logits(bytes image) view returns (int32[])',
  'function classifyAndRecord(bytes image) returns (uint8 digit)',
  'function modelInfo() view returns (bytes header, bytes32 modelHash, uint32 words, uint8 state)',
  'event Classified(address indexed caller, bytes32 indexed imageHash, uint8 digit)',
  'error ModelNotReady(uint8 state)',
  'error BadImageLength(uint256 got, uint256 expected)',
]);

/** Name and arguments of a contract's refusal; ethers itself decodes it of calls, and not of estimates. */
export function refusal({ revert, data }: CallExceptionError): { name: string; args: unknown[] } | null {
  return revert ?? (data === null ? null : ABI.parseError(data));
}

/** How long an endpoint may take, and a transaction until it is in a block, in milliseconds. */
const TIMEOUT = 20_000;
const BLOCK_TIMEOUT = 180_000;

/** States of a model: see IClassifier.sol. */
const READY = 2;

/** What a contract holds. */
export interface Model {
  hash: string;
  words: number;
}

/** The event of a recorded reading. */
export interface Recorded {
  caller: string;
  imageHash: string;
  digit: number;
  block: number;
  gas: bigint;
  transaction: string;
}

/** The contract has no network to answer with. */
export class NotReady extends Error {
  constructor(readonly state: number) {
    super('the model is not ready');
  }
}

/** The transaction is in a block, and failed there. */
export class Failed extends Error {}

/** The transaction was sent, and is in no block so far. */
export class Pending extends Error {}

/** A provider for an endpoint of the configured chain. */
export function endpoint(url: string, config: Config): JsonRpcProvider {
  const request = new FetchRequest(url);
  request.timeout = TIMEOUT;
  // 429 is tried again by ethers, with growing pauses; a visitor waits for three, and not for twelve.
  request.setThrottleParams({ maxAttempts: 3, slotInterval: 250 });
  const network = Network.from(config.chainId);
  return new JsonRpcProvider(request, network, { staticNetwork: network, pollingInterval: POLLING });
}

/** The chain's id, asked anew. */
export async function chainId(provider: JsonRpcProvider): Promise<bigint> {
  return BigInt(await provider.send('eth_chainId', []));
}

/** One contract, read through `provider`. */
export class Classifier {
  readonly #contract: Contract;

  constructor(
    readonly address: string,
    readonly provider: Provider,
  ) {
    this.#contract = new Contract(address, ABI, provider);
  }

  /** The model in it. Throws {@link NotReady} where there is none, or not all of one. */
  async model(): Promise<Model> {
    const [, hash, words, state] = await this.#contract.getFunction('modelInfo').staticCall();
    if (Number(state) < READY) throw new NotReady(Number(state));
    return { hash, words: Number(words) };
  }

  async digit(image: Uint8Array): Promise<number> {
    return Number(await this.#contract.getFunction('classify').staticCall(image));
  }

  async logits(image: Uint8Array): Promise<number[]> {
    const logits: bigint[] = await this.#contract.getFunction('logits').staticCall(image);
    return logits.map(Number);
  }

  /** `eth_estimateGas` of a transaction that classifies. */
  gas(image: Uint8Array): Promise<bigint> {
    return this.#contract.getFunction('classify').estimateGas(image);
  }

  /**
   * Sends `classifyAndRecord` and waits until it is in a block; `sent` is told its hash as soon as there is one. Throws
   * {@link Failed} or {@link Pending} with the hash as message.
   */
  async record(image: Uint8Array, signer: JsonRpcSigner, sent: (hash: string) => void): Promise<Recorded> {
    const data = ABI.encodeFunctionData('classifyAndRecord', [image]);
    const hash = await signer.sendUncheckedTransaction({ to: this.address, data });
    sent(hash);
    const receipt = await this.provider.waitForTransaction(hash, 1, BLOCK_TIMEOUT).catch(() => null);
    if (receipt === null) throw new Pending(hash);
    const recorded = receipt.status === 1 ? this.#event(receipt) : undefined;
    if (recorded === undefined) throw new Failed(hash);
    return recorded;
  }

  /** The event of this contract in a receipt. */
  #event(receipt: TransactionReceipt): Recorded | undefined {
    for (const log of receipt.logs.filter(({ address }) => address === this.address)) {
      const event = ABI.parseLog(log);
      if (event?.name !== 'Classified') continue;
      const { caller, imageHash, digit } = event.args;
      return { caller, imageHash, digit: Number(digit), block: receipt.blockNumber, gas: receipt.gasUsed, transaction: receipt.hash };
    }
    return undefined;
  }
}
