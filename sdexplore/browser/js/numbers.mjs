// Numbers as they are shown.

/** Three significant digits; "–" where the number is not finite. */
export function three(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return Math.abs(value) >= 1e-4 ? Number(value.toPrecision(3)).toString() : value.toExponential(1);
}

/** A share, 0 to 1, in percent. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** A grid as people write it: rows × columns. */
export const gridName = ([y, x]) => `${y} × ${x}`;

/** `value` as a whole number from 0 to `cells` − 1. */
export const within = (value, cells) => Math.max(0, Math.min(cells - 1, Math.floor(value)));
