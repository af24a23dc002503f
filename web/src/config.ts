// What the page is about: config.json beside index.html, which `inkling serve` writes.

import { getAddress } from 'ethers';

/** The chain and the contracts. */
export interface Config {
  chainId: bigint;
  chainName: string;
  /** Endpoint for reading; without it, the wallet is asked. */
  rpc: string | null;
  /** The Stylus contract. */
  address: string;
  /** Its Solidity twin. */
  solidityAddress: string | null;
  /** Where links to transactions lead, without a slash at the end. */
  explorer: string | null;
}

/** Reads config.json. Throws an `Error` whose message is a sentence for the visitor. */
export async function loadConfig(): Promise<Config> {
  let json: unknown;
  try {
    const response = await fetch('config.json', { cache: 'no-cache' });
    if (!response.ok) throw new Error();
    json = await response.json();
  } catch {
    throw new Error('There is no readable config.json beside this page: “inkling serve” writes one.');
  }
  try {
    return parse(json as Record<string, unknown>);
  } catch (error) {
    throw new Error(`config.json is not as it should be: ${error instanceof Error ? error.message : error}.`);
  }
}

function parse(json: Record<string, unknown>): Config {
  const text = (key: string) => {
    const value = json[key];
    if (value == null) return null;
    if (typeof value !== 'string') throw new Error(`${key} is no text`);
    return value;
  };
  const url = (key: string) => {
    const value = text(key);
    if (value !== null && !/^https?:$/.test(new URL(value).protocol)) throw new Error(`${key} is no http address`);
    return value;
  };
  const address = (key: string) => {
    const value = text(key);
    try {
      return value === null ? null : getAddress(value);
    } catch {
      throw new Error(`${key} is no address`);
    }
  };
  const { chainId } = json;
  const stylus = address('address');
  if (!Number.isSafeInteger(chainId) || (chainId as number) < 1) throw new Error('chainId is no positive whole number');
  if (stylus === null) throw new Error('address is missing');
  return {
    chainId: BigInt(chainId as number),
    chainName: text('chainName') ?? `chain ${chainId}`,
    rpc: url('rpc'),
    address: stylus,
    solidityAddress: address('solidityAddress'),
    explorer: url('explorer')?.replace(/\/+$/, '') ?? null,
  };
}
