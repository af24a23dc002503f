// What went wrong, as a sentence that helps.

import { isError } from 'ethers';
import { Failed, NotReady, Pending, refusal } from './classifier';
import type { Config } from './config';

/** Numbers of EIP-1193 and of MetaMask's JSON-RPC errors that are the visitor's affair. */
const REJECTED = 4001;
const ALREADY_ASKED = -32002;

const STATES = ['it is empty', 'its upload is under way'];

/** Address or hash, shortened to be read. */
export function short(hex: string): string {
  return `${hex.slice(0, 6)}…${hex.slice(-4)}`;
}

/** The endpoint is of another chain than the configured one. */
export class OtherChain extends Error {
  constructor(readonly got: bigint) {
    super('other chain');
  }
}

/** Whether asking again may help, because the endpoint did not answer as it should. */
export function isOutage(error: unknown): boolean {
  return isError(error, 'NETWORK_ERROR') || isError(error, 'TIMEOUT') || isError(error, 'SERVER_ERROR') || error instanceof TypeError;
}

/** Why the contract at `address` did not give an answer. */
export function whyNotRead(error: unknown, config: Config, address: string): string {
  const where = `The contract at ${short(address)}`;
  if (error instanceof NotReady) return `${where} has no network to answer with yet: ${STATES[error.state] ?? 'it is not ready'}. Its owner completes it with “inkling deploy”.`;
  if (error instanceof OtherChain) return `The endpoint ${config.rpc} is of chain ${error.got}, and the contract is on ${config.chainName} (${config.chainId}): correct config.json.`;
  if (isOutage(error)) {
    const endpoint = `The endpoint ${config.rpc ?? 'of the wallet'}`;
    const status = isError(error, 'SERVER_ERROR') ? error.info?.responseStatus : undefined;
    if (status === undefined) return `${endpoint} does not answer. If it is yours, is it running? Trying again every few seconds.`;
    if (status.includes('429')) return `${endpoint} asks for fewer questions. Trying again every few seconds.`;
    return `${endpoint} answers “${status.trim()}”. Trying again every few seconds.`;
  }
  if (isError(error, 'BAD_DATA')) return `There is no classifier at ${address} on ${config.chainName}: correct config.json.`;
  if (isError(error, 'CALL_EXCEPTION')) {
    const refused = refusal(error);
    if (refused?.name === 'ModelNotReady') return whyNotRead(new NotReady(Number(refused.args[0])), config, address);
    return `${where} refused: ${refused?.name ?? error.reason ?? 'without a reason'}.`;
  }
  return `${where} could not be asked: ${said(error)}.`;
}

/** Why a wallet did not do what it was asked. */
export function whyNotDone(error: unknown, config: Config, address: string): string {
  const codes = chain(error).map(({ code }) => code);
  if (isError(error, 'ACTION_REJECTED') || codes.includes(REJECTED)) return 'You declined in your wallet. Nothing was sent, nothing was paid.';
  if (codes.includes(ALREADY_ASKED)) return 'Your wallet has a question open already: answer it there.';
  if (error instanceof Pending) return `Transaction ${short(error.message)} is sent, and in no block so far. Your wallet shows what becomes of it.`;
  if (error instanceof Failed) return `Transaction ${short(error.message)} failed in its block: the reading is not recorded.`;
  if (isError(error, 'INSUFFICIENT_FUNDS') || /insufficient funds/i.test(said(error))) return `The account has too little ETH on ${config.chainName} to pay for the transaction.`;
  if (isError(error, 'CALL_EXCEPTION') || error instanceof NotReady) return whyNotRead(error, config, address);
  return `The wallet says: ${said(error)}.`;
}

/** An error and what caused it: ethers and some wallets wrap what the wallet said. */
function chain(error: unknown): { code?: unknown; message?: unknown }[] {
  const errors = [];
  for (let at = error; typeof at === 'object' && at !== null && errors.length < 5; ) {
    errors.push(at);
    const { error, info, data } = at as { error?: unknown; info?: { error?: unknown }; data?: { originalError?: unknown } };
    at = error ?? info?.error ?? data?.originalError;
  }
  return errors;
}

/** The innermost message, without a full stop. */
function said(error: unknown): string {
  const messages = chain(error).map(({ message }) => message).filter((message) => typeof message === 'string');
  return (messages.at(-1) ?? String(error)).replace(/\.$/, '');
}
