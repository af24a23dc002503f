// Chromium, and what a visitor does in it.

import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { injectWallet } from './wallet.mjs';

/** What the test that starts this knows: the page's address, the node's, and what is deployed. */
export const fixture = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const executablePath = process.env.INKLING_CHROMIUM ?? '/usr/bin/chromium';
// In a container there is neither a sandbox for root nor much of /dev/shm.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });

export const close = () => browser.close();

/** A phone's screen. */
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/** The chain's id as wallets have it. */
export const CHAIN = `0x${fixture.config.chainId.toString(16)}`;

/**
 * Opens the page. `wallet` is put into it, `config` replaces parts of config.json, `rpc` answers requests to the endpoint
 * in the node's place, `options` are the browser context's. An error in the page fails the test that calls `check`.
 */
export async function open({ wallet, config, rpc, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const errors = [];
  const responses = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('response', (response) => responses.push(response));
  if (wallet) await page.addInitScript(injectWallet, { rpc: fixture.config.rpc, account: fixture.account, chains: [CHAIN], ...wallet });
  if (config) await page.route('**/config.json', (route) => route.fulfill({ json: { ...fixture.config, ...config } }));
  if (rpc) await page.route(`${fixture.config.rpc}/**`, rpc);
  await page.goto(fixture.page);
  return { page, context, errors, responses };
}

/** The points of a stroke on the screen, with one more between each two. */
function fine(stroke, { x, y, width, height }) {
  const between = (a, b) => [0.5, 1].map((part) => a.map((from, axis) => from + (b[axis] - from) * part));
  const points = stroke.flatMap((point, n) => (n === 0 ? [point] : between(stroke[n - 1], point)));
  return points.map(([dx, dy]) => [x + dx * width, y + dy * height]);
}

/** Draws strokes with the mouse. */
export async function draw(page, strokes) {
  const box = await page.locator('#pad').boundingBox();
  for (const stroke of strokes) {
    const [first, ...rest] = fine(stroke, box);
    await page.mouse.move(...first);
    await page.mouse.down();
    // As a hand does, which waits for no answer either.
    await Promise.all(rest.map((point) => page.mouse.move(...point)));
    await page.mouse.up();
  }
}

/** Draws strokes with a finger. */
export async function drawByTouch(page, strokes) {
  const client = await page.context().newCDPSession(page);
  const box = await page.locator('#pad').boundingBox();
  const touch = (type, points) => client.send('Input.dispatchTouchEvent', { type, touchPoints: points });
  for (const stroke of strokes) {
    const [first, ...rest] = fine(stroke, box).map(([x, y]) => ({ x, y }));
    await touch('touchStart', [first]);
    await Promise.all(rest.map((point) => touch('touchMove', [point])));
    await touch('touchEnd', []);
  }
}

/** Waits until the page shows a digit, and an answer to all that was drawn. */
export async function digit(page) {
  await page.waitForFunction(() => /^\d$/.test(document.getElementById('digit').textContent) && !document.querySelector('[aria-busy]'));
  return Number(await page.locator('#digit').textContent());
}

/** Asks the node. */
export async function ask(method, ...params) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const response = await fetch(fixture.config.rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return (await response.json()).result;
}
