// Planes, profiles and cuts of a cube; each is fetched when it is looked at, and no more of the cube.

import { values } from "./view.js";

const MOST = 1 << 20; // values of a plane or cut
const INKS = ["#f0c45c", "#7fe0ae", "#a3d0ff", "#ffaab0", "#d9b3ff", "#e8eaf0"];

// One request of a kind at a time: what came before it is of no use any more.
function latest(act) {
  let running = null;
  return async (...given) => {
    running?.abort();
    running = new AbortController();
    try {
      await act(running.signal, ...given);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  };
}

// Grey from black to white; what may be negative has zero in the middle, from blue over white to red.
function colour(part, signed) {
  if (!signed) return [part * 255, part * 255, part * 255];
  const away = 2 * part - 1, faded = 255 * (1 - Math.abs(away));
  return away < 0 ? [faded, faded, 255] : [255, faded, faded];
}

// A plane of uint8 into a canvas, its first row below.
export function paint(canvas, plane, signed) {
  const [rows, columns] = plane.shape.length === 2 ? plane.shape : [1, plane.shape[0]];
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const number = plane.data[(rows - 1 - row) * columns + column], place = 4 * (row * columns + column);
      image.data.set(number ? colour((number - 1) / 254, signed) : [58, 64, 80], place);
      image.data[place + 3] = 255;
    }
  }
  pen.putImageData(image, 0, 0);
}

export class Cube {
  constructor(url, scene, trouble) {
    Object.assign(this, { url, scene, trouble });
    this.axes = scene.axes;
    this.places = this.axes.map((axis, number) => scene.plane[number] ?? Math.floor(axis.length / 2));
    this.depth = this.axes.length - 2;
    this.along = this.depth - 1; // profiles run along the last axis before those of the map
    this.elements = Object.fromEntries(["map", "profile", "column", "row"].map((id) => [id, document.getElementById(id)]));
    this.fetchMap = latest((signal) => this.showMap(signal));
    this.fetchProfile = latest((signal) => this.showProfile(signal));
    this.fetchCuts = latest((signal) => this.showCuts(signal));
    document.getElementById("cube").hidden = false;
    this.controls();
    this.listen();
    this.refresh();
  }

  refresh() {
    this.fetchMap().catch(this.trouble);
    this.fetchProfile().catch(this.trouble);
    this.fetchCuts().catch(this.trouble);
  }

  name(axis, place) {
    const { name, values: known, unit } = this.axes[axis], value = known?.[place];
    if (typeof value === "number") return `${name} ${unit === "m" ? `${(value * 1e10).toFixed(3)} Å` : `${Number(value.toPrecision(8))} ${unit || ""}`}`;
    return `${name} ${value ?? place}`;
  }

  signed(places = this.places) {
    const stokes = this.axes.findIndex((axis) => axis.name === "stokes");
    return stokes >= 0 && stokes < this.depth && this.axes[stokes].values?.[places[stokes]] !== "I" && places[stokes] > 0;
  }

  controls() {
    const box = document.getElementById("axes");
    for (let axis = 0; axis < this.depth; axis += 1) {
      const field = document.createElement("span"), label = document.createElement("label"), few = this.axes[axis].length <= 8;
      field.className = "field";
      const input = document.createElement(few ? "select" : "input");
      input.id = `axis-${axis}`;
      label.htmlFor = input.id;
      if (few) {
        for (let place = 0; place < this.axes[axis].length; place += 1) input.add(new Option(this.name(axis, place), String(place)));
      } else {
        Object.assign(input, { type: "range", min: 0, max: this.axes[axis].length - 1 });
      }
      input.value = String(this.places[axis]);
      const tell = () => { label.textContent = few ? this.axes[axis].name : this.name(axis, this.places[axis]); };
      input.addEventListener("input", () => {
        this.places[axis] = Number(input.value);
        tell();
        this.refresh();
      });
      tell();
      field.append(label, input);
      box.append(field);
    }
  }

  listen() {
    const { map } = this.elements, keys = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };
    const choose = (row, column) => {
      const [ny, nx] = this.axes.slice(-2).map((axis) => axis.length);
      this.places[this.depth] = Math.min(ny - 1, Math.max(0, row));
      this.places[this.depth + 1] = Math.min(nx - 1, Math.max(0, column));
      this.cross();
      for (const wait of this.waits || []) clearTimeout(wait);
      // Cuts across the planes read much of the cube: they wait until the pointer rests.
      this.waits = [
        setTimeout(() => this.fetchProfile().catch(this.trouble), 60),
        setTimeout(() => this.fetchCuts().catch(this.trouble), 350),
      ];
    };
    const point = (event) => {
      const box = map.getBoundingClientRect(), [ny, nx] = this.axes.slice(-2).map((axis) => axis.length);
      choose(Math.floor((1 - (event.clientY - box.top) / box.height) * ny), Math.floor(((event.clientX - box.left) / box.width) * nx));
    };
    map.addEventListener("pointermove", point);
    map.addEventListener("pointerdown", point);
    map.addEventListener("keydown", (event) => {
      const step = keys[event.key];
      if (!step) return;
      event.preventDefault();
      choose(this.places[this.depth] + step[0], this.places[this.depth + 1] + step[1]);
    });
  }

  // Every how many places of some axes are looked at, so that there are not too many.
  every(...axes) {
    const number = axes.reduce((product, axis) => product * this.axes[axis].length, 1);
    return Math.max(1, Math.ceil(Math.sqrt(number / MOST)));
  }

  at(open) { return this.places.map((place, axis) => open[axis] ?? place).join(","); }

  async plane(signal, open, signed) {
    const at = this.at(open);
    const read = await values(this.url, at, "uint8", signal);
    if (!signed) return read;
    const most = Math.max(...read.limits.map(Math.abs)) || 1;
    return values(this.url, at, "uint8", signal, `&low=${-most}&high=${most}`);
  }

  async showMap(signal) {
    const [y, x] = [this.depth, this.depth + 1], step = this.every(y, x), signed = this.signed();
    const read = await this.plane(signal, { [y]: `::${step}`, [x]: `::${step}` }, signed);
    paint(this.elements.map, read, signed);
    this.shown = this.elements.map.getContext("2d").getImageData(0, 0, this.elements.map.width, this.elements.map.height);
    const ratio = Math.min(3, Math.max(1 / 2, this.axes[x].length / this.axes[y].length));
    this.elements.map.style.aspectRatio = String(ratio);
    const told = this.axes.slice(0, this.depth).map((_, axis) => this.name(axis, this.places[axis])).join(", ");
    document.getElementById("map-told").textContent = `${told}: ${read.limits.map((one) => one.toPrecision(4)).join(" to ")} ${this.scene.unit}`;
    this.cross();
  }

  cross() {
    const { map } = this.elements, [ny, nx] = this.axes.slice(-2).map((axis) => axis.length);
    const part = [(this.places[this.depth + 1] + 0.5) / nx, 1 - (this.places[this.depth] + 0.5) / ny];
    if (this.shown) {
      const pen = map.getContext("2d");
      pen.putImageData(this.shown, 0, 0);
      pen.fillStyle = "#ffb545b0";
      const [column, row] = [Math.floor(part[0] * map.width), Math.floor(part[1] * map.height)];
      pen.fillRect(column, 0, 1, map.height);
      pen.fillRect(0, row, map.width, 1);
    }
    for (const canvas of document.querySelectorAll(".crossed canvas")) {
      const pen = canvas.getContext("2d");
      canvas.width = canvas.clientWidth;
      canvas.height = canvas.clientHeight;
      pen.strokeStyle = "#ffb545";
      pen.strokeRect(part[0] * canvas.width - 4, part[1] * canvas.height - 4, 8, 8);
    }
  }

  async showProfile(signal) {
    const open = { [this.along]: ":" };
    if (this.along > 0) open[0] = ":";
    this.plot(await values(this.url, this.at(open), "float32", signal));
  }

  async showCuts(signal) {
    const [y, x] = [this.depth, this.depth + 1], along = this.along, signed = this.signed();
    const [column, row] = [this.every(along, y), this.every(along, x)];
    paint(this.elements.column, await this.plane(signal, { [along]: `::${column}`, [y]: `::${column}` }, signed), signed);
    document.getElementById("column-told").textContent = `Cut along column ${this.places[x]}: ${this.axes[y].name} to the right, ${this.axes[along].name} upwards`;
    paint(this.elements.row, await this.plane(signal, { [along]: `::${row}`, [x]: `::${row}` }, signed), signed);
    document.getElementById("row-told").textContent = `Cut along row ${this.places[y]}: ${this.axes[x].name} to the right, ${this.axes[along].name} upwards`;
  }

  plot({ data, shape }) {
    const canvas = this.elements.profile, ratio = window.devicePixelRatio || 1;
    const [curves, length] = shape.length === 2 ? shape : [1, shape[0]];
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const pen = canvas.getContext("2d"), high = canvas.height / curves;
    pen.lineWidth = ratio * 1.5;
    pen.font = `${12 * ratio}px system-ui, sans-serif`;
    const told = [];
    for (let curve = 0; curve < curves; curve += 1) {
      const own = data.subarray(curve * length, (curve + 1) * length), known = own.filter(Number.isFinite);
      const low = known.reduce((least, one) => Math.min(least, one), Infinity), top = known.reduce((most, one) => Math.max(most, one), -Infinity);
      const name = curves > 1 ? this.name(0, curve) : this.axes[this.along].name;
      pen.strokeStyle = pen.fillStyle = INKS[curve % INKS.length];
      pen.beginPath();
      own.forEach((value, place) => {
        const left = ((place + 0.5) / length) * canvas.width, down = (curve + 0.95 - (0.72 * (value - low)) / (top - low || 1)) * high;
        if (Number.isFinite(value)) pen[Number.isFinite(own[place - 1]) ? "lineTo" : "moveTo"](left, down);
      });
      pen.stroke();
      if (known.length) pen.fillText(`${name}  ${low.toPrecision(4)} … ${top.toPrecision(4)}`, 6 * ratio, (curve * high) + 14 * ratio);
      told.push(known.length ? `${name} from ${low.toPrecision(4)} to ${top.toPrecision(4)}` : `${name} without a value`);
    }
    const here = ((this.places[this.along] + 0.5) / length) * canvas.width;
    pen.fillStyle = "#ffffff50";
    pen.fillRect(here, 0, ratio, canvas.height);
    document.getElementById("profile-told").textContent = `Pixel ${this.places[this.depth + 1]}, ${this.places[this.depth]}: ${told.join("; ")}`;
  }
}
