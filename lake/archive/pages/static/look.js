// The page of one file: its image down to the pixels, its axes, and others beside it.

import { Cube } from "./cube.js";
import { Stack } from "./stack.js";
import { View, json, picture, values } from "./view.js";

const page = document.getElementById("look");
const find = (id) => document.getElementById(id);
const url = `${page.dataset.base}/files/${page.dataset.file}`;

function trouble(error) {
  find("trouble").textContent = `This cannot be shown: ${error.message}`;
  find("trouble").hidden = false;
}

function legend(flags) {
  for (const flag of flags.filter((one) => one.pixels)) {
    const item = document.createElement("li"), patch = document.createElement("canvas"), pen = patch.getContext("2d");
    pen.fillStyle = flag.colour;
    pen.fillRect(0, 0, 300, 150);
    item.append(patch, `${flag.name}: ${flag.pixels.toLocaleString("en")} pixels`);
    find("legend").append(item);
  }
  if (!find("legend").children.length) find("legend").append(Object.assign(document.createElement("li"), { textContent: "No pixel has a flag." }));
}

function tellValues(scene) {
  let wait = 0, running = null;
  return (column, row) => {
    clearTimeout(wait);
    wait = setTimeout(async () => {
      running?.abort();
      running = new AbortController();
      const at = [...scene.plane, row, column].join(",");
      try {
        const { data } = await values(url, at, "float32", running.signal);
        find("value").textContent = Number.isFinite(data[0]) ? `${Number(data[0].toPrecision(6))} ${scene.unit}` : "no value";
      } catch (error) {
        find("value").textContent = "";
      }
    }, 120);
  };
}

function tools(view) {
  find("nearer").onclick = () => view.zoom(1.5);
  find("farther").onclick = () => view.zoom(1 / 1.5);
  find("all").onclick = () => { view.fit(); view.draw(); };
  find("pixels").onclick = () => { view.scale = window.devicePixelRatio || 1; view.draw(); };
  find("flags").disabled = !view.scene.flags.length;
  find("flags").onchange = async () => {
    find("legend").hidden = !find("flags").checked;
    view.flags = find("flags").checked ? await picture(`${url}/quality`).catch(() => null) : null;
    view.draw();
  };
  const against = find("against");
  if (!against) return;
  const split = () => { view.split = Number(find("split").value) / 100; view.draw(); };
  against.onchange = async () => {
    find("splitting").hidden = !against.value;
    view.other = against.value ? await picture(`${against.value}/preview?size=large`).catch(() => null) : null;
    if (against.value && !view.other) trouble(new Error("there is no picture of what is to stand beside it"));
    split();
  };
  find("split").oninput = split;
}

async function begin() {
  const scene = await json(`${url}/scene`);
  const base = await picture(`${url}/preview?size=large`);
  if (!scene.tiles) {
    find("canvas").replaceWith(base);
    return;
  }
  const value = tellValues(scene);
  const view = new View(find("canvas"), {
    base, scene, under: url,
    say: (words, column, row) => { find("where").textContent = words; value(column, row); },
  });
  legend(scene.flags);
  tools(view);
  page.dataset.ready = "image";
  if (scene.axes.length > 2) new Cube(url, scene, trouble);
  if (find("stack")) new Stack(page.dataset.base, scene.axes.map((axis) => axis.length), trouble);
}

begin().catch(trouble);
