// The same as ethers.mjs with viem:  node viem.mjs FIXTURE.json

import { readFileSync } from 'node:fs';
import {
  ContractFunctionRevertedError, createPublicClient, createWalletClient, defineChain, http, parseEventLogs, sliceHex,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

const fixture = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { abi, bytecode, header, modelHash, uploads, image } = fixture;
const account = privateKeyToAccount(fixture.key);
const transport = http(fixture.rpc);
const asked = createPublicClient({ transport, pollingInterval: 50 });
const chain = defineChain({
  id: await asked.getChainId(),
  name: 'Inkling',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [fixture.rpc] } },
});
const node = createPublicClient({ chain, transport, pollingInterval: 50 });
const wallet = createWalletClient({ account, chain, transport });

const refusal = async (call) => {
  try {
    await call;
    return 'not refused';
  } catch (error) {
    const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    return revert?.data ? `${revert.data.errorName}(${revert.data.args.join(', ')})`.toLowerCase() : String(error);
  }
};
const mined = async (hash) => node.waitForTransactionReceipt({ hash: await hash });
const send = async (address, functionName, args) => mined(wallet.writeContract({ address, abi, functionName, args }));
const fields = ({ args: { caller, imageHash, digit } }) => [caller.toLowerCase(), imageHash, digit];

const filterOf = (address) => ({ address, abi, eventName: 'Classified', args: { caller: account.address } });
/** Listens for the first event of a contract: begun long before it comes, for the listener polls. */
const listen = (address) => new Promise((resolve, onError) => {
  const stop = node.watchContractEvent({ ...filterOf(address), onLogs: ([log]) => stop(resolve(fields(log))), onError });
});

const report = {
  chainId: chain.id,
  balance: String(await node.getBalance({ address: account.address })),
};

const heard = [null, listen(fixture.classifier)];
const created = await mined(wallet.deployContract({ abi, bytecode, args: [account.address] }));
const packed = created.contractAddress;
report.created = [(await node.getCode({ address: packed })) === fixture.code, Number(created.gasUsed)];
heard[0] = listen(packed);
report.notReady = await refusal(node.readContract({ address: packed, abi, functionName: 'classify', args: [image] }));
await send(packed, 'beginModel', [header, modelHash]);
for (const upload of uploads) await send(packed, 'uploadChunk', upload);
await send(packed, 'finalizeModel', []);

const begin = { address: fixture.classifier, abi, functionName: 'beginModel', args: [header, modelHash], account };
report.notOwner = await refusal(node.simulateContract(begin));

report.contracts = [];
for (const [index, address] of [packed, fixture.classifier].entries()) {
  const read = (functionName, ...args) => node.readContract({ address, abi, functionName, args });
  const record = { address, abi, functionName: 'classifyAndRecord', args: [image], account };
  const estimate = await node.estimateContractGas(record);
  const receipt = await send(address, 'classifyAndRecord', [image]);
  const found = await node.getContractEvents({ ...filterOf(address), fromBlock: receipt.blockNumber });
  report.contracts.push({
    digit: await read('classify', image),
    logits: await read('logits', image),
    estimate: Number(estimate),
    gas: Number(receipt.gasUsed),
    event: fields(parseEventLogs({ abi, logs: receipt.logs })[0]),
    found: found.map(fields),
    heard: await heard[index],
    refused: await refusal(read('classify', sliceHex(image, 1))),
  });
}
console.log(JSON.stringify(report));
