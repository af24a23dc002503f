// The page in a browser: node page.mjs FIXTURE. tests/tests/web.rs runs it, with a node and the page's server behind it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, test } from 'node:test';
import { getAddress, keccak256 } from 'ethers';
import { CHAIN, PHONE, ask, close, digit, draw, drawByTouch, fixture, open } from './browser.mjs';
import { digits, placed } from './digits.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const OTHER_CHAIN = '0xa4b1';

after(close);

/** What axe finds to be serious or critical. */
async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

const text = (page, selector) => page.locator(selector).innerText();

/** Waits for a sentence. */
async function says(page, selector, sentence) {
  await page.locator(selector).filter({ hasText: sentence }).waitFor();
}

test('without a wallet: digits are read as the pen lifts', async () => {
  const { page, context, errors } = await open();
  await says(page, '#wallets', /No wallet found in this browser\. Reading needs none/);
  for (const drawn of [3, 7]) {
    await draw(page, digits[drawn]);
    assert.equal(await digit(page), drawn);
    await says(page, '#status', new RegExp(`The contract reads ${drawn}\\. Gas: [\\d,]+\\. Its Solidity twin reads ${drawn} as well, for [\\d.]+ times the gas\\.`));
    const [stylus, solidity] = (await page.locator('#gas .value').allInnerTexts()).map((gas) => Number(gas.replaceAll(',', '')));
    assert(stylus > 21_000 && solidity > stylus, `${stylus} ${solidity}`);
    const logits = (await page.locator('#logits .value').allInnerTexts()).map((logit) => Number(logit.replaceAll(',', '').replace('−', '-')));
    assert.equal(logits.indexOf(Math.max(...logits)), drawn);
    await page.getByRole('button', { name: 'Clear' }).click();
    await says(page, '#digit', '–');
  }
  assert.deepEqual(errors, []);
  await context.close();
});

test('all digits are read, small ones in a corner too', async () => {
  const { page, context } = await open();
  for (const [drawn, strokes] of digits.entries()) {
    for (const placedStrokes of [strokes, placed(drawn, 0.4, 0.05, 0.5)]) {
      await draw(page, placedStrokes);
      assert.equal(await digit(page), drawn);
      await page.locator('#clear').click();
    }
  }
  await context.close();
});

test('samples are read', async () => {
  const { page, context } = await open();
  for (let sample = 0; sample < 10; sample++) {
    await page.getByRole('button', { name: `Sample ${sample}` }).click();
    await says(page, '#status', `The contract reads ${sample}.`);
  }
  await page.locator('#undo').click();
  await says(page, '#digit', '–');
  await context.close();
});

test('a wallet connects and records, and the event is on the chain', async () => {
  const { page, context, errors } = await open({ wallet: {} });
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  const record = page.getByRole('button', { name: 'Record the reading' });
  assert(await record.isDisabled());
  await draw(page, digits[3]);
  assert.equal(await digit(page), 3);
  await page.getByRole('button', { name: 'Record this 3' }).click();
  await says(page, '#records', /Block [\d,]+ has it on record/);
  const hash = await page.locator('#records code').last().getAttribute('title');
  const [{ address, topics, data }] = (await ask('eth_getTransactionReceipt', hash)).logs;
  const { input } = await ask('eth_getTransactionByHash', hash);
  const image = `0x${input.slice(2 + 8 + 64 + 64, 2 + 8 + 64 + 64 + 800)}`;
  assert.equal(getAddress(address), getAddress(fixture.config.address));
  assert.equal(BigInt(topics[1]), BigInt(fixture.account));
  assert.equal(topics[2], keccak256(image));
  assert.equal(Number(data), 3);
  assert.equal(await page.locator('#records code').nth(2).getAttribute('title'), topics[2]);
  assert.deepEqual(await violations(page), []);
  await page.evaluate(() => window.leave());
  await page.getByRole('button', { name: 'Connect Test Wallet' }).waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('a link leads to the explorer', async () => {
  const { page, context } = await open({ wallet: {}, config: { explorer: 'https://explorer.example/' } });
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await page.getByRole('button', { name: 'Sample 5' }).click();
  await page.getByRole('button', { name: 'Record this 5' }).click();
  const link = page.locator('#records a');
  assert.match(await link.getAttribute('href'), /^https:\/\/explorer\.example\/tx\/0x[0-9a-f]{64}$/);
  assert.equal(await page.locator('#facts a').first().getAttribute('href'), `https://explorer.example/address/${getAddress(fixture.config.address)}`);
  await context.close();
});

test('a wallet on another chain is asked to go to the right one', async () => {
  const { page, context } = await open({ wallet: { chains: [OTHER_CHAIN] } });
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await says(page, '#wallets', `Your wallet is on chain 42161, the contract is on ${fixture.config.chainName} (${fixture.config.chainId}).`);
  // It is read all the same, through the endpoint.
  await draw(page, digits[7]);
  assert.equal(await digit(page), 7);
  await page.getByRole('button', { name: `Switch to ${fixture.config.chainName}` }).click();
  assert(await page.getByRole('button', { name: 'Record this 7' }).isEnabled());
  assert(await page.evaluate(() => window.asked.includes('wallet_addEthereumChain')));
  await context.close();
});

test('what a wallet refuses is told', async () => {
  const refusals = [
    [{ eth_sendTransaction: { code: 4001, message: 'User rejected the request.' } }, 'You declined in your wallet. Nothing was sent, nothing was paid.'],
    [{ eth_sendTransaction: { code: -32002, message: 'Request already pending.' } }, 'Your wallet has a question open already: answer it there.'],
    [{ eth_sendTransaction: { code: -32000, message: 'insufficient funds for gas * price + value' } }, 'The account has too little ETH'],
    [{ eth_sendTransaction: { code: -32603, message: 'The moon is full.' } }, 'The wallet says: The moon is full.'],
  ];
  for (const [refuse, sentence] of refusals) {
    const { page, context } = await open({ wallet: { refuse } });
    await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
    await page.getByRole('button', { name: 'Sample 1' }).click();
    await page.getByRole('button', { name: 'Record this 1' }).click();
    await says(page, '#wallet-status', sentence);
    assert(await page.getByRole('button', { name: 'Record this 1' }).isEnabled());
    await context.close();
  }
  const { page, context } = await open({ wallet: { refuse: { eth_requestAccounts: { code: 4001, message: 'User rejected the request.' } } } });
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await says(page, '#wallet-status', 'You declined in your wallet.');
  assert(await page.getByRole('button', { name: 'Connect Test Wallet' }).isEnabled());
  await context.close();
});

test('what is wrong with the contract or the configuration is told', async () => {
  const cases = [
    [{ address: fixture.notReady }, /^The contract at 0x.{4}….{4} has no network to answer with yet: it is empty\. Its owner completes it with “inkling deploy”\./],
    [{ address: fixture.account }, /^There is no classifier at 0x.{40} on .*: correct config\.json\./],
    [{ chainId: 1 }, new RegExp(`is of chain ${fixture.config.chainId}, and the contract is on .* \\(1\\): correct config\\.json\\.`)],
    [{ address: '0x1' }, /^config\.json is not as it should be: address is no address\./],
    [{ rpc: 'javascript:alert(1)' }, /^config\.json is not as it should be: rpc is no http address\./],
  ];
  for (const [config, sentence] of cases) {
    const { page, context } = await open({ config });
    await says(page, '#problem', sentence);
    await draw(page, digits[1]);
    assert.equal(await text(page, '#digit'), '–');
    await context.close();
  }
  const { page, context } = await open({ config: { solidityAddress: fixture.notReady } });
  await draw(page, digits[1]);
  await says(page, '#gas-note', /Its Solidity twin is silent: The contract at .* has no network/);
  await context.close();
});

test('no config.json', async () => {
  const { page, context } = await open({ wallet: {} });
  await page.route('**/config.json', (route) => route.fulfill({ status: 404 }));
  await page.reload();
  await says(page, '#problem', 'There is no readable config.json beside this page');
  await context.close();
});

test('an endpoint that is down is waited for', async () => {
  let down = true;
  const { page, context } = await open({ rpc: (route) => (down ? route.abort('connectionrefused') : route.continue()) });
  await says(page, '#problem', `The endpoint ${fixture.config.rpc} does not answer.`);
  await draw(page, digits[7]);
  down = false;
  assert.equal(await digit(page), 7);
  await page.locator('#problem').waitFor({ state: 'hidden' });
  down = true;
  await page.getByRole('button', { name: 'Sample 3' }).click();
  await says(page, '#problem', 'does not answer');
  down = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  assert.equal(await digit(page), 3);
  await context.close();
});

test('an endpoint that is asked too much, and one that is broken', async () => {
  const headers = { 'access-control-allow-origin': '*' };
  for (const [status, sentence] of [[429, 'asks for fewer questions'], [502, 'answers “502 Bad Gateway”']]) {
    const { page, context } = await open({ rpc: (route) => route.fulfill({ status, headers }) });
    await says(page, '#problem', sentence);
    await context.close();
  }
});

test('without an endpoint the wallet is read through', async () => {
  const { page, context } = await open({ config: { rpc: null }, wallet: {} });
  await says(page, '#problem', 'This page has no endpoint of its own: connect a wallet');
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await draw(page, digits[3]);
  assert.equal(await digit(page), 3);
  await page.getByRole('button', { name: 'Record this 3' }).click();
  await says(page, '#records', 'has it on record');
  await context.close();
});

test('the keyboard draws', async () => {
  const { page, context } = await open();
  await page.locator('#facts dl').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'pad');
  const press = async (key, times) => {
    for (let n = 0; n < times; n++) await page.keyboard.press(key);
  };
  await press('ArrowLeft', 3);
  await says(page, '#pen', '31 percent from the left, 25 from the top');
  await press(' ', 1);
  await says(page, '#pen', 'Pen down');
  await press('ArrowRight', 6);
  for (let n = 0; n < 5; n++) {
    await press('ArrowDown', 2);
    await press('Shift+ArrowLeft', 2);
  }
  assert.equal(await text(page, '#digit'), '–');
  await press(' ', 1);
  await says(page, '#pen', 'Pen up');
  assert.equal(await digit(page), 7);
  await press('Escape', 1);
  await says(page, '#digit', '–');
  await page.keyboard.press('Tab');
  // Undo and Clear have nothing to do: the samples come next.
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), 'Sample 0');
  await page.keyboard.press('Enter');
  assert.equal(await digit(page), 0);
  await context.close();
});

test('a phone: a finger draws, and nothing is wider than the screen', async () => {
  const { page, context, errors } = await open(PHONE);
  await drawByTouch(page, digits[3]);
  assert.equal(await digit(page), 3);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.equal(await page.evaluate(() => scrollY), 0);
  const sizes = await page.locator('button:visible').evaluateAll((buttons) => buttons.map((button) => Math.min(button.offsetWidth, button.offsetHeight)));
  assert(Math.min(...sizes) >= 24, `${sizes}`);
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(errors, []);
  await context.close();
});

test('axe finds nothing serious', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, context } = await open({ colorScheme, wallet: { chains: [OTHER_CHAIN] } });
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
    await draw(page, digits[3]);
    await digit(page);
    assert.deepEqual(await violations(page), []);
    await context.close();
    const broken = await open({ colorScheme, config: { address: fixture.notReady } });
    await broken.page.locator('#problem').waitFor();
    assert.deepEqual(await violations(broken.page), []);
    await broken.context.close();
  }
});

test('the first load is small, and from nowhere else', async () => {
  const { page, context, responses } = await open();
  await draw(page, digits[3]);
  await digit(page);
  const elsewhere = responses.filter((response) => ![fixture.page, `${fixture.config.rpc}/`].some((ours) => response.url().startsWith(ours)));
  assert.deepEqual(elsewhere.map((response) => response.url()), []);
  const loaded = responses.filter((response) => response.url().startsWith(fixture.page));
  const bodies = await Promise.all(loaded.map((response) => response.body()));
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
  assert.equal(loaded.length, 5, loaded.map((response) => response.url()).join(' '));
  assert(bytes <= 300_000, `${bytes} bytes`);
  await context.close();
});

test('the policy forbids scripts and requests that are not the page’s', async () => {
  const { page, context } = await open();
  const refused = await page.evaluate(async () => {
    const violated = new Set();
    addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violated.add(effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.body.append(script);
    await fetch('https://elsewhere.example/').catch(() => {});
    const image = new Image();
    image.src = 'https://elsewhere.example/pixel.png';
    await new Promise((done) => setTimeout(done, 200));
    return [window.injected, [...violated].sort()];
  });
  assert.deepEqual(refused, [undefined, ['connect-src', 'img-src', 'script-src-elem']]);
  await context.close();
});
