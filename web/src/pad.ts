// The pad: drawing by mouse, touch, pen or keyboard.

import { FRAME } from './strokes';
import type { Point, Stroke } from './strokes';

/** Width of the line on the screen, as a part of the pad. */
const LINE = 0.065;

/** How far an arrow key goes, as a part of the pad; with Shift, a quarter of it. */
const STEP = 1 / 16;

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What the pad tells. */
export interface PadListener {
  /** Something was drawn or taken away; `lifted` unless the pen is still down. */
  drawn(lifted: boolean): void;
  /** Something for those who cannot see it. */
  said(text: string): void;
}

/** A square canvas with what is drawn on it: strokes, or a picture of 28×28. */
export class Pad {
  strokes: Stroke[] = [];
  picture: Uint8Array | null = null;
  readonly #context: CanvasRenderingContext2D;
  /** Set while something was drawn that is not shown yet. */
  #frame: number | null = null;
  /** The pointer that draws. */
  #pointer: number | null = null;
  /** Where the keyboard's pen is, whether it is down, and whether it is shown. */
  #pen = { x: 0.5, y: 0.25, down: false, shown: false };

  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly listener: PadListener,
  ) {
    this.#context = canvas.getContext('2d') as CanvasRenderingContext2D;
    new ResizeObserver(() => this.paint()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.paint());
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const end of ['pointerup', 'pointercancel'] as const) canvas.addEventListener(end, (event) => this.#up(event));
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => this.#hidePen());
  }

  get isEmpty(): boolean {
    return this.strokes.length === 0 && this.picture === null;
  }

  clear(): void {
    this.#set([], null);
  }

  /** Takes back the last stroke, or the picture. */
  undo(): void {
    this.#set(this.strokes.slice(0, -1), null);
  }

  /** Shows a picture of 28×28 in place of what was drawn. */
  show(picture: Uint8Array): void {
    this.#set([], picture);
  }

  #set(strokes: Stroke[], picture: Uint8Array | null): void {
    this.strokes = strokes;
    this.picture = picture;
    this.#pointer = null;
    this.#pen.down = false;
    this.paint();
    this.listener.drawn(true);
  }

  /** Begins a stroke; a picture that was shown gives way. */
  #begin(point: Point): void {
    this.picture = null;
    this.strokes.push([point]);
  }

  #draw(...points: Point[]): void {
    this.strokes.at(-1)?.push(...points);
    // Pens report more often than the screen changes.
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.paint();
      this.listener.drawn(false);
    });
  }

  #point({ clientX, clientY }: PointerEvent): Point {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const part = (part: number) => Math.min(Math.max(part, 0), 1);
    return { x: part((clientX - left) / width), y: part((clientY - top) / height) };
  }

  #down(event: PointerEvent): void {
    // One pointer at a time: a palm on the screen draws nothing.
    if (event.button !== 0 || this.#pointer !== null) return;
    this.#pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.#hidePen();
    this.#begin(this.#point(event));
    this.#draw();
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    // Safari has had it since 2025 only.
    const events = event.getCoalescedEvents?.() ?? [];
    this.#draw(...(events.length > 0 ? events : [event]).map((event) => this.#point(event)));
  }

  #up(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.listener.drawn(true);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow !== undefined) this.#movePen(arrow, event.shiftKey ? STEP / 4 : STEP);
    else if (event.key === ' ') this.#togglePen();
    else if (event.key === 'Backspace') this.undo();
    else if (event.key === 'Escape' || event.key === 'Delete') this.clear();
    else return;
    event.preventDefault();
  }

  #movePen([dx, dy]: [number, number], step: number): void {
    const part = (part: number) => Math.min(Math.max(part, 0), 1);
    Object.assign(this.#pen, { x: part(this.#pen.x + dx * step), y: part(this.#pen.y + dy * step), shown: true });
    const { x, y, down } = this.#pen;
    if (down) this.#draw({ x, y });
    else this.paint();
    this.listener.said(`${down ? 'Drawing, ' : ''}${Math.round(x * 100)} percent from the left, ${Math.round(y * 100)} from the top`);
  }

  #togglePen(): void {
    const { x, y, down } = this.#pen;
    Object.assign(this.#pen, { down: !down, shown: true });
    if (down) {
      this.listener.said('Pen up');
      this.paint();
      this.listener.drawn(true);
    } else {
      this.listener.said('Pen down');
      this.#begin({ x, y });
      this.#draw();
    }
  }

  /** Puts the keyboard's pen away, and lifts it if it is down. */
  #hidePen(): void {
    const { down } = this.#pen;
    Object.assign(this.#pen, { down: false, shown: false });
    this.paint();
    if (down) this.listener.drawn(true);
  }

  /** Draws all of it, in the colours of the style sheet. */
  paint(): void {
    const { canvas } = this;
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    if (size === 0) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = this.#context;
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, size, size);
    if (this.picture !== null) {
      context.imageSmoothingQuality = 'high';
      context.drawImage(bitmap(this.picture, FRAME, style.color), 0, 0, size, size);
    }
    Object.assign(context, { strokeStyle: style.color, lineWidth: LINE * size, lineCap: 'round', lineJoin: 'round' });
    for (const stroke of this.strokes) {
      context.beginPath();
      // A line to where it began makes a dot of a single point.
      for (const { x, y } of [...stroke.slice(0, 1), ...stroke]) context.lineTo(x * size, y * size);
      context.stroke();
    }
    if (this.#pen.shown) this.#paintPen(size, style.getPropertyValue('--accent'));
  }

  #paintPen(size: number, colour: string): void {
    const { x, y, down } = this.#pen;
    const context = this.#context;
    Object.assign(context, { strokeStyle: colour, fillStyle: colour, lineWidth: Math.max(size / 160, 1) });
    context.beginPath();
    context.arc(x * size, y * size, (LINE * size) / 2, 0, 2 * Math.PI);
    if (down) context.fill();
    else context.stroke();
  }
}

/** A gray picture as ink of a colour on nothing. */
export function bitmap(pixels: Uint8Array, side: number, colour: string): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  context.fillStyle = colour;
  context.fillRect(0, 0, side, side);
  const image = context.getImageData(0, 0, side, side);
  pixels.forEach((value, at) => (image.data[4 * at + 3] = value));
  context.putImageData(image, 0, 0);
  return canvas;
}
