// An image that can be drawn nearer, down to its pixels; tiles are fetched where somebody looks.

import { told } from "./sky.js";

const KEPT = 400; // tiles in memory
const MOST = 32; // pixels of the screen for one of the image, at most

export async function json(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || answer.statusText);
  return answer.json();
}

// Values of a file: numbers, their shape, and their limits.
export async function values(url, at, form = "float32", signal = undefined, more = "") {
  const answer = await fetch(`${url}/values?at=${at}&form=${form}${more}`, { credentials: "same-origin", signal });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || answer.statusText);
  const bytes = await answer.arrayBuffer();
  const list = (name) => (answer.headers.get(name) || "").split(",").filter(Boolean).map(Number);
  return { data: form === "uint8" ? new Uint8Array(bytes) : new Float32Array(bytes), shape: list("heliolake-shape"), limits: list("heliolake-limits") };
}

export function picture(url) {
  return new Promise((good, bad) => {
    const image = new Image();
    image.onload = () => good(image);
    image.onerror = () => bad(new Error("there is no picture"));
    image.src = url;
  });
}

export class View {
  constructor(canvas, { base, scene, under, other = null, say }) {
    Object.assign(this, { canvas, base, scene, under, other, say });
    this.pen = canvas.getContext("2d");
    const [ny, nx] = scene.axes.slice(-2).map((axis) => axis.length);
    Object.assign(this, { nx, ny, flags: null, split: 1, tiles: new Map(), pointers: new Map() });
    this.fit();
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  get whole() { return Math.min(this.canvas.width / this.nx, this.canvas.height / this.ny); }

  fit() { this.scale = 0; this.x = this.nx / 2; this.y = this.ny / 2; }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.draw();
  }

  // Display coordinates count from the upper left; rows of the image from below.
  at(event) {
    const box = this.canvas.getBoundingClientRect(), ratio = this.canvas.width / box.width;
    return this.pixel((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
  }

  pixel(left, top) {
    return [this.x + (left - this.canvas.width / 2) / this.scale, this.y + (top - this.canvas.height / 2) / this.scale];
  }

  zoom(factor, x = this.x, y = this.y) {
    const before = this.scale;
    this.scale = Math.min(MOST, Math.max(this.whole, this.scale * factor));
    this.x = x + ((this.x - x) * before) / this.scale;
    this.y = y + ((this.y - y) * before) / this.scale;
    this.draw();
  }

  move(right, down) {
    this.x += right / this.scale;
    this.y += down / this.scale;
    this.draw();
  }

  point(x, y) {
    const column = Math.floor(x), row = this.ny - 1 - Math.floor(y);
    if (column < 0 || row < 0 || column >= this.nx || row >= this.ny) return;
    this.pointed = [column, row];
    // The pixel under the pointer, and where in it the pointer is.
    const place = told(this.scene.sky, x - 0.5, this.ny - 0.5 - y);
    this.say(`pixel ${column}, ${row}${place && `: ${place}`}`, column, row);
  }

  listen() {
    const canvas = this.canvas, step = 60;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), ...this.at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = this.pointers.get(event.pointerId);
      if (last) {
        const ratio = window.devicePixelRatio || 1, share = ratio / this.pointers.size;
        if (this.pointers.size === 2) this.pinch(event, last);
        this.move((last[0] - event.clientX) * share, (last[1] - event.clientY) * share);
        this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      }
      this.point(...this.at(event));
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    const keys = {
      ArrowLeft: () => this.move(-step, 0), ArrowRight: () => this.move(step, 0),
      ArrowUp: () => this.move(0, -step), ArrowDown: () => this.move(0, step),
      "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5),
      0: () => { this.fit(); this.draw(); }, 1: () => { this.scale = window.devicePixelRatio || 1; this.draw(); },
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
      this.point(this.x, this.y);
    });
  }

  pinch(event, last) {
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
    this.zoom(apart([event.clientX, event.clientY]) / apart(last), ...this.at(event));
  }

  draw() {
    if (!this.canvas.width) return;
    cancelAnimationFrame(this.planned);
    this.planned = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { pen, canvas } = this;
    if (this.scale < this.whole) this.scale = this.whole;
    this.x = Math.min(this.nx, Math.max(0, this.x));
    this.y = Math.min(this.ny, Math.max(0, this.y));
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(this.scale, 0, 0, this.scale, canvas.width / 2 - this.x * this.scale, canvas.height / 2 - this.y * this.scale);
    pen.imageSmoothingEnabled = this.scale < 2;
    pen.drawImage(this.base, 0, 0, this.nx, this.ny);
    const finer = this.scale * this.nx > this.base.naturalWidth * 1.1;
    if (finer) this.paintTiles("image");
    if (this.flags) {
      pen.drawImage(this.flags, 0, 0, this.nx, this.ny);
      if (finer) this.paintTiles("quality");
    }
    if (this.other && this.split < 1) this.paintOther();
    canvas.dataset.scale = this.scale.toFixed(3);
  }

  paintOther() {
    const { pen, canvas } = this, left = this.split * canvas.width;
    const [from] = this.pixel(left, 0);
    pen.save();
    pen.beginPath();
    pen.rect(from, -1e7, 2e7, 2e7);
    pen.clip();
    pen.drawImage(this.other, 0, 0, this.nx, this.ny);
    pen.restore();
    pen.fillStyle = "#ffb545";
    pen.fillRect(from - 1 / this.scale, -1e7, 2 / this.scale, 2e7);
  }

  paintTiles(layer) {
    const { size, levels } = this.scene.tiles;
    const zoom = Math.max(0, Math.min(levels - 1, levels - 1 + Math.ceil(Math.log2(this.scale))));
    const span = size * 2 ** (levels - 1 - zoom);
    const [left, top] = this.pixel(0, 0), [right, bottom] = this.pixel(this.canvas.width, this.canvas.height);
    for (let row = Math.max(0, Math.floor(top / span)); row * span < Math.min(this.ny, bottom); row += 1) {
      for (let column = Math.max(0, Math.floor(left / span)); column * span < Math.min(this.nx, right); column += 1) {
        const tile = this.tile(layer, zoom, column, row);
        const step = span / size;
        if (tile) {
          this.pen.drawImage(tile, column * span, row * span, tile.naturalWidth * step, tile.naturalHeight * step);
        }
      }
    }
  }

  tile(layer, zoom, column, row) {
    const name = `${zoom}/${column}/${row}?layer=${layer}`;
    const known = this.tiles.get(name);
    if (known !== undefined) return known;
    this.tiles.set(name, null);
    while (this.tiles.size > KEPT) this.tiles.delete(this.tiles.keys().next().value);
    picture(`${this.under}/tiles/${name}`).then((image) => {
      this.tiles.set(name, image);
      this.canvas.dataset.tiles = [...this.tiles.values()].filter(Boolean).length;
      this.draw();
    }, () => {});
    return null;
  }
}
