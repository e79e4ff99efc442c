// Images of a release in time: played, blinking, subtracted.

import { picture, values } from "./view.js";
import { paint } from "./cube.js";

const SIDE = 512; // values along a side of a difference

export class Stack {
  constructor(base, shape, trouble) {
    Object.assign(this, { base, shape, trouble, number: 0, kept: new Map() });
    this.frames = [...document.querySelectorAll("#frames li")].map((item) => ({ url: `${base}/files/${item.dataset.file}`, time: item.textContent }));
    this.elements = Object.fromEntries(["screen", "play", "frame", "speed", "mode", "shown"].map((id) => [id, document.getElementById(id)]));
    const { play, frame, mode } = this.elements;
    play.addEventListener("click", () => this.toggle());
    frame.addEventListener("input", () => this.show(Number(frame.value)));
    mode.addEventListener("change", () => this.show(this.number));
    this.show(0);
  }

  toggle(on = !this.timer) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.elements.play.textContent = on ? "Stop" : "Play";
    if (on) this.next();
  }

  async next() {
    const begun = performance.now();
    if (this.elements.mode.value === "blink") {
      this.first = !this.first;
      await this.show(this.number);
    } else {
      await this.show((this.number + 1) % this.frames.length);
    }
    const wait = 1000 / Math.min(30, Math.max(1, Number(this.elements.speed.value) || 8));
    if (this.elements.play.textContent === "Stop") this.timer = setTimeout(() => this.next(), Math.max(0, wait - (performance.now() - begun)));
  }

  // What was fetched before is not fetched again, of the last hundred.
  keep(name, fetched) {
    if (!this.kept.has(name)) this.kept.set(name, fetched());
    while (this.kept.size > 100) this.kept.delete(this.kept.keys().next().value);
    return this.kept.get(name);
  }

  async show(number) {
    this.number = number;
    const { mode, frame, shown } = this.elements, frames = this.frames, here = frames[number];
    frame.value = String(number);
    const asked = (this.asked = {});
    try {
      if (mode.value === "difference" || mode.value === "running") {
        const other = mode.value === "running" ? Math.max(0, number - 1) : 0;
        const [one, before] = await Promise.all([this.numbers(here), this.numbers(frames[other])]);
        if (asked === this.asked) this.subtract(one, before);
        shown.textContent = `${here.time} minus ${frames[other].time}`;
        return;
      }
      const seen = mode.value === "blink" && this.first ? frames[0] : here;
      const image = await this.keep(`picture ${seen.url}`, () => picture(`${seen.url}/preview?size=medium`));
      if (asked !== this.asked) return;
      shown.textContent = seen.time;
      this.draw(image, image.naturalWidth, image.naturalHeight);
    } catch (error) {
      shown.textContent = `${here.time}: ${error.message}`;
    }
  }

  numbers(frame) {
    const [ny, nx] = this.shape.slice(-2), step = Math.max(1, Math.ceil(Math.max(ny, nx) / SIDE));
    const before = this.shape.slice(0, -2).map(() => "0,").join("");
    return this.keep(`numbers ${frame.url}`, () => values(frame.url, `${before}::${step},::${step}`));
  }

  subtract(one, before) {
    const difference = one.data.map((value, place) => value - before.data[place]);
    const sizes = difference.filter(Number.isFinite).map(Math.abs).sort();
    const most = sizes[Math.floor(0.99 * (sizes.length - 1))] || 1;
    const numbers = Uint8Array.from(difference, (value) => (Number.isFinite(value) ? 1 + Math.round(127 + 127 * Math.max(-1, Math.min(1, value / most))) : 0));
    const canvas = document.createElement("canvas");
    paint(canvas, { data: numbers, shape: one.shape }, false);
    this.draw(canvas, canvas.width, canvas.height);
    this.elements.screen.dataset.most = most.toPrecision(4);
  }

  draw(image, width, height) {
    const { screen } = this.elements, ratio = window.devicePixelRatio || 1;
    screen.width = screen.clientWidth * ratio;
    screen.height = screen.clientHeight * ratio;
    const scale = Math.min(screen.width / width, screen.height / height), pen = screen.getContext("2d");
    pen.imageSmoothingEnabled = scale < 2;
    pen.drawImage(image, (screen.width - width * scale) / 2, (screen.height - height * scale) / 2, width * scale, height * scale);
    screen.dataset.number = String(this.number);
  }
}
