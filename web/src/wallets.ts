// Wallets in the browser, found by EIP-6963, and the one that is connected.

import { BrowserProvider, getAddress, toQuantity } from 'ethers';
import type { Eip1193Provider, JsonRpcSigner } from 'ethers';
import type { Config } from './config';

/** Between looks whether a transaction is in a block, in milliseconds: Arbitrum makes several blocks a second. */
export const POLLING = 500;

/** A wallet's provider (EIP-1193). */
export interface WalletProvider extends Eip1193Provider {
  on?(event: string, listener: (value: never) => void): void;
  removeListener?(event: string, listener: (value: never) => void): void;
}

/** A wallet that announced itself. */
export interface Wallet {
  uuid: string;
  name: string;
  /** An image as a data: URL. */
  icon: string | null;
  provider: WalletProvider;
}

interface Announcement {
  info: { uuid: string; name: string; icon: string };
  provider: WalletProvider;
}

/** Asks wallets to announce themselves, and tells of each list that differs from the one before. */
export function findWallets(found: (wallets: Wallet[]) => void): void {
  const wallets = new Map<string, Wallet>();
  addEventListener('eip6963:announceProvider', (event) => {
    const { info, provider } = (event as CustomEvent<Announcement>).detail;
    // Anything may be announced; what an <img> loads from elsewhere would tell of the visit.
    const icon = info.icon?.startsWith('data:image/') ? info.icon : null;
    wallets.set(info.uuid, { uuid: info.uuid, name: String(info.name), icon, provider });
    found([...wallets.values()]);
  });
  dispatchEvent(new Event('eip6963:requestProvider'));
  found([...wallets.values()]);
}

/** A wallet that lets this page see an account. */
export class Connection {
  readonly #listeners: [string, (value: never) => void][];

  private constructor(
    readonly wallet: Wallet,
    public account: string,
    public chainId: bigint,
    changed: (connection: Connection | null) => void,
  ) {
    this.#listeners = [
      ['accountsChanged', ([account]: string[]) => {
        if (account === undefined) return changed(null);
        this.account = getAddress(account);
        changed(this);
      }],
      ['chainChanged', (chainId: string) => {
        this.chainId = BigInt(chainId);
        changed(this);
      }],
    ];
    for (const [event, listener] of this.#listeners) wallet.provider.on?.(event, listener);
  }

  /** Asks the wallet for an account; `changed` is told of another account or chain, and `null` when the wallet shows none. */
  static async open(wallet: Wallet, changed: (connection: Connection | null) => void): Promise<Connection> {
    const accounts: string[] = await wallet.provider.request({ method: 'eth_requestAccounts' });
    if (accounts[0] === undefined) throw new Error('the wallet shows no account');
    const chainId: string = await wallet.provider.request({ method: 'eth_chainId' });
    return new Connection(wallet, getAddress(accounts[0]), BigInt(chainId), changed);
  }

  /** Listens no more. */
  close(): void {
    for (const [event, listener] of this.#listeners) this.wallet.provider.removeListener?.(event, listener);
  }

  /** Reads the chain through the wallet. */
  reader(): BrowserProvider {
    const reader = new BrowserProvider(this.wallet.provider, this.chainId);
    reader.pollingInterval = POLLING;
    return reader;
  }

  /** What signs transactions for the account. */
  async signer(): Promise<JsonRpcSigner> {
    return new BrowserProvider(this.wallet.provider, 'any').getSigner(this.account);
  }

  /** Asks the wallet to go to the configured chain, and tells it of the chain where it does not know it. */
  async switchTo(config: Config): Promise<void> {
    const chainId = toQuantity(config.chainId);
    const switchChain = () => this.wallet.provider.request({ method: 'wallet_switchEthereumChain', params: [{ chainId }] });
    try {
      await switchChain();
    } catch (error) {
      // EIP-3326: 4902 is a chain that the wallet does not know. Some wallets wrap their errors.
      const { code, data } = error as { code?: number; data?: { originalError?: { code?: number } } };
      if ((code !== 4902 && data?.originalError?.code !== 4902) || config.rpc === null) throw error;
      const chain = {
        chainId,
        chainName: config.chainName,
        nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
        rpcUrls: [config.rpc],
        ...(config.explorer === null ? {} : { blockExplorerUrls: [config.explorer] }),
      };
      await this.wallet.provider.request({ method: 'wallet_addEthereumChain', params: [chain] });
      await switchChain();
    }
    // Wallets also tell it by an event, but some late.
    this.chainId = BigInt(await this.wallet.provider.request({ method: 'eth_chainId' }));
  }
}
