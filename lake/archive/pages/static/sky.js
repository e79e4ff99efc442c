// Where a pixel lies on the sky: FITS papers I and II for linear axes and projections around a point.

const RADIAN = Math.PI / 180;
// Distance from the pole of the projection, in degrees on the plane, to native latitude.
const LATITUDES = {
  TAN: (r) => Math.atan2(1 / RADIAN, r) / RADIAN,
  SIN: (r) => Math.acos(r * RADIAN) / RADIAN,
  ARC: (r) => 90 - r,
  AZP: (r, mu) => {
    const rho = (r * RADIAN) / (mu + 1);
    const psi = Math.atan2(1, rho), omega = Math.asin((rho * mu) / Math.hypot(rho, 1));
    return (psi - omega) / RADIAN;
  },
};

// World coordinates, in the units told, of a pixel; the first one of an image is at 0, 0. Null where there are none.
export function world(sky, x, y) {
  const dx = x + 1 - sky.crpix[0], dy = y + 1 - sky.crpix[1];
  const u = sky.matrix[0][0] * dx + sky.matrix[0][1] * dy;
  const v = sky.matrix[1][0] * dx + sky.matrix[1][1] * dy;
  if (!sky.projection) return [sky.crval[0] + u, sky.crval[1] + v];
  const r = Math.hypot(u, v);
  const theta = LATITUDES[sky.projection](r, sky.pv) * RADIAN;
  if (!Number.isFinite(theta)) return null;
  const phi = r === 0 ? 0 : Math.atan2(u, -v);
  return celestial(sky, phi, theta);
}

// From native to celestial coordinates: paper II, equation 2, with the pole of the native ones at crval.
function celestial(sky, phi, theta) {
  const [lon, lat] = [sky.crval[0] * RADIAN, sky.crval[1] * RADIAN];
  const turn = phi - sky.lonpole * RADIAN;
  const east = -Math.cos(theta) * Math.sin(turn);
  const north = Math.sin(theta) * Math.cos(lat) - Math.cos(theta) * Math.sin(lat) * Math.cos(turn);
  const up = Math.sin(theta) * Math.sin(lat) + Math.cos(theta) * Math.cos(lat) * Math.cos(turn);
  let found = (lon + Math.atan2(east, north)) / RADIAN;
  if (sky.crval[0] < 180 && found > 180) found -= 360; // solar longitudes go to both sides of zero
  return [found, Math.atan2(up, Math.hypot(east, north)) / RADIAN];
}

function rounded(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

// Coordinates in words: arcseconds on the Sun's disc and near it, else degrees or what the unit is.
export function told(sky, x, y) {
  const found = sky && world(sky, x, y);
  if (!found) return "";
  return found.map((value, axis) => {
    const name = { HPLN: "x", HPLT: "y", RA: "α", "RA--": "α", DEC: "δ", "DEC-": "δ" }[sky.names[axis]] || sky.names[axis];
    const unit = sky.units[axis];
    if (unit === "deg" && Math.abs(value) < 3 && sky.names[0].startsWith("HP")) return `${name} ${rounded(value * 3600, 1)}″`;
    return `${name} ${rounded(value, unit === "deg" ? 4 : 2)}${unit === "deg" ? "°" : unit && ` ${unit}`}`;
  }).join(", ");
}
