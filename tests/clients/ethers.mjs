// What a wallet page or script does with ethers v6:  node ethers.mjs FIXTURE.json
//
// Deploys the Solidity contract, uploads a model to it, classifies with it and with the Stylus contract that stands
// there already, and prints what it saw as JSON; tests/clients.rs, which wrote the fixture, knows what that must be.

import { readFileSync } from 'node:fs';
import { Contract, ContractFactory, JsonRpcProvider, Wallet, dataSlice } from 'ethers';

const fixture = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { abi, bytecode, header, modelHash, uploads, image } = fixture;
// Without a cache of answers: by default an account's nonce is remembered for 250 ms, in which this node mines many blocks.
const provider = new JsonRpcProvider(fixture.rpc, undefined, { pollingInterval: 50, cacheTimeout: -1 });
const wallet = new Wallet(fixture.key, provider);

/** The custom error that a call is refused with, decoded. */
const refusal = async (call) => {
  try {
    await call;
    return 'not refused';
  } catch (error) {
    return error.revert ? `${error.revert.name}(${error.revert.args.join(', ')})`.toLowerCase() : String(error);
  }
};
const done = async (sent) => (await sent).wait();
const fields = ({ caller, imageHash, digit }) => [caller.toLowerCase(), imageHash, Number(digit)];

/** Listens for the first event of a contract: begun long before it comes, for the listener polls for new blocks. */
const listen = (contract) => new Promise((resolve) => {
  contract.once(contract.filters.Classified(wallet.address), (...args) => resolve(fields(args.at(-1).args)));
});

const report = {
  chainId: Number((await provider.getNetwork()).chainId),
  balance: String(await provider.getBalance(wallet.address)),
};

const stylus = new Contract(fixture.classifier, abi, wallet);
const heard = [null, listen(stylus)];
const factory = new ContractFactory(abi, bytecode, wallet);
const packed = await factory.deploy(wallet.address);
const created = await packed.deploymentTransaction().wait();
report.created = [(await provider.getCode(packed)) === fixture.code, Number(created.gasUsed)];
heard[0] = listen(packed);
report.notReady = await refusal(packed.classify(image));
await done(packed.beginModel(header, modelHash));
for (const [index, words] of uploads) await done(packed.uploadChunk(index, words));
await done(packed.finalizeModel());

report.notOwner = await refusal(stylus.beginModel.staticCall(header, modelHash));

report.contracts = [];
for (const [index, contract] of [packed, stylus].entries()) {
  const estimate = await contract.classifyAndRecord.estimateGas(image);
  const receipt = await done(contract.classifyAndRecord(image));
  const found = await contract.queryFilter(contract.filters.Classified(wallet.address), receipt.blockNumber);
  report.contracts.push({
    digit: Number(await contract.classify(image)),
    logits: (await contract.logits(image)).map(Number),
    estimate: Number(estimate),
    gas: Number(receipt.gasUsed),
    event: fields(receipt.logs[0].args),
    found: found.map(({ args }) => fields(args)),
    heard: await heard[index],
    refused: await refusal(contract.classify(dataSlice(image, 1))),
  });
}
provider.destroy();
console.log(JSON.stringify(report));
