// Takes the pictures in web/screenshots: node screenshots.mjs FIXTURE.

import { fileURLToPath } from 'node:url';
import { PHONE, close, digit, draw, drawByTouch, open } from './browser.mjs';
import { digits } from './digits.mjs';

const file = (name) => fileURLToPath(new URL(`../screenshots/${name}.png`, import.meta.url));

for (const colorScheme of ['light', 'dark']) {
  const { page, context } = await open({ colorScheme, wallet: {}, viewport: { width: 1080, height: 900 } });
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await draw(page, digits[3]);
  await digit(page);
  if (colorScheme === 'light') {
    await page.getByRole('button', { name: 'Record this 3' }).click();
    await page.locator('#records li').waitFor();
  }
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400);
  await page.screenshot({ path: file(colorScheme), fullPage: true });
  await context.close();
}

const { page, context } = await open(PHONE);
await drawByTouch(page, digits[7]);
await digit(page);
await page.waitForTimeout(400);
await page.screenshot({ path: file('phone') });
await context.close();
await close();
