// What pages do beyond what they say: copy, add sizes up, leave out pictures that are not there.
"use strict";

// A telephone shows what was found first, and the filters when they are asked for.
const filters = document.querySelector(".facets details.more");
if (filters && matchMedia("(max-width: 760px)").matches && !filters.querySelector("[aria-invalid]")) filters.open = false;

function leaveOut(image) {
  image.classList.add("none");
  const figure = image.closest("figure");
  if (figure) {
    figure.classList.add("none");
    const gallery = figure.parentElement;
    if (!gallery.querySelector("figure:not(.none)")) gallery.classList.add("none");
  } else {
    const note = document.createElement("span");
    note.textContent = "no preview";
    image.after(note);
  }
}

for (const image of document.querySelectorAll("img.preview")) {
  if (image.complete && image.currentSrc && !image.naturalWidth) leaveOut(image);
  else image.addEventListener("error", () => leaveOut(image), { once: true });
}

for (const slider of document.querySelectorAll(".compare input")) {
  const box = slider.parentElement;
  const part = () => {
    box.querySelector("img + img").style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    box.querySelector("i").style.left = `${slider.value}%`;
  };
  slider.addEventListener("input", part);
  part();
}

for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    const before = button.firstChild.textContent;
    button.firstChild.textContent = "Copied";
    button.setAttribute("aria-live", "polite");
    setTimeout(() => { button.firstChild.textContent = before; }, 2000);
  });
}

function shown(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
  return unit ? `${bytes.toPrecision(3)} ${units[unit]}` : `${bytes} bytes`;
}

const total = document.getElementById("picked");
if (total) {
  const boxes = [...document.querySelectorAll("input.pick")];
  const all = document.getElementById("pick-all");
  all.parentElement.hidden = false;
  const add = () => {
    const picked = boxes.filter((box) => box.checked);
    const bytes = picked.reduce((sum, box) => sum + Number(box.dataset.size), 0);
    total.textContent = picked.length ? `${picked.length} chosen, ${shown(bytes)}` : "";
    for (const button of total.parentElement.querySelectorAll("button")) button.disabled = !picked.length;
    all.checked = picked.length === boxes.length;
  };
  document.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes) box.checked = all.checked;
    add();
  });
  add();
}
