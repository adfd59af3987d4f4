/** The pixels of 1 rem: 16, unless the user has chosen another font size in the browser. */
export function rem(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}
