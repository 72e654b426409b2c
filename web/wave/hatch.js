/** The hatch that means «we do not know», for canvases: the same slant and spacing as in the style sheet. */
const SPACING = 8;

/** A repeating pattern in the given colour; `zoom` is device pixels in a CSS pixel. */
export function hatch(context, colour, zoom = 1) {
  const size = Math.max(4, Math.round(SPACING * zoom)),
    tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = Math.max(1, zoom);
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
