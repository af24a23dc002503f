// A wallet that a test puts into the page. It runs there, so it uses nothing from here.

/**
 * Announces a wallet by EIP-6963 that signs without asking: the node holds its account. `refuse` maps methods to the error
 * that they fail with; `chains` are the ids that it knows, the first the one it is on. What it was asked is in
 * `window.asked`.
 */
export function injectWallet({ rpc, account, chains, refuse = {} }) {
  const known = new Set(chains);
  const listeners = {};
  let chain = chains[0];
  window.asked = [];
  const forward = async (method, params) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const response = await fetch(rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { result, error } = await response.json();
    if (error) throw Object.assign(new Error(error.message), error);
    return result;
  };
  const request = async ({ method, params = [] }) => {
    window.asked.push(method);
    if (refuse[method]) throw Object.assign(new Error(refuse[method].message), refuse[method]);
    if (method === 'eth_accounts' || method === 'eth_requestAccounts') return [account];
    if (method === 'eth_chainId') return chain;
    if (method === 'wallet_addEthereumChain') return known.add(params[0].chainId) && null;
    if (method !== 'wallet_switchEthereumChain') return forward(method, params);
    if (!known.has(params[0].chainId)) throw Object.assign(new Error('Unrecognized chain'), { code: 4902 });
    chain = params[0].chainId;
    listeners.chainChanged?.forEach((listener) => listener(chain));
    return null;
  };
  const provider = {
    request,
    on: (event, listener) => (listeners[event] ??= []).push(listener),
    removeListener: (event, listener) => (listeners[event] = listeners[event]?.filter((other) => other !== listener)),
  };
  window.leave = () => listeners.accountsChanged?.forEach((listener) => listener([]));
  const icon = 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="teal"/></svg>';
  const info = Object.freeze({ uuid: '350670db-19fa-4704-a166-e52e178b59d2', name: 'Test Wallet', icon, rdns: 'example.wallet' });
  const announce = () => dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail: Object.freeze({ info, provider }) }));
  addEventListener('eip6963:requestProvider', announce);
  announce();
}
