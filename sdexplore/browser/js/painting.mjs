// Values as colours on a canvas. The colour map is matplotlib's viridis.

const VIRIDIS =
  "44015444025645045745055946075a46085c460a5d460b5e470d60470e6147106347116447136548146748166848176948186a481a6c" +
  "481b6d481c6e481d6f481f70482071482173482374482475482576482677482878482979472a7a472c7a472d7b472e7c472f7d46307e" +
  "46327e46337f463480453581453781453882443983443a83443b84433d84433e85423f85424086424186414287414487404588404688" +
  "3f47883f48893e49893e4a893e4c8a3d4d8a3d4e8a3c4f8a3c508b3b518b3b528b3a538b3a548c39558c39568c38588c38598c375a8c" +
  "375b8d365c8d365d8d355e8d355f8d34608d34618d33628d33638d32648e32658e31668e31678e31688e30698e306a8e2f6b8e2f6c8e" +
  "2e6d8e2e6e8e2e6f8e2d708e2d718e2c718e2c728e2c738e2b748e2b758e2a768e2a778e2a788e29798e297a8e297b8e287c8e287d8e" +
  "277e8e277f8e27808e26818e26828e26828e25838e25848e25858e24868e24878e23888e23898e238a8d228b8d228c8d228d8d218e8d" +
  "218f8d21908d21918c20928c20928c20938c1f948c1f958b1f968b1f978b1f988b1f998a1f9a8a1e9b8a1e9c891e9d891f9e891f9f88" +
  "1fa0881fa1881fa1871fa28720a38620a48621a58521a68522a78522a88423a98324aa8325ab8225ac8226ad8127ad8128ae8029af7f" +
  "2ab07f2cb17e2db27d2eb37c2fb47c31b57b32b67a34b67935b77937b87838b9773aba763bbb753dbc743fbc7340bd7242be7144bf70" +
  "46c06f48c16e4ac16d4cc26c4ec36b50c46a52c56954c56856c66758c7655ac8645cc8635ec96260ca6063cb5f65cb5e67cc5c69cd5b" +
  "6ccd5a6ece5870cf5773d05675d05477d1537ad1517cd2507fd34e81d34d84d44b86d54989d5488bd6468ed64590d74393d74195d840" +
  "98d83e9bd93c9dd93ba0da39a2da37a5db36a8db34aadc32addc30b0dd2fb2dd2db5de2bb8de29bade28bddf26c0df25c2df23c5e021" +
  "c8e020cae11fcde11dd0e11cd2e21bd5e21ad8e219dae319dde318dfe318e2e418e5e419e7e419eae51aece51befe51cf1e51df4e61e" +
  "f6e620f8e621fbe723fde725";

const BLUE = [33, 102, 172], RED = [178, 24, 43];

// Colours as the bytes of an ImageData. OVER lies over the picture: the smaller the value, the more transparent.
export const OPAQUE = new Uint32Array(256), OVER = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  const byte = (at) => parseInt(VIRIDIS.slice(6 * i + at, 6 * i + at + 2), 16);
  const colour = (byte(4) << 16) | (byte(2) << 8) | byte(0);
  OPAQUE[i] = ((255 << 24) | colour) >>> 0;
  OVER[i] = (((90 + ((115 * i) >> 8)) << 24) | colour) >>> 0;
}

/** Makes the canvas `columns` × `rows` pixels large. */
export function resizeCanvas(canvas, [rows, columns]) {
  if (canvas.width === columns && canvas.height === rows) return;
  canvas.width = columns;
  canvas.height = rows;
}

/** Draws the pixels that `fill` writes into an ImageData, which is kept for the next time. */
function paint(canvas, grid, fill) {
  const [rows, columns] = grid;
  resizeCanvas(canvas, grid);
  if (canvas.pixels?.width !== columns || canvas.pixels.height !== rows) canvas.pixels = new ImageData(columns, rows);
  fill(canvas.pixels);
  canvas.getContext("2d").putImageData(canvas.pixels, 0, 0);
}

/** Draws values from 0 (dark blue) to `top` (yellow). */
export function paintMap(canvas, grid, values, offset, top, colours = OPAQUE) {
  paint(canvas, grid, (image) => {
    const pixels = new Uint32Array(image.data.buffer), scale = top > 0 ? 255 / top : 0;
    for (let i = 0; i < pixels.length; i++) pixels[i] = colours[Math.min(255, Math.round(values[offset + i] * scale))];
  });
}

/** Draws values from −`reach` (blue) over 0 (white) to `reach` (red). */
export function paintDifference(canvas, grid, values, reach) {
  paint(canvas, grid, ({ data }) => {
    values.forEach((value, i) => {
      const share = reach > 0 ? Math.max(-1, Math.min(1, value / reach)) : 0, end = share < 0 ? BLUE : RED;
      for (let c = 0; c < 3; c++) data[4 * i + c] = Math.round(255 + Math.abs(share) * (end[c] - 255));
      data[4 * i + 3] = 255;
    });
  });
}

/** Draws cosines from −1 (blue) over 0 (white) to 1 (red), 60 % opaque over a picture; what is no number is clear. */
export function paintLikeness(canvas, grid, values, isAlone) {
  paintDifference(canvas, grid, values, 1);
  paint(canvas, grid, ({ data }) => {
    values.forEach((value, i) => {
      data[4 * i + 3] = Number.isNaN(value) ? 0 : isAlone ? 255 : 153;
    });
  });
}

/** Draws the colours of cosines from left to right. */
export function paintLikenessRamp(canvas) {
  const count = 201;
  paintDifference(canvas, [1, count], Float32Array.from({ length: count }, (_, i) => (2 * i) / (count - 1) - 1), 1);
}

/** Draws the absolute difference of two canvases of one size; returns the mean over red, green and blue, of 255. */
export function paintPictureDifference(canvas, a, b) {
  const { width, height } = a, size = [0, 0, width, height];
  const [first, second] = [a, b].map((one) => one.getContext("2d").getImageData(...size).data);
  let sum = 0;
  paint(canvas, [height, width], ({ data }) => {
    for (let i = 0; i < data.length; i++) {
      data[i] = i % 4 === 3 ? 255 : Math.abs(second[i] - first[i]);
      if (i % 4 !== 3) sum += data[i];
    }
  });
  return sum / (3 * width * height);
}

/** Draws a picture that is red as a whole, then green, then blue. */
export function paintColours(canvas, grid, bytes, offset) {
  paint(canvas, grid, (image) => {
    const cells = grid[0] * grid[1];
    for (let i = 0, j = offset; i < image.data.length; i += 4, j++) {
      image.data[i] = bytes[j];
      image.data[i + 1] = bytes[j + cells];
      image.data[i + 2] = bytes[j + 2 * cells];
      image.data[i + 3] = 255;
    }
  });
}

/** Draws the colour map from left to right. */
export function paintRamp(canvas) {
  paint(canvas, [1, OPAQUE.length], (image) => new Uint32Array(image.data.buffer).set(OPAQUE));
}
