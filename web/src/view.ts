// What the page shows, made of elements and never of markup.

import type { Config } from './config';
import { short } from './sentences';

const number = new Intl.NumberFormat('en');

/** An element of the page by its id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A new element. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A button that does something. */
export function button(label: string, act: () => void, className = ''): HTMLButtonElement {
  const made = element('button', { type: 'button', className }, label);
  made.addEventListener('click', act);
  return made;
}

/** A whole number with separators. */
export function grouped(value: number | bigint): string {
  return number.format(value).replace('-', '−');
}

/** A bar of a chart. */
export interface Bar {
  label: string;
  /** `null` as long as it is not known. */
  value: number | null;
  best?: boolean;
}

/** Shows bars in a table, from zero to the left or right. */
export function showBars(table: HTMLElement, bars: Bar[]): void {
  const values = bars.map(({ value }) => value ?? 0);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const part = (value: number) => (high === low ? 0 : (100 * value) / (high - low));
  const rows = bars.map(({ label, value, best }) => {
    const bar = element('span');
    // Through the object model, which a strict CSP allows and a style attribute not.
    bar.style.insetInlineStart = `${part(Math.min(value ?? 0, 0) - low)}%`;
    bar.style.inlineSize = `${part(Math.abs(value ?? 0))}%`;
    const track = element('td', { className: 'bar', ariaHidden: 'true' }, bar);
    const shown = element('td', { className: value === null ? 'value unknown' : 'value' }, value === null ? '–' : grouped(value));
    return element('tr', { className: best ? 'best' : '' }, element('th', { scope: 'row' }, label), track, shown);
  });
  table.replaceChildren(element('tbody', {}, ...rows));
}

/** An address or transaction, linked to the explorer where there is one. */
export function explored(config: Config, kind: 'address' | 'tx', hex: string): HTMLElement {
  const code = element('code', { title: hex }, short(hex));
  if (config.explorer === null) return code;
  const label = `${kind === 'tx' ? 'transaction' : 'contract'} ${hex} on the explorer`;
  const link = element('a', { href: `${config.explorer}/${kind}/${hex}`, target: '_blank', rel: 'noopener noreferrer' }, code);
  link.setAttribute('aria-label', label);
  return link;
}
